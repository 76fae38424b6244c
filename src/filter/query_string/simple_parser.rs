//! The grammar of `simple_query_string`, after Lucene's `SimpleQueryParser`.
//!
//! Every text means something: an operator that has nothing to work on is dropped. Operators bind
//! from the left, one level for each change of operator. One pass finds which parentheses belong
//! together, so that a text of open ones takes no longer than another.

use std::collections::BTreeSet;

use crate::filter::clause::{Operator, SimpleQueryFlag};
use crate::filter::parse::MAX_DEPTH;

/// What a text says.
#[derive(Debug, PartialEq)]
pub(super) enum Node {
    /// Every document.
    All,
    /// A word that may be so many edits away.
    Fuzzy { word: String, edits: u8 },
    /// All or any of several parts.
    Group {
        operator: Operator,
        parts: Vec<Node>,
    },
    /// Everything else.
    Not(Box<Node>),
    /// Words in their order.
    Phrase { text: String, slop: u32 },
    /// Terms that begin so.
    Prefix { word: String },
    /// A word, of which the tokenizer may make several.
    Words { text: String },
}

/// A node, and how many levels it has.
type Tree = (Node, usize);

/// Reads a text; `None` says nothing.
///
/// # Errors
///
/// It nests too deep.
pub(super) fn parse(
    text: &str,
    flags: &BTreeSet<SimpleQueryFlag>,
    default: Operator,
) -> Result<Option<Node>, String> {
    if text.trim() == "*" {
        return Ok(Some(Node::All));
    }
    let characters: Vec<char> = text.chars().collect();
    let closing = closing(&characters, flags);
    let parser = Parser {
        characters: &characters,
        closing: &closing,
        flags,
        default,
    };
    let tree = parser.part(0, characters.len(), 0)?;
    Ok(tree.map(|(node, _)| node))
}

struct Parser<'t> {
    characters: &'t [char],
    /// For each opening parenthesis where it is closed; 0 elsewhere.
    closing: &'t [usize],
    flags: &'t BTreeSet<SimpleQueryFlag>,
    default: Operator,
}

/// A part of the text that is being read.
struct Part {
    at: usize,
    end: usize,
    depth: usize,
    top: Option<Tree>,
    /// The operator read before the next operand.
    current: Option<Operator>,
    previous: Option<Operator>,
    /// How many `-` stand before the next operand.
    negations: usize,
}

impl Parser<'_> {
    fn has(&self, flag: SimpleQueryFlag) -> bool {
        self.flags.contains(&flag)
    }

    /// The text from `at` to `end`, which is in `depth` parentheses.
    fn part(&self, at: usize, end: usize, depth: usize) -> Result<Option<Tree>, String> {
        if depth > MAX_DEPTH {
            return Err(format!("parentheses nest deeper than {MAX_DEPTH}"));
        }
        let mut part = Part {
            at,
            end,
            depth,
            top: None,
            current: None,
            previous: None,
            negations: 0,
        };
        while part.at < part.end {
            match self.characters[part.at] {
                '(' if self.has(SimpleQueryFlag::Precedence) => self.group(&mut part)?,
                ')' if self.has(SimpleQueryFlag::Precedence) => part.at += 1,
                '"' if self.has(SimpleQueryFlag::Phrase) => self.phrase(&mut part)?,
                '+' if self.has(SimpleQueryFlag::And) => part.operator(Operator::And),
                '|' if self.has(SimpleQueryFlag::Or) => part.operator(Operator::Or),
                '-' if self.has(SimpleQueryFlag::Not) => {
                    part.negations += 1;
                    part.at += 1;
                    continue;
                }
                ' ' | '\t' | '\n' | '\r' if self.has(SimpleQueryFlag::Whitespace) => part.at += 1,
                _ => self.word(&mut part)?,
            }
            // It negates only what follows at once.
            part.negations = 0;
        }
        Ok(part.top)
    }

    fn group(&self, part: &mut Part) -> Result<(), String> {
        let start = part.at + 1;
        match self.closing[part.at] {
            // Never closed: it means nothing.
            0 => part.at = start,
            end if end == start => {
                part.current = None;
                part.at = end + 1;
            }
            end => {
                let inner = self.part(start, end, part.depth + 1)?;
                part.at = end + 1;
                part.add(inner, self.default)?;
            }
        }
        Ok(())
    }

    fn phrase(&self, part: &mut Part) -> Result<(), String> {
        let start = part.at + 1;
        let mut text = String::new();
        let mut at = start;
        while at < part.end {
            match self.characters[at] {
                '\\' if self.has(SimpleQueryFlag::Escape) => {
                    at += 1;
                    text.extend(self.characters[..part.end].get(at));
                }
                '"' => break,
                other => text.push(other),
            }
            at += 1;
        }
        if at >= part.end {
            // Never closed: it means nothing.
            part.at = start;
            return Ok(());
        }
        part.at = at + 1;
        if at == start {
            part.current = None;
            return Ok(());
        }
        let near = part.at + 1 < part.end
            && self.characters[part.at] == '~'
            && self.has(SimpleQueryFlag::Near);
        let slop = if near { self.distance(part) } else { 0 };
        part.add(Some((Node::Phrase { text, slop }, 1)), self.default)
    }

    fn word(&self, part: &mut Part) -> Result<(), String> {
        let mut word = String::new();
        let mut prefix = false;
        while part.at < part.end {
            let character = self.characters[part.at];
            if character == '\\' && self.has(SimpleQueryFlag::Escape) {
                prefix = false;
                part.at += 1;
                word.extend(self.characters[..part.end].get(part.at));
                part.at += 1;
                continue;
            }
            if self.ends_word(character) {
                break;
            }
            if character == '~' && !word.is_empty() && self.has(SimpleQueryFlag::Fuzzy) {
                // More edits than there are automata for are as many as there are.
                let edits = self.distance(part).min(2) as u8;
                let node = match edits {
                    0 => Node::Words { text: word },
                    edits => Node::Fuzzy { word, edits },
                };
                return part.add(Some((node, 1)), self.default);
            }
            prefix = character == '*' && !word.is_empty() && self.has(SimpleQueryFlag::Prefix);
            word.push(character);
            part.at += 1;
        }
        part.at = part.at.min(part.end);
        if word.is_empty() {
            return Ok(());
        }
        let node = if prefix {
            word.pop();
            Node::Prefix { word }
        } else {
            Node::Words { text: word }
        };
        part.add(Some((node, 1)), self.default)
    }

    /// What stands behind a `~`: 2 if nothing, 0 if no number.
    fn distance(&self, part: &mut Part) -> u32 {
        let mut digits = String::new();
        part.at += 1;
        while part.at < part.end && !self.ends_word(self.characters[part.at]) {
            digits.push(self.characters[part.at]);
            part.at += 1;
        }
        if digits.is_empty() {
            return 2;
        }
        digits.parse().unwrap_or(0)
    }

    fn ends_word(&self, character: char) -> bool {
        match character {
            '"' => self.has(SimpleQueryFlag::Phrase),
            '|' => self.has(SimpleQueryFlag::Or),
            '+' => self.has(SimpleQueryFlag::And),
            '(' | ')' => self.has(SimpleQueryFlag::Precedence),
            ' ' | '\t' | '\n' | '\r' => self.has(SimpleQueryFlag::Whitespace),
            _ => false,
        }
    }
}

impl Part {
    /// An operator means something only between two operands; of several the first does.
    fn operator(&mut self, operator: Operator) {
        if self.top.is_some() && self.current.is_none() {
            self.current = Some(operator);
        }
        self.at += 1;
    }

    /// Adds an operand.
    fn add(&mut self, operand: Option<Tree>, default: Operator) -> Result<(), String> {
        let current = self.current.take().unwrap_or(default);
        let Some((node, depth)) = operand else {
            return Ok(());
        };
        let (node, depth) = if self.negations % 2 == 1 {
            (Node::Not(Box::new(node)), depth + 1)
        } else {
            (node, depth)
        };
        let top = match self.top.take() {
            None => (node, depth),
            Some((
                Node::Group {
                    operator,
                    mut parts,
                },
                deepest,
            )) if self.previous == Some(current) && operator == current => {
                parts.push(node);
                let group = Node::Group { operator, parts };
                self.previous = Some(current);
                (group, deepest.max(depth + 1))
            }
            Some((before, deepest)) => {
                self.previous = Some(current);
                let parts = vec![before, node];
                let group = Node::Group {
                    operator: current,
                    parts,
                };
                (group, deepest.max(depth) + 1)
            }
        };
        if top.1 > MAX_DEPTH {
            return Err(format!(
                "operators change more than {MAX_DEPTH} times: use parentheses"
            ));
        }
        self.top = Some(top);
        Ok(())
    }
}

/// For each opening parenthesis where it is closed; 0 elsewhere.
fn closing(characters: &[char], flags: &BTreeSet<SimpleQueryFlag>) -> Vec<usize> {
    let mut closing = vec![0; characters.len()];
    let mut open = Vec::new();
    let mut escaped = false;
    for (at, character) in characters.iter().enumerate() {
        if escaped {
            escaped = false;
            continue;
        }
        match character {
            '\\' => escaped = flags.contains(&SimpleQueryFlag::Escape),
            '(' => open.push(at),
            ')' => {
                if let Some(opened) = open.pop() {
                    closing[opened] = at;
                }
            }
            _ => {}
        }
    }
    closing
}
