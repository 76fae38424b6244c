//! `query_string`: tantivy's grammar, bound by our own rules.
//!
//! tantivy's `QueryParser` makes queries whose needs cannot be seen from outside, and panics on
//! some ranges. Its grammar is public, so only that is used, and every leaf is bound like the
//! clause that it is.

use tantivy::query_grammar::{
    Occur, UserInputAst, UserInputBound, UserInputLeaf, UserInputLiteral, parse_query,
};
use tantivy::schema::FieldType;

use crate::error::Result;
use crate::filter::bind::{Binder, minimum};
use crate::filter::bound::{BoundBool, BoundClause};
use crate::filter::clause::{Clause, Operator, QueryStringClause};
use crate::filter::field::Target;
use crate::filter::parse::{MAX_DEPTH, check_boost, check_size};
use crate::filter::path::Path;
use crate::filter::value::FieldValue;

/// How long a text may be: the grammar tries alternatives.
const MAX_LENGTH: usize = 65_536;
/// How many `NOT` may follow one another: each is a recursion of the grammar.
const MAX_NEGATIONS: usize = 4;

/// Where words without a field are searched, and their factor.
type DefaultField = (String, f32);

struct Settings {
    fields: Vec<DefaultField>,
    operator: Operator,
}

impl Binder<'_> {
    pub(crate) fn query_string(
        &mut self,
        clause: &QueryStringClause,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<BoundClause> {
        let fields = self.default_fields(clause, path)?;
        let settings = Settings {
            fields,
            operator: clause.default_operator,
        };
        let path = &path.key("query");
        check_text(&clause.query, path)?;
        let ast = parse_query(&clause.query)
            .map_err(|_| path.error(format_args!("cannot parse {:?}", clause.query)))?;
        let bound = self.ast(&ast, &settings, path, depth)?;
        Ok(bound.unwrap_or(BoundClause::Empty))
    }

    /// The fields asked for, or else every indexed text field.
    fn default_fields(
        &self,
        clause: &QueryStringClause,
        path: &Path<'_>,
    ) -> Result<Vec<DefaultField>> {
        if clause.fields.is_empty() {
            let text = self.schema.fields().filter(|(_, entry)| {
                entry.is_indexed() && matches!(entry.field_type(), FieldType::Str(_))
            });
            return Ok(text
                .map(|(_, entry)| (entry.name().to_owned(), 1.0))
                .collect());
        }
        let path = &path.key("fields");
        let split = |(index, field): (usize, &String)| {
            let path = &path.index(index);
            let (name, boost) = match field.rsplit_once('^') {
                None => (field.as_str(), 1.0),
                Some((name, boost)) => match boost.parse::<f32>() {
                    Ok(boost) if boost.is_finite() && boost >= 0.0 => (name, boost),
                    _ => return Err(path.error(format_args!("cannot read the boost of {field:?}"))),
                },
            };
            Target::resolve_value(&self.schema, name, path)?;
            Ok((name.to_owned(), boost))
        };
        clause.fields.iter().enumerate().map(split).collect()
    }

    /// `None` is a part without words, which neither requires nor excludes anything.
    fn ast(
        &mut self,
        ast: &UserInputAst,
        settings: &Settings,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<Option<BoundClause>> {
        check_size(depth, &mut self.clauses, path)?;
        match ast {
            UserInputAst::Boost(ast, boost) => {
                let boost = check_boost(boost.into_inner() as f32, path)?;
                let bound = self.ast(ast, settings, path, depth + 1)?;
                Ok(bound.map(|bound| bound.boosted(boost)))
            }
            UserInputAst::Clause(parts) => {
                let mut bound = BoundBool::default();
                let default = match settings.operator {
                    Operator::And => Occur::Must,
                    Operator::Or => Occur::Should,
                };
                for (occur, part) in parts {
                    let Some(part) = self.ast(part, settings, path, depth + 1)? else {
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
                bound.minimum_should_match =
                    minimum(None, bound.should.len(), !bound.must.is_empty());
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
        let named = |field: &Option<String>| {
            field
                .clone()
                .ok_or_else(|| path.error("a range or set needs a field before it"))
        };
        let clause: Clause = match leaf {
            UserInputLeaf::All => Clause::match_all().into(),
            UserInputLeaf::Exists { field } => Clause::exists(field).into(),
            UserInputLeaf::Literal(literal) => return self.literal(literal, settings, path),
            UserInputLeaf::Range {
                field,
                lower,
                upper,
            } => {
                let field = named(field)?;
                let mut clause = Clause::range(&field);
                match self.edge(&field, lower, path)? {
                    Some((value, true)) => clause = clause.gte(value),
                    Some((value, false)) => clause = clause.gt(value),
                    None => {}
                }
                match self.edge(&field, upper, path)? {
                    Some((value, true)) => clause = clause.lte(value),
                    Some((value, false)) => clause = clause.lt(value),
                    None => {}
                }
                clause.into()
            }
            UserInputLeaf::Regex { .. } => {
                return Err(path.error("regular expressions are not supported here"));
            }
            UserInputLeaf::Set { field, elements } => {
                let field = named(field)?;
                let values = elements
                    .iter()
                    .map(|element| self.word(&field, element, path))
                    .collect::<Result<Vec<_>>>()?;
                Clause::terms(field, values).into()
            }
        };
        self.clause(&clause, path, depth + 1, true).map(Some)
    }

    fn literal(
        &self,
        literal: &UserInputLiteral,
        settings: &Settings,
        path: &Path<'_>,
    ) -> Result<Option<BoundClause>> {
        if literal.prefix {
            return Err(path.error("a phrase that ends in a prefix is not supported here"));
        }
        if let Some(field) = &literal.field_name {
            return self.words(field, literal, path);
        }
        if settings.fields.is_empty() {
            return Err(path.error(format_args!(
                "no field to search {:?} in: name one, or give \"fields\"",
                literal.phrase
            )));
        }
        let mut found = Vec::new();
        let mut failed = None;
        for (field, boost) in &settings.fields {
            // A word that is no number is no reason not to search it in the text fields.
            match self.words(field, literal, path) {
                Ok(bound) => found.extend(bound.map(|bound| bound.boosted(*boost))),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            Some(error) if found.is_empty() => Err(error),
            _ if found.is_empty() => Ok(None),
            _ => Ok(Some(BoundClause::any(found))),
        }
    }

    /// The words of a literal in one field, in their order, as tantivy's parser has it.
    fn words(
        &self,
        field: &str,
        literal: &UserInputLiteral,
        path: &Path<'_>,
    ) -> Result<Option<BoundClause>> {
        let target = Target::resolve_value(&self.schema, field, path)?;
        let phrase = FieldValue::from(literal.phrase.as_str());
        let bound = self.phrase(&target, &phrase, literal.slop, path)?;
        let wordless = matches!(bound, BoundClause::Empty)
            && self
                .tokens(&target, &phrase, path)?
                .is_some_and(|tokens| tokens.is_empty());
        Ok((!wordless).then_some(bound))
    }

    /// A bound of a range, and whether it is included.
    fn edge(
        &self,
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
    fn word(&self, field: &str, text: &str, path: &Path<'_>) -> Result<FieldValue> {
        let target = Target::resolve_value(&self.schema, field, path)?;
        let value = FieldValue::from(text);
        if !matches!(target.entry.field_type(), FieldType::Str(_)) {
            return Ok(value);
        }
        let Some(tokens) = self.tokens(&target, &value, path)? else {
            return Ok(value);
        };
        let one = match tokens.as_slice() {
            [(_, term)] => term.value().as_str().map(FieldValue::from),
            _ => None,
        };
        one.ok_or_else(|| {
            path.error(format_args!(
                "{text:?} is {} words, expected one",
                tokens.len()
            ))
        })
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
