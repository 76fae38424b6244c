//! `query_string`: tantivy's grammar, bound by our own rules.
//!
//! tantivy's `QueryParser` makes queries whose needs cannot be seen from outside, and panics on
//! some ranges. Its grammar is public, so only that is used, and every leaf is bound like the
//! clause that it is.

mod leaf;
mod pattern;
mod simple;
mod simple_parser;
#[cfg(test)]
mod tests;

use tantivy::query_grammar::{
    Delimiter, Occur, UserInputAst, UserInputBound, UserInputLeaf, UserInputLiteral, parse_query,
};
use tantivy::schema::FieldType;

use self::leaf::Leaf;
use self::pattern::Word;
use crate::error::Result;
use crate::filter::bind::{Binder, SearchedField, minimum};
use crate::filter::bound::{BoundBool, BoundClause};
use crate::filter::clause::{Clause, MinimumShouldMatch, Operator, QueryStringClause};
use crate::filter::field::Target;
use crate::filter::parse::{MAX_DEPTH, check_boost, check_size};
use crate::filter::path::Path;
use crate::filter::value::FieldValue;

/// How long a text may be: the grammar tries alternatives.
const MAX_LENGTH: usize = 65_536;
/// How many `NOT` may follow one another: each is a recursion of the grammar.
const MAX_NEGATIONS: usize = 4;

/// How the leaves of a text are bound.
struct Settings {
    fields: Vec<SearchedField>,
    operator: Operator,
    lenient: bool,
}

impl Binder<'_> {
    pub(crate) fn query_string(
        &mut self,
        clause: &QueryStringClause,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<BoundClause> {
        let settings = Settings {
            fields: self.searched_fields(&clause.fields, &path.key("fields"))?,
            operator: clause.default_operator,
            lenient: clause.lenient,
        };
        let path = &path.key("query");
        check_text(&clause.query, path)?;
        let ast = parse_query(&clause.query)
            .map_err(|_| path.error(format_args!("cannot parse {:?}", clause.query)))?;
        let asked = clause.minimum_should_match.as_ref();
        let bound = self.ast(&ast, &settings, asked, path, depth)?;
        Ok(bound.unwrap_or(BoundClause::Empty))
    }

    /// `None` is a part without words, which neither requires nor excludes anything. `asked` is
    /// how many optional parts must match.
    fn ast(
        &mut self,
        ast: &UserInputAst,
        settings: &Settings,
        asked: Option<&MinimumShouldMatch>,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<Option<BoundClause>> {
        check_size(depth, &mut self.clauses, path)?;
        match ast {
            UserInputAst::Boost(ast, boost) => {
                let boost = check_boost(boost.into_inner() as f32, path)?;
                let bound = self.ast(ast, settings, None, path, depth + 1)?;
                Ok(bound.map(|bound| bound.boosted(boost)))
            }
            UserInputAst::Clause(parts) => {
                let mut bound = BoundBool::default();
                let default = match settings.operator {
                    Operator::And => Occur::Must,
                    Operator::Or => Occur::Should,
                };
                for (occur, part) in parts {
                    let Some(part) = self.ast(part, settings, None, path, depth + 1)? else {
                        continue;
                    };
                    match occur.unwrap_or(default) {
                        Occur::Must => bound.must.push(part),
                        Occur::MustNot => bound.must_not.push(part),
                        Occur::Should => bound.should.push(part),
                    }
                }
                if bound.must.is_empty() && bound.should.is_empty() && bound.must_not.is_empty() {
                    return Ok(None);
                }
                // As in Elasticsearch, a single part is simply that part.
                let asked = asked.filter(|_| parts.len() > 1);
                bound.minimum_should_match =
                    minimum(asked, bound.should.len(), !bound.must.is_empty());
                Ok(Some(bound.simplified(true)))
            }
            UserInputAst::Leaf(leaf) => self.leaf(leaf, settings, path, depth),
        }
    }

    fn leaf(
        &mut self,
        leaf: &UserInputLeaf,
        settings: &Settings,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<Option<BoundClause>> {
        match leaf {
            UserInputLeaf::Literal(literal) => return self.literal(literal, settings, path),
            UserInputLeaf::Regex { field, pattern } => {
                let leaf = Leaf::Regex { pattern };
                let lenient = settings.lenient;
                return match field {
                    Some(field) => {
                        let fields = self.named_fields(field, path)?;
                        self.leaf_in_fields(&fields, &leaf, lenient, path)
                    }
                    None => self.leaf_in_fields(&settings.fields, &leaf, lenient, path),
                };
            }
            _ => {}
        }
        let field = match leaf {
            UserInputLeaf::Exists { field } => Some(field),
            UserInputLeaf::Range { field, .. } | UserInputLeaf::Set { field, .. } => {
                let field = field.as_ref();
                Some(field.ok_or_else(|| path.error("a range or set needs a field before it"))?)
            }
            _ => None,
        };
        if let Some(field) = field {
            Target::resolve(&self.schema, field, path)?;
        }
        let bound = self
            .leaf_clause(leaf, path)
            .and_then(|clause| self.clause(&clause, path, depth + 1, true));
        match bound {
            Err(_) if settings.lenient => Ok(Some(BoundClause::Empty)),
            bound => bound.map(Some),
        }
    }

    /// The clause that a leaf is which is no literal.
    fn leaf_clause(&mut self, leaf: &UserInputLeaf, path: &Path<'_>) -> Result<Clause> {
        Ok(match leaf {
            UserInputLeaf::Exists { field } => Clause::exists(field).into(),
            UserInputLeaf::Range {
                field: Some(field),
                lower,
                upper,
            } => {
                let mut clause = Clause::range(field);
                match self.edge(field, lower, path)? {
                    Some((value, true)) => clause = clause.gte(value),
                    Some((value, false)) => clause = clause.gt(value),
                    None => {}
                }
                match self.edge(field, upper, path)? {
                    Some((value, true)) => clause = clause.lte(value),
                    Some((value, false)) => clause = clause.lt(value),
                    None => {}
                }
                clause.into()
            }
            UserInputLeaf::Set {
                field: Some(field),
                elements,
            } => {
                let values = elements
                    .iter()
                    .map(|element| self.word(field, element, path))
                    .collect::<Result<Vec<_>>>()?;
                Clause::terms(field, values).into()
            }
            _ => Clause::match_all().into(),
        })
    }

    fn literal(
        &mut self,
        literal: &UserInputLiteral,
        settings: &Settings,
        path: &Path<'_>,
    ) -> Result<Option<BoundClause>> {
        let named;
        let fields = match &literal.field_name {
            Some(field) => {
                named = self.named_fields(field, path)?;
                &named
            }
            None if settings.fields.is_empty() => {
                return Err(path.error(format_args!(
                    "no field to search {:?} in: name one, or give \"fields\"",
                    literal.phrase
                )));
            }
            None => &settings.fields,
        };
        let phrase = |text: &str| Leaf::Phrase {
            text: FieldValue::from(text),
            slop: literal.slop,
        };
        let word;
        let leaf = if literal.prefix {
            let text = FieldValue::from(literal.phrase.as_str());
            Leaf::PhrasePrefix { text }
        } else if literal.delimiter == Delimiter::None {
            word = Word::read(&literal.phrase);
            match &word {
                Word::Fuzzy { word, fuzzy } => Leaf::Fuzzy {
                    word,
                    fuzzy: *fuzzy,
                },
                Word::Plain(text) => phrase(text),
                Word::Prefix(word) => Leaf::Prefix { word },
                Word::Wildcard(parts) => Leaf::Wildcard { parts },
            }
        } else {
            phrase(&literal.phrase)
        };
        self.leaf_in_fields(fields, &leaf, settings.lenient, path)
    }

    /// The field that a part of the text names, or those that match a pattern.
    fn named_fields(&mut self, field: &str, path: &Path<'_>) -> Result<Vec<SearchedField>> {
        if field.contains('*') && !field.contains('^') {
            return self.searched_fields(&[field.to_owned()], path);
        }
        Target::resolve_value(&self.schema, field, path)?;
        Ok(vec![SearchedField {
            name: field.to_owned(),
            boost: 1.0,
            found: false,
        }])
    }

    /// A bound of a range, and whether it is included.
    fn edge(
        &mut self,
        field: &str,
        bound: &UserInputBound,
        path: &Path<'_>,
    ) -> Result<Option<(FieldValue, bool)>> {
        match bound {
            UserInputBound::Inclusive(text) | UserInputBound::Exclusive(text) if text == "*" => {
                Ok(None)
            }
            UserInputBound::Inclusive(text) => Ok(Some((self.word(field, text, path)?, true))),
            UserInputBound::Exclusive(text) => Ok(Some((self.word(field, text, path)?, false))),
            UserInputBound::Unbounded => Ok(None),
        }
    }

    /// One value: in a text field the one word that its tokenizer makes of it.
    fn word(&mut self, field: &str, text: &str, path: &Path<'_>) -> Result<FieldValue> {
        // The binder is borrowed while the target lives.
        let schema = self.schema.clone();
        let target = Target::resolve_value(&schema, field, path)?;
        let value = FieldValue::from(text);
        if !matches!(target.entry.field_type(), FieldType::Str(_)) {
            return Ok(value);
        }
        let Some(mut words) = self.words(&target, text, path)? else {
            return Ok(value);
        };
        match words.as_mut_slice() {
            [word] if word.forms.len() == 1 => Ok(FieldValue::from(word.forms.swap_remove(0))),
            words => Err(path.error(format_args!(
                "{text:?} is {} words, expected one",
                words.len()
            ))),
        }
    }
}

/// Bounds what the grammar, which recurses, is given.
fn check_text(text: &str, path: &Path<'_>) -> Result<()> {
    if text.len() > MAX_LENGTH {
        return Err(path.error(format_args!("{} bytes, more than {MAX_LENGTH}", text.len())));
    }
    let mut depth = 0_usize;
    for byte in text.bytes() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > MAX_DEPTH {
            return Err(path.error(format_args!("parentheses nest deeper than {MAX_DEPTH}")));
        }
    }
    let mut negations = 0;
    for word in text.split_whitespace() {
        negations = if word.ends_with("NOT") {
            negations + 1
        } else {
            0
        };
        if negations > MAX_NEGATIONS {
            return Err(path.error(format_args!("more than {MAX_NEGATIONS} NOT in a row")));
        }
    }
    Ok(())
}
