//! Words with wildcards and edit distances, as `query_string` writes them.

use crate::filter::clause::{Fuzziness, FuzzyWords};

/// What a word without quotes stands for.
#[derive(Debug, PartialEq)]
pub(super) enum Word {
    /// A word that may differ: `fox~1`.
    Fuzzy { word: String, fuzzy: FuzzyWords },
    /// The word itself.
    Plain(String),
    /// Terms that begin so: `fo*`.
    Prefix(String),
    /// Terms of a shape: `f?x`, `*ox`. The parts between the wildcards are as they were written,
    /// without their escapes.
    Wildcard(Vec<Part>),
}

/// A part of a word with wildcards.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Part {
    /// `*`
    Any,
    /// `?`
    One,
    Text(String),
}

impl Word {
    /// Reads a word; `\` takes its meaning from what follows. What stands behind `~` must be
    /// nothing, which is the fuzziness `AUTO`, or digits.
    pub(super) fn read(text: &str) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        let mut tilde = None;
        let mut characters = text.char_indices();
        while let Some((at, character)) = characters.next() {
            let literal = match character {
                '*' if parts.last() == Some(&Part::Any) => continue,
                '*' => {
                    parts.push(Part::Any);
                    continue;
                }
                '?' => {
                    parts.push(Part::One);
                    continue;
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('*' | '?' | '~'))) => escaped,
                    Some((_, other)) => {
                        push(&mut parts, '\\');
                        other
                    }
                    None => '\\',
                },
                '~' => {
                    tilde = Some(at);
                    '~'
                }
                other => other,
            };
            push(&mut parts, literal);
        }
        match parts.as_mut_slice() {
            [Part::Text(word)] => {
                let word = std::mem::take(word);
                match tilde.and_then(|at| distance(&text[at + 1..])) {
                    Some((fuzziness, length)) if word.len() > length + 1 => Self::Fuzzy {
                        word: word[..word.len() - length - 1].to_owned(),
                        fuzzy: FuzzyWords::new(fuzziness),
                    },
                    _ => Self::Plain(word),
                }
            }
            [Part::Text(word), Part::Any] => Self::Prefix(std::mem::take(word)),
            [] => Self::Plain(String::new()),
            _ => Self::Wildcard(parts),
        }
    }
}

fn push(parts: &mut Vec<Part>, character: char) {
    match parts.last_mut() {
        Some(Part::Text(text)) => text.push(character),
        _ => parts.push(Part::Text(character.into())),
    }
}

/// The distance written behind `~`, and how long it is written.
fn distance(text: &str) -> Option<(Fuzziness, usize)> {
    if text.is_empty() {
        return Some((Fuzziness::AUTO, 0));
    }
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let edits = text.parse().unwrap_or(u8::MAX);
    digits.then_some((Fuzziness::Edits(edits), text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.to_owned())
    }

    #[test]
    fn a_word_is_read_as_what_it_stands_for() {
        let fuzzy = |word: &str, fuzziness| Word::Fuzzy {
            word: word.to_owned(),
            fuzzy: FuzzyWords::new(fuzziness),
        };
        let plain = |word: &str| Word::Plain(word.to_owned());
        for (written, expected) in [
            ("fox", plain("fox")),
            ("", plain("")),
            (r"fo\*", plain("fo*")),
            (r"fo\x\", plain(r"fo\x\")),
            ("fox~", fuzzy("fox", Fuzziness::AUTO)),
            ("fox~1", fuzzy("fox", Fuzziness::Edits(1))),
            ("fox~12345", fuzzy("fox", Fuzziness::Edits(u8::MAX))),
            ("fo~x~2", fuzzy("fo~x", Fuzziness::Edits(2))),
            (r"fox\~1", plain("fox~1")),
            ("~1", plain("~1")),
            ("fox~0.5", plain("fox~0.5")),
            ("füx~1", fuzzy("füx", Fuzziness::Edits(1))),
            ("fo*", Word::Prefix("fo".to_owned())),
            ("fo**", Word::Prefix("fo".to_owned())),
            (r"f\?o*", Word::Prefix("f?o".to_owned())),
            ("f?x", Word::Wildcard(vec![text("f"), Part::One, text("x")])),
            ("*ox", Word::Wildcard(vec![Part::Any, text("ox")])),
            ("**", Word::Wildcard(vec![Part::Any])),
            (
                "f*x~1",
                Word::Wildcard(vec![text("f"), Part::Any, text("x~1")]),
            ),
        ] {
            assert_eq!(Word::read(written), expected, "{written}");
        }
    }
}
