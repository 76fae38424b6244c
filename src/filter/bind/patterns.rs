//! Patterns over the characters of a term: a small tree that becomes a regular expression in the
//! syntax of `tantivy_fst`.
//!
//! Wildcards and Lucene's regular expressions are read into this tree, so that their bounds are
//! checked in one place: that syntax unrolls repetitions, and recurses over what it unrolled.

use std::fmt::Write as _;

/// How large a pattern may be, in steps of the automaton before it is made deterministic: about
/// its bytes with repetitions unrolled; a wildcard character counts as 45.
const MAX_SIZE: u64 = 5_000;
/// How deep groups and repetitions may nest.
const MAX_NESTING: u32 = 50;
/// The steps of any character: nine sequences of bytes.
const ANY_SIZE: u64 = 45;

/// A part of a pattern, with what it costs.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pattern {
    kind: Kind,
    size: u64,
    nesting: u32,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    /// Any one character.
    Any,
    /// One character of several ranges, sorted and apart; at least one.
    Class(Vec<(char, char)>),
    /// One part after the other.
    Concat(Vec<Pattern>),
    /// Exactly these characters.
    Literal(String),
    /// A part several times.
    Repeat {
        part: Box<Pattern>,
        min: u32,
        max: Option<u32>,
    },
    /// Any of several parts.
    Union(Vec<Pattern>),
}

/// A pattern for a search: what every match begins with, and what follows.
#[derive(Debug, PartialEq)]
pub(super) struct Split {
    pub(super) beginning: String,
    pub(super) rest: Rest,
}

/// What follows the beginning.
#[derive(Debug, PartialEq)]
pub(super) enum Rest {
    Anything,
    Nothing,
    /// A regular expression in the syntax of `tantivy_fst`.
    Regex(String),
}

impl Pattern {
    pub(super) fn any() -> Self {
        Self {
            kind: Kind::Any,
            size: ANY_SIZE,
            nesting: 0,
        }
    }

    /// Any characters, or none.
    pub(super) fn anything() -> Self {
        Self {
            kind: Kind::Repeat {
                part: Box::new(Self::any()),
                min: 0,
                max: None,
            },
            size: ANY_SIZE + 2,
            nesting: 1,
        }
    }

    /// One character; of an ASCII letter both cases if `insensitive`.
    pub(super) fn character(character: char, insensitive: bool) -> Self {
        if insensitive && character.is_ascii_alphabetic() {
            let (lower, upper) = (
                character.to_ascii_lowercase(),
                character.to_ascii_uppercase(),
            );
            return Self {
                kind: Kind::Class(vec![(upper, upper), (lower, lower)]),
                size: 4,
                nesting: 0,
            };
        }
        Self {
            kind: Kind::Literal(character.into()),
            size: character.len_utf8() as u64,
            nesting: 0,
        }
    }

    /// Exactly these characters; of ASCII letters both cases if `insensitive`.
    pub(super) fn text(text: &str, insensitive: bool) -> Result<Self, String> {
        let parts = text.chars();
        Self::bounded(parts.map(|character| Self::character(character, insensitive)))
    }

    /// One part after the other; once they are too many, they are only counted.
    fn bounded(parts: impl Iterator<Item = Self>) -> Result<Self, String> {
        let mut kept = Vec::new();
        let mut size = 0;
        for part in parts {
            size += part.size;
            if size <= MAX_SIZE {
                kept.push(part);
            }
        }
        if size > MAX_SIZE {
            return Err(too_large(size));
        }
        Self::concat(kept)
    }

    /// One character of several ranges, or of none of them.
    pub(super) fn class(
        mut ranges: Vec<(char, char)>,
        negated: bool,
        insensitive: bool,
    ) -> Result<Self, String> {
        if insensitive {
            let folded: Vec<_> = ranges.iter().flat_map(|range| other_case(*range)).collect();
            ranges.extend(folded);
        }
        let mut ranges = merged(ranges);
        if negated {
            ranges = complement(&ranges);
        }
        if ranges.is_empty() {
            return Err("a class that no character is in matches nothing".to_owned());
        }
        let size = ranges.iter().map(|(_, last)| match last {
            '\0'..='\x7f' => 3,
            _ => ANY_SIZE,
        });
        Self {
            size: size.sum(),
            kind: Kind::Class(ranges),
            nesting: 0,
        }
        .checked()
    }

    /// One part after the other. Literals that meet become one.
    pub(super) fn concat(parts: Vec<Self>) -> Result<Self, String> {
        let size = parts.iter().map(|part| part.size).sum();
        let nesting = deepest(&parts);
        let mut joined: Vec<Self> = Vec::new();
        for part in parts {
            match (joined.last_mut().map(|last| &mut last.kind), &part.kind) {
                (Some(Kind::Literal(text)), Kind::Literal(more)) => text.push_str(more),
                _ => joined.push(part),
            }
        }
        let kind = match joined.len() {
            0 => Kind::Literal(String::new()),
            1 => joined.swap_remove(0).kind,
            _ => Kind::Concat(joined),
        };
        Self {
            kind,
            size,
            nesting,
        }
        .checked()
    }

    /// Any of several parts; at least one.
    pub(super) fn union(mut parts: Vec<Self>) -> Result<Self, String> {
        if parts.len() == 1 {
            return Ok(parts.swap_remove(0));
        }
        Self {
            size: parts.iter().map(|part| part.size + 2).sum(),
            nesting: deepest(&parts) + 1,
            kind: Kind::Union(parts),
        }
        .checked()
    }

    /// A part at least `min` and at most `max` times.
    pub(super) fn repeat(self, min: u32, max: Option<u32>) -> Result<Self, String> {
        if let Some(max) = max
            && min > max
        {
            return Err(format!(
                "cannot repeat at least {min} and at most {max} times"
            ));
        }
        let times = u64::from(max.unwrap_or(min.saturating_add(1)));
        Self {
            // What repeats nothing costs a step too.
            size: self.size.max(1).saturating_add(1).saturating_mul(times),
            nesting: self.nesting + 1,
            kind: Kind::Repeat {
                part: Box::new(self),
                min,
                max,
            },
        }
        .checked()
    }

    fn checked(self) -> Result<Self, String> {
        if self.size > MAX_SIZE {
            return Err(too_large(self.size));
        }
        if self.nesting > MAX_NESTING {
            return Err(format!(
                "groups and repetitions nest deeper than {MAX_NESTING}"
            ));
        }
        Ok(self)
    }

    /// Parts the pattern after the characters that every match begins with.
    pub(super) fn split(self) -> Split {
        let parts = match self.kind {
            Kind::Concat(parts) => parts,
            _ => vec![self],
        };
        let mut parts = parts.into_iter().peekable();
        let mut beginning = String::new();
        while let Some(Kind::Literal(text)) = parts.peek().map(|part| &part.kind) {
            beginning.push_str(text);
            parts.next();
        }
        let parts: Vec<Self> = parts.collect();
        let rest = match parts.as_slice() {
            [] => Rest::Nothing,
            [only] if *only == Self::anything() => Rest::Anything,
            _ => {
                let mut regex = String::new();
                parts.iter().for_each(|part| part.write(&mut regex));
                Rest::Regex(regex)
            }
        };
        Split { beginning, rest }
    }

    /// Writes a regular expression that can stand beside others.
    fn write(&self, out: &mut String) {
        match &self.kind {
            Kind::Any => out.push_str("(?s:.)"),
            Kind::Class(ranges) => {
                out.push('[');
                for (first, last) in ranges {
                    write_character(out, *first);
                    if first != last {
                        out.push('-');
                        write_character(out, *last);
                    }
                }
                out.push(']');
            }
            Kind::Concat(parts) => parts.iter().for_each(|part| part.write(out)),
            Kind::Literal(text) => text
                .chars()
                .for_each(|character| write_character(out, character)),
            Kind::Repeat { part, min, max } => {
                out.push_str("(?:");
                part.write(out);
                out.push(')');
                // Writing to a string cannot fail.
                let _ = match (min, max) {
                    (0, None) => write!(out, "*"),
                    (min, None) => write!(out, "{{{min},}}"),
                    (min, Some(max)) => write!(out, "{{{min},{max}}}"),
                };
            }
            Kind::Union(parts) => {
                out.push_str("(?:");
                for (index, part) in parts.iter().enumerate() {
                    if index > 0 {
                        out.push('|');
                    }
                    part.write(out);
                }
                out.push(')');
            }
        }
    }
}

fn too_large(size: u64) -> String {
    format!(
        "the pattern is too large: with repetitions written out it has {size} steps, more than \
         the {MAX_SIZE} allowed"
    )
}

/// Reads the pattern of a `wildcard`: `*` is any characters, `?` is any one, and `\` makes the
/// next character mean itself. At the end it means itself, as in Lucene's `WildcardQuery`.
pub(super) fn wildcard(text: &str, insensitive: bool) -> Result<Pattern, String> {
    let mut characters = text.chars();
    let mut anything = false;
    let parts = std::iter::from_fn(|| {
        loop {
            let again = std::mem::take(&mut anything);
            return Some(match characters.next()? {
                '*' => {
                    anything = true;
                    if again {
                        continue;
                    }
                    Pattern::anything()
                }
                '?' => Pattern::any(),
                '\\' => Pattern::character(characters.next().unwrap_or('\\'), insensitive),
                character => Pattern::character(character, insensitive),
            });
        }
    });
    Pattern::bounded(parts)
}

/// How a wildcard is written that matches the same: without needless escapes, with every run of
/// operators in one order, and in lower case if case does not matter.
pub(in crate::filter) fn canonical_wildcard(text: &str, insensitive: bool) -> String {
    let mut canonical = String::new();
    let mut anything = false;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let literal = match character {
            '*' => {
                anything = true;
                continue;
            }
            '?' => {
                canonical.push('?');
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            character => character,
        };
        if std::mem::take(&mut anything) {
            canonical.push('*');
        }
        if matches!(literal, '*' | '?' | '\\') {
            canonical.push('\\');
        }
        canonical.push(if insensitive {
            literal.to_ascii_lowercase()
        } else {
            literal
        });
    }
    if anything {
        canonical.push('*');
    }
    canonical
}

/// Whether it matters for a text whether case does.
pub(in crate::filter) fn has_case(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn deepest(parts: &[Pattern]) -> u32 {
    parts.iter().map(|part| part.nesting).max().unwrap_or(0)
}

/// Letters and digits as they are, everything else by its number: nothing is an operator.
fn write_character(out: &mut String, character: char) {
    if character.is_ascii_alphanumeric() {
        out.push(character);
    } else {
        let _ = write!(out, "\\x{{{:x}}}", u32::from(character));
    }
}

/// The letters of a range in their other case.
fn other_case((first, last): (char, char)) -> impl Iterator<Item = (char, char)> {
    let fold = |from: char, to: char, change: fn(&char) -> char| {
        let (first, last) = (first.max(from), last.min(to));
        (first <= last).then(|| (change(&first), change(&last)))
    };
    let lower = fold('a', 'z', char::to_ascii_uppercase);
    let upper = fold('A', 'Z', char::to_ascii_lowercase);
    lower.into_iter().chain(upper)
}

/// The same characters in ranges that are sorted and apart.
fn merged(mut ranges: Vec<(char, char)>) -> Vec<(char, char)> {
    ranges.sort_unstable();
    let mut merged: Vec<(char, char)> = Vec::new();
    for (first, last) in ranges {
        match merged.last_mut() {
            Some(before) if u32::from(first) <= u32::from(before.1) + 1 => {
                before.1 = before.1.max(last);
            }
            _ => merged.push((first, last)),
        }
    }
    merged
}

/// Every character that is in none of the ranges, which are sorted and apart.
pub(super) fn complement(ranges: &[(char, char)]) -> Vec<(char, char)> {
    let mut others = Vec::new();
    let mut next = 0_u32;
    let mut push = |first: u32, last: u32| {
        // Between these there are no characters.
        let before = (first, last.min(0xD7FF));
        let after = (first.max(0xE000), last);
        for (first, last) in [before, after] {
            if let (true, Some(first), Some(last)) =
                (first <= last, char::from_u32(first), char::from_u32(last))
            {
                others.push((first, last));
            }
        }
    };
    for (first, last) in ranges {
        if let Some(end) = u32::from(*first).checked_sub(1)
            && next <= end
        {
            push(next, end);
        }
        next = u32::from(*last) + 1;
    }
    push(next, u32::from(char::MAX));
    others
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;
    use tantivy_fst::Automaton;

    use super::*;
    use crate::filter::TermAutomaton;

    impl Pattern {
        /// The automaton of the whole pattern.
        pub(in crate::filter::bind) fn automaton(self) -> Result<TermAutomaton, String> {
            let Split { beginning, rest } = self.split();
            let rest = match rest {
                Rest::Anything => "(?s:.)*".to_owned(),
                Rest::Nothing => String::new(),
                Rest::Regex(regex) => regex,
            };
            TermAutomaton::regex(beginning.into_bytes(), &rest)
        }
    }

    pub(in crate::filter::bind) fn accepts(pattern: Pattern, text: &str) -> bool {
        let automaton = pattern.automaton().unwrap();
        let state = text.bytes().fold(automaton.start(), |state, byte| {
            automaton.accept(&state, byte)
        });
        automaton.is_match(&state)
    }

    /// Whether a wildcard matches, tried out one character after the other.
    pub(crate) fn is_like(pattern: &[char], text: &[char]) -> bool {
        match (pattern, text) {
            ([], text) => text.is_empty(),
            (['*', rest @ ..], text) => {
                is_like(rest, text) || !text.is_empty() && is_like(pattern, &text[1..])
            }
            (['?', rest @ ..], [_, text @ ..]) => is_like(rest, text),
            (['\\', literal, rest @ ..], [first, text @ ..]) => {
                literal == first && is_like(rest, text)
            }
            ([literal, rest @ ..], [first, text @ ..]) => literal == first && is_like(rest, text),
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn wildcards_match_what_they_are_like(
            pattern in r"[ab.äA*?\\]{0,7}", text in r"[ab.äA*?\\]{0,6}", insensitive: bool,
        ) {
            let fold = |text: &str| -> Vec<char> {
                let text = if insensitive { text.to_ascii_lowercase() } else { text.to_owned() };
                text.chars().collect()
            };
            let like = is_like(&fold(&pattern), &fold(&text));
            let read = wildcard(&pattern, insensitive).unwrap();
            prop_assert_eq!(accepts(read, &text), like);
            let canonical = canonical_wildcard(&pattern, insensitive);
            prop_assert_eq!(is_like(&fold(&canonical), &fold(&text)), like, "{}", canonical);
        }
    }

    #[test]
    fn what_a_pattern_begins_with_is_apart() {
        let split = |pattern: &str| {
            let Split { beginning, rest } = wildcard(pattern, false).unwrap().split();
            (beginning, rest)
        };
        assert_eq!(split("/a/b"), ("/a/b".to_owned(), Rest::Nothing));
        assert_eq!(split("/a/**"), ("/a/".to_owned(), Rest::Anything));
        let regex = Rest::Regex("(?:(?s:.))*b\\x{2e}".to_owned());
        assert_eq!(split("a*b."), ("a".to_owned(), regex));
        assert_eq!(split(r"a\*"), ("a*".to_owned(), Rest::Nothing));
        assert_eq!(split(r"a\"), (r"a\".to_owned(), Rest::Nothing));
        assert_eq!(split(""), (String::new(), Rest::Nothing));
    }

    #[test]
    fn classes_leave_out_what_they_exclude() {
        let outside = complement(&[('b', 'c'), ('\u{e000}', char::MAX)]);
        assert_eq!(outside, [('\0', 'a'), ('d', '\u{d7ff}')]);
        assert_eq!(complement(&outside), [('b', 'c'), ('\u{e000}', char::MAX)]);
        assert_eq!(
            merged(vec![('c', 'd'), ('a', 'b'), ('b', 'b')]),
            [('a', 'd')]
        );
        assert!(Pattern::class(vec![('\0', char::MAX)], true, false).is_err());
    }
}
