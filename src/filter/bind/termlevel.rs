//! Clauses on exact values and on patterns of them.

use tantivy::Term;
use tantivy::schema::FieldType;

use super::Binder;
use super::patterns::{self, Pattern, Rest, Split};
use super::regexp::regexp;
use crate::error::Result;
use crate::filter::TermAutomaton;
use crate::filter::bound::BoundClause;
use crate::filter::clause::{
    FuzzyClause, IdsClause, PrefixClause, RegexpClause, TermClause, WildcardClause,
};
use crate::filter::coerce;
use crate::filter::column_range::ColumnValues;
use crate::filter::date_math::DateReader;
use crate::filter::field::Target;
use crate::filter::parse::check_terms;
use crate::filter::path::Path;
use crate::filter::ranges;

impl Binder<'_> {
    pub(super) fn fuzzy(&self, clause: &FuzzyClause, path: &Path<'_>) -> Result<BoundClause> {
        let path = &path.key(&clause.field);
        let target = Target::resolve_value(&self.schema, &clause.field, path)?;
        check_patterns(&target, path)?;
        if !clause.fuzziness.is_valid() {
            return Err(path.error(format_args!(
                "expected a fuzziness of at most 2 edits, or AUTO:low,high with low at most high, \
                 got {}",
                clause.fuzziness
            )));
        }
        let word = clause.value.to_string();
        let edits = clause.fuzziness.edits(word.chars().count());
        if edits == 0 {
            return Ok(only(&target, &word));
        }
        // The distance is that of what follows the characters that must be the same.
        let same = usize::try_from(clause.prefix_length).unwrap_or(usize::MAX);
        let at = word.char_indices().nth(same);
        let (same, rest) = word.split_at(at.map_or(word.len(), |(at, _)| at));
        let beginning = string_beginning(&target, same);
        TermAutomaton::fuzzy(beginning, rest, edits, clause.transpositions)
            .map(|automaton| automaton.shown_as(fuzzy_shown(&word, edits)))
            .map(|automaton| accepted(&target, automaton))
            .map_err(|message| path.error(message))
    }

    pub(super) fn prefix(&self, clause: &PrefixClause, path: &Path<'_>) -> Result<BoundClause> {
        let path = &path.key(&clause.field);
        let target = Target::resolve_value(&self.schema, &clause.field, path)?;
        if !clause.case_insensitive || !patterns::has_case(&clause.value) {
            return ranges::prefix(&target, &clause.value, path);
        }
        let text = Pattern::text(&clause.value, true);
        let pattern = text.and_then(|text| Pattern::concat(vec![text, Pattern::anything()]));
        let shown = format!("prefix {:?} in any case", clause.value);
        matching(&target, pattern, shown, path)
    }

    pub(super) fn regexp(&self, clause: &RegexpClause, path: &Path<'_>) -> Result<BoundClause> {
        let path = &path.key(&clause.field);
        let target = Target::resolve_value(&self.schema, &clause.field, path)?;
        let pattern = regexp(&clause.value, clause.flags, clause.case_insensitive);
        let shown = format!("regexp {:?}{}", clause.value, case(clause.case_insensitive));
        matching(&target, pattern, shown, path)
    }

    pub(super) fn term(&self, clause: &TermClause, path: &Path<'_>) -> Result<BoundClause> {
        let path = &path.key(&clause.field);
        let target = Target::resolve_value(&self.schema, &clause.field, path)?;
        let mut clauses =
            coerce::exact_in(&target, &clause.value, &DateReader::at(self.now), path)?;
        if !clause.case_insensitive {
            return Ok(BoundClause::any(clauses));
        }
        if !has_patterns(&target) {
            let name = target.type_name();
            return Err(path.error(format_args!(
                "{name} has no case: leave out \"case_insensitive\""
            )));
        }
        let text = clause.value.to_string();
        if !patterns::has_case(&text) {
            return Ok(BoundClause::any(clauses));
        }
        // On a JSON path the value may be of other types too; as a string it stands last.
        clauses.pop();
        let shown = format!("term {text:?} in any case");
        clauses.push(matching(&target, Pattern::text(&text, true), shown, path)?);
        Ok(BoundClause::any_constant(clauses))
    }

    pub(super) fn wildcard(&self, clause: &WildcardClause, path: &Path<'_>) -> Result<BoundClause> {
        let path = &path.key(&clause.field);
        let target = Target::resolve_value(&self.schema, &clause.field, path)?;
        let pattern = patterns::wildcard(&clause.value, clause.case_insensitive);
        let shown = format!(
            "wildcard {:?}{}",
            clause.value,
            case(clause.case_insensitive)
        );
        matching(&target, pattern, shown, path)
    }
}

/// Documents by the ids of hits; what is no such id is the id of no document.
pub(super) fn ids(clause: &IdsClause, path: &Path<'_>) -> Result<BoundClause> {
    check_terms(clause.values.len(), &path.key("values"))?;
    let address = |id: &String| {
        let (segment, doc) = id.split_once(':')?;
        let (segment, doc) = (segment.parse::<u32>().ok()?, doc.parse::<u32>().ok()?);
        // `+1:007` is how nobody writes it.
        (*id == format!("{segment}:{doc}")).then_some((segment, doc))
    };
    let mut addresses: Vec<(u32, u32)> = clause.values.iter().filter_map(address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(if addresses.is_empty() {
        BoundClause::Empty
    } else {
        BoundClause::Ids(addresses)
    })
}

/// Whether a field has strings that a pattern can be held against.
fn has_patterns(target: &Target<'_>) -> bool {
    let field_type = target.entry.field_type();
    matches!(field_type, FieldType::JsonObject(_) | FieldType::Str(_))
}

/// Refuses a field that has no strings, or none that could be looked for.
fn check_patterns(target: &Target<'_>, path: &Path<'_>) -> Result<()> {
    if !has_patterns(target) {
        let name = target.type_name();
        return Err(path.error(format_args!(
            "{name} has no patterns: only text and paths of JSON fields do"
        )));
    }
    if !target.is_indexed() && !target.is_fast() {
        return Err(target.not_searchable(path));
    }
    Ok(())
}

/// The documents with a string that matches a pattern from beginning to end, score 1. The pattern
/// is `shown` to people so.
fn matching(
    target: &Target<'_>,
    pattern: Result<Pattern, String>,
    shown: String,
    path: &Path<'_>,
) -> Result<BoundClause> {
    check_patterns(target, path)?;
    let pattern = pattern.map_err(|message| path.error(message))?;
    let Split { beginning, rest } = pattern.split();
    match rest {
        Rest::Anything => ranges::prefix(target, &beginning, path),
        Rest::Nothing => Ok(only(target, &beginning)),
        Rest::Regex(regex) => {
            let beginning = string_beginning(target, &beginning);
            let automaton = TermAutomaton::regex(beginning, &regex).map_err(|message| {
                path.error(format_args!("the pattern is too large: {message}"))
            })?;
            Ok(accepted(target, automaton.shown_as(shown)))
        }
    }
}

/// What is said of a pattern that does not look at case.
fn case(insensitive: bool) -> &'static str {
    if insensitive { " in any case" } else { "" }
}

/// A fuzzy word, for people.
pub(super) fn fuzzy_shown(word: &str, edits: u8) -> String {
    let plural = if edits == 1 { "" } else { "s" };
    format!("within {edits} edit{plural} of {word:?}")
}

/// The documents with a string that an automaton accepts, score 1.
fn accepted(target: &Target<'_>, automaton: TermAutomaton) -> BoundClause {
    if target.is_indexed() {
        BoundClause::Automaton {
            field: target.field,
            automaton,
        }
    } else {
        coerce::column(target, ColumnValues::Pattern(automaton))
    }
}

/// The documents with exactly this string, score 1.
fn only(target: &Target<'_>, text: &str) -> BoundClause {
    if target.is_indexed() {
        let terms = vec![string_term(target, text)];
        BoundClause::Terms {
            field: target.field,
            terms,
        }
    } else {
        coerce::string_column(target, text)
    }
}

/// What a string is among the terms of a field that is indexed.
fn string_term(target: &Target<'_>, text: &str) -> Term {
    if target.entry.field_type().is_json() {
        let mut term = target.json_term();
        term.append_type_and_str(text);
        term
    } else {
        Term::from_field_text(target.field, text)
    }
}

/// What strings that begin with a text begin with, in the index or in the column.
fn string_beginning(target: &Target<'_>, text: &str) -> Vec<u8> {
    if target.is_indexed() {
        string_term(target, text).serialized_value_bytes().to_vec()
    } else {
        text.as_bytes().to_vec()
    }
}
