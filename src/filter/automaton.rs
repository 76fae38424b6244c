//! Patterns over the terms of a dictionary.

use std::fmt;
use std::sync::{Arc, OnceLock};

use levenshtein_automata::{DFA, Distance, LevenshteinAutomatonBuilder, SINK_STATE};
use tantivy_fst::{Automaton, Regex};

/// The longest text of a fuzzy pattern, in characters: the automaton takes some kB for each.
const MAX_FUZZY_CHARS: usize = 256;
/// The greatest edit distance, as in Lucene: the tables of the automaton grow with its power.
const MAX_DISTANCE: u8 = 2;

/// An automaton that accepts terms which begin with exactly some bytes and go on as a pattern says.
#[derive(Clone)]
pub(crate) struct TermAutomaton(Arc<Inner>);

struct Inner {
    /// What a term begins with before the pattern applies: the path of a JSON field.
    beginning: Vec<u8>,
    pattern: Pattern,
    /// What it was made of, to be compared.
    source: String,
    /// What the request said, for people.
    shown: OnceLock<String>,
}

enum Pattern {
    Fuzzy { dfa: DFA, distance: u8 },
    Regex(Regex),
}

/// Where an automaton is in a term.
#[derive(Clone, Copy, Debug)]
pub(crate) enum State {
    /// So many bytes of the beginning were read.
    Beginning(usize),
    /// Nothing that follows can match.
    Dead,
    Fuzzy(u32),
    Regex(usize),
}

impl TermAutomaton {
    /// Terms whose rest after `beginning` matches `pattern` as a whole, in the syntax of
    /// [`tantivy_fst::Regex`].
    ///
    /// # Errors
    ///
    /// What is wrong with the pattern, or that its automaton would be too large.
    pub(crate) fn regex(beginning: Vec<u8>, pattern: &str) -> Result<Self, String> {
        let regex = Regex::new(pattern).map_err(|error| error.to_string())?;
        let source = format!("regex {pattern}");
        Ok(Self::new(beginning, Pattern::Regex(regex), source))
    }

    /// Terms whose rest after `beginning` is at most `distance` edits from `text`. With
    /// `transpositions`, swapping two neighbours is one edit.
    ///
    /// # Errors
    ///
    /// The distance is above 2, or the text too long.
    pub(crate) fn fuzzy(
        beginning: Vec<u8>,
        text: &str,
        distance: u8,
        transpositions: bool,
    ) -> Result<Self, String> {
        // Its tables take a while to make and depend on these two only.
        static BUILDERS: [OnceLock<LevenshteinAutomatonBuilder>; 6] =
            [const { OnceLock::new() }; 6];
        if distance > MAX_DISTANCE {
            return Err(format!(
                "a distance of {distance}, more than {MAX_DISTANCE}"
            ));
        }
        let chars = text.chars().count();
        if chars > MAX_FUZZY_CHARS {
            return Err(format!(
                "{chars} characters, more than the {MAX_FUZZY_CHARS} a fuzzy pattern may have"
            ));
        }
        let at = usize::from(distance) * 2 + usize::from(transpositions);
        let builder =
            BUILDERS[at].get_or_init(|| LevenshteinAutomatonBuilder::new(distance, transpositions));
        let dfa = builder.build_dfa(text);
        let swaps = if transpositions { "" } else { ", no swaps" };
        let source = format!("{text:?} within {distance}{swaps}");
        Ok(Self::new(
            beginning,
            Pattern::Fuzzy { dfa, distance },
            source,
        ))
    }

    fn new(beginning: Vec<u8>, pattern: Pattern, source: String) -> Self {
        Self(Arc::new(Inner {
            beginning,
            pattern,
            source,
            shown: OnceLock::new(),
        }))
    }

    /// What a term must begin with.
    pub(crate) fn beginning(&self) -> &[u8] {
        &self.0.beginning
    }

    /// Sets what the request said; what was said first stays.
    pub(crate) fn shown_as(self, text: String) -> Self {
        let _ = self.0.shown.set(text);
        self
    }

    /// What the request said, for people.
    pub(crate) fn shown(&self) -> &str {
        self.0.shown.get().map_or(self.source(), String::as_str)
    }

    /// The pattern, to tell one from another.
    pub(crate) fn source(&self) -> &str {
        &self.0.source
    }

    fn started(&self) -> State {
        match &self.0.pattern {
            Pattern::Fuzzy { dfa, .. } => State::Fuzzy(dfa.initial_state()),
            Pattern::Regex(regex) => regex.start().map_or(State::Dead, State::Regex),
        }
    }
}

impl fmt::Debug for TermAutomaton {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} after \"{}\"",
            self.source(),
            self.beginning().escape_ascii()
        )
    }
}

impl PartialEq for TermAutomaton {
    fn eq(&self, other: &Self) -> bool {
        self.beginning() == other.beginning() && self.source() == other.source()
    }
}

impl Automaton for TermAutomaton {
    type State = State;

    fn start(&self) -> State {
        if self.beginning().is_empty() {
            self.started()
        } else {
            State::Beginning(0)
        }
    }

    fn is_match(&self, state: &State) -> bool {
        match (state, &self.0.pattern) {
            (State::Fuzzy(state), Pattern::Fuzzy { dfa, distance }) => {
                matches!(dfa.distance(*state), Distance::Exact(found) if found <= *distance)
            }
            (State::Regex(state), Pattern::Regex(regex)) => regex.is_match(&Some(*state)),
            _ => false,
        }
    }

    fn can_match(&self, state: &State) -> bool {
        !matches!(state, State::Dead)
    }

    fn accept(&self, state: &State, byte: u8) -> State {
        match (*state, &self.0.pattern) {
            (State::Beginning(at), _) if self.beginning().get(at) == Some(&byte) => {
                if at + 1 == self.beginning().len() {
                    self.started()
                } else {
                    State::Beginning(at + 1)
                }
            }
            (State::Fuzzy(state), Pattern::Fuzzy { dfa, .. }) => {
                match dfa.transition(state, byte) {
                    SINK_STATE => State::Dead,
                    next => State::Fuzzy(next),
                }
            }
            (State::Regex(state), Pattern::Regex(regex)) => regex
                .accept(&Some(state), byte)
                .map_or(State::Dead, State::Regex),
            _ => State::Dead,
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn accepts(automaton: &TermAutomaton, term: &str) -> bool {
        let state = term.bytes().fold(automaton.start(), |state, byte| {
            automaton.accept(&state, byte)
        });
        assert!(!automaton.is_match(&state) || automaton.can_match(&state));
        automaton.is_match(&state)
    }

    /// Optimal string alignment: the edit distance in which no part is edited twice.
    pub(in crate::filter) fn distance(left: &str, right: &str, transpositions: bool) -> usize {
        let (left, right): (Vec<char>, Vec<char>) =
            (left.chars().collect(), right.chars().collect());
        let mut table = vec![vec![0; right.len() + 1]; left.len() + 1];
        for i in 0..=left.len() {
            for j in 0..=right.len() {
                table[i][j] = if i == 0 || j == 0 {
                    i + j
                } else {
                    let same = usize::from(left[i - 1] != right[j - 1]);
                    let mut least = (table[i - 1][j] + 1)
                        .min(table[i][j - 1] + 1)
                        .min(table[i - 1][j - 1] + same);
                    let swapped = i > 1
                        && j > 1
                        && left[i - 1] == right[j - 2]
                        && left[i - 2] == right[j - 1];
                    if transpositions && swapped {
                        least = least.min(table[i - 2][j - 2] + 1);
                    }
                    least
                };
            }
        }
        table[left.len()][right.len()]
    }

    #[test]
    fn the_pattern_begins_after_the_beginning() {
        let automaton = TermAutomaton::regex(b"a\0s".to_vec(), "b.*").unwrap();
        assert!(accepts(&automaton, "a\0sb"));
        assert!(accepts(&automaton, "a\0sbcd"));
        for other in ["", "a", "a\0s", "b", "a\0sc", "a\0tb"] {
            assert!(!accepts(&automaton, other), "{other:?}");
        }
    }

    #[test]
    fn what_cannot_be_an_automaton_is_an_error() {
        assert!(TermAutomaton::regex(Vec::new(), "(").is_err());
        assert!(TermAutomaton::regex(Vec::new(), &"(.{9}){9}".repeat(99)).is_err());
        assert!(TermAutomaton::fuzzy(Vec::new(), "a", 3, true).is_err());
        assert!(TermAutomaton::fuzzy(Vec::new(), &"a".repeat(257), 1, true).is_err());
        TermAutomaton::fuzzy(Vec::new(), &"ä".repeat(256), 2, true).unwrap();
    }

    proptest! {
        #[test]
        fn fuzzy_patterns_accept_what_is_near(
            text in "[abä]{0,6}", term in "[abä]{0,6}", within in 0_u8..=2, swaps: bool,
        ) {
            let automaton = TermAutomaton::fuzzy(Vec::new(), &text, within, swaps).unwrap();
            let near = distance(&text, &term, swaps) <= usize::from(within);
            prop_assert_eq!(accepts(&automaton, &term), near);
        }
    }
}
