//! `simple_query_string`: few operators, and no wrong texts.

use super::leaf::Leaf;
use super::simple_parser::{Node, parse};
use super::{MAX_LENGTH, Settings};
use crate::error::Result;
use crate::filter::bind::{Binder, minimum};
use crate::filter::bound::{BoundBool, BoundClause};
use crate::filter::clause::{
    Fuzziness, FuzzyWords, MinimumShouldMatch, Operator, SimpleQueryStringClause,
};
use crate::filter::parse::check_size;
use crate::filter::path::Path;
use crate::filter::value::FieldValue;

impl Binder<'_> {
    pub(crate) fn simple_query_string(
        &mut self,
        clause: &SimpleQueryStringClause,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<BoundClause> {
        let settings = Settings {
            fields: self.searched_fields(&clause.fields, &path.key("fields"))?,
            operator: clause.default_operator,
            lenient: clause.lenient,
        };
        let text = &clause.query;
        let query_path = &path.key("query");
        if text.len() > MAX_LENGTH {
            let message = format_args!("{} bytes, more than {MAX_LENGTH}", text.len());
            return Err(query_path.error(message));
        }
        let tree = parse(text, &clause.flags, clause.default_operator)
            .map_err(|message| query_path.error(message))?;
        let Some(tree) = tree else {
            return Ok(BoundClause::Empty);
        };
        if settings.fields.is_empty() {
            return Err(path.error("no field to search in: give \"fields\""));
        }
        let simple = Simple {
            settings,
            fuzzy: FuzzyWords::new(Fuzziness::Edits(0))
                .prefix_length(clause.fuzzy_prefix_length)
                .transpositions(clause.fuzzy_transpositions),
        };
        let asked = clause.minimum_should_match.as_ref();
        let bound = self.node(&tree, &simple, asked, query_path, depth)?;
        Ok(bound.unwrap_or(BoundClause::Empty))
    }

    /// `None` is a part without words, which neither requires nor excludes anything. `asked` is
    /// how many optional parts must match.
    fn node(
        &mut self,
        node: &Node,
        simple: &Simple,
        asked: Option<&MinimumShouldMatch>,
        path: &Path<'_>,
        depth: usize,
    ) -> Result<Option<BoundClause>> {
        check_size(depth, &mut self.clauses, path)?;
        let leaf = match node {
            Node::All => return Ok(Some(BoundClause::All)),
            Node::Group { operator, parts } => {
                let mut bound = Vec::new();
                for part in parts {
                    bound.extend(self.node(part, simple, None, path, depth + 1)?);
                }
                return Ok(combined(bound, *operator, asked));
            }
            Node::Not(part) => {
                let part = self.node(part, simple, None, path, depth + 1)?;
                let not = |part| BoundBool {
                    should: vec![BoundClause::All],
                    must_not: vec![part],
                    minimum_should_match: minimum(asked, 1, false),
                    ..BoundBool::default()
                };
                return Ok(part.map(|part| not(part).simplified(true)));
            }
            Node::Fuzzy { word, edits } => Leaf::Fuzzy {
                word,
                fuzzy: FuzzyWords {
                    fuzziness: Fuzziness::Edits(*edits),
                    ..simple.fuzzy
                },
            },
            Node::Phrase { text, slop } => Leaf::Phrase {
                text: FieldValue::from(text.as_str()),
                slop: *slop,
            },
            Node::Prefix { word } => Leaf::Prefix { word },
            Node::Words { text } => Leaf::Words {
                text: FieldValue::from(text.as_str()),
                operator: simple.settings.operator,
            },
        };
        let Settings {
            fields, lenient, ..
        } = &simple.settings;
        self.leaf_in_fields(fields, &leaf, *lenient, path)
    }
}

/// How a text is bound.
struct Simple {
    settings: Settings,
    /// For words that may differ; the fuzziness is theirs.
    fuzzy: FuzzyWords,
}

/// Parts that are all needed, or enough of them. A single part is simply that part.
fn combined(
    mut parts: Vec<BoundClause>,
    operator: Operator,
    asked: Option<&MinimumShouldMatch>,
) -> Option<BoundClause> {
    if parts.len() < 2 {
        return parts.pop();
    }
    let bound = match operator {
        Operator::And => BoundBool {
            minimum_should_match: minimum(asked, 0, true),
            must: parts,
            ..BoundBool::default()
        },
        Operator::Or => BoundBool {
            minimum_should_match: minimum(asked, parts.len(), false),
            should: parts,
            ..BoundBool::default()
        },
    };
    Some(bound.simplified(true))
}
