//! How much a word may differ.

use std::fmt;

/// How many edits a word may be away from the one that is searched: characters put in, left out or
/// changed (page *Common options*, `common-options`, section *Fuzziness*).
///
/// ```
/// use forewarm::Fuzziness;
///
/// assert_eq!(Fuzziness::AUTO, Fuzziness::Auto { low: 3, high: 6 });
/// assert_eq!(Fuzziness::AUTO.to_string(), "AUTO");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fuzziness {
    /// None for words shorter than `low` characters, one for those shorter than `high`, else two.
    Auto {
        /// From this length on, one edit.
        low: u32,
        /// From this length on, two edits.
        high: u32,
    },
    /// So many: 0, 1 or 2.
    Edits(u8),
}

impl Fuzziness {
    /// `AUTO`: none for one or two characters, one for three to five, else two.
    pub const AUTO: Self = Self::Auto { low: 3, high: 6 };

    /// How many edits a word of so many characters may be away.
    pub(crate) fn edits(self, characters: usize) -> u8 {
        let shorter = |than: u32| u32::try_from(characters).is_ok_and(|length| length < than);
        match self {
            Self::Auto { low, .. } if shorter(low) => 0,
            Self::Auto { high, .. } if shorter(high) => 1,
            Self::Auto { .. } => 2,
            Self::Edits(edits) => edits,
        }
    }

    /// Whether it is one that Elasticsearch knows: at most two edits, `low` not above `high`.
    pub(crate) fn is_valid(self) -> bool {
        match self {
            Self::Auto { low, high } => low <= high,
            Self::Edits(edits) => edits <= 2,
        }
    }

    /// Reads `0`, `1`, `2`, `AUTO` or `AUTO:low,high`.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let read = match text.get(..4) {
            Some(auto) if auto.eq_ignore_ascii_case("auto") => match text.get(4..)? {
                "" => Self::AUTO,
                bounds => {
                    let (low, high) = bounds.strip_prefix(':')?.split_once(',')?;
                    Self::Auto {
                        low: low.trim().parse().ok()?,
                        high: high.trim().parse().ok()?,
                    }
                }
            },
            _ => Self::Edits(text.trim().parse().ok()?),
        };
        Some(read).filter(|read| read.is_valid())
    }
}

impl fmt::Display for Fuzziness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::AUTO => f.write_str("AUTO"),
            Self::Auto { low, high } => write!(f, "AUTO:{low},{high}"),
            Self::Edits(edits) => write!(f, "{edits}"),
        }
    }
}

/// How the words of a text may differ: `fuzziness` and what goes with it, in clauses whose text
/// goes through a tokenizer.
///
/// Every term within the distance matches, not only the closest 50 as in Elasticsearch.
///
/// ```
/// use forewarm::{Clause, Fuzziness, FuzzyWords};
///
/// let fuzzy = FuzzyWords::new(Fuzziness::Edits(1)).prefix_length(2);
/// let clause = Clause::match_text("title", "qiuck").fuzzy(fuzzy);
/// assert_eq!(clause.fuzzy, Some(fuzzy));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct FuzzyWords {
    /// How many edits.
    pub fuzziness: Fuzziness,
    /// So many characters at the beginning must be the same, 0 by default.
    pub prefix_length: u32,
    /// Whether two neighbours that changed places are one edit, as is the default, or two.
    pub transpositions: bool,
}

impl FuzzyWords {
    /// So many edits, anywhere in a word.
    pub fn new(fuzziness: Fuzziness) -> Self {
        Self {
            fuzziness,
            prefix_length: 0,
            transpositions: true,
        }
    }

    /// Sets how many characters at the beginning must be the same.
    #[must_use]
    pub fn prefix_length(mut self, characters: u32) -> Self {
        self.prefix_length = characters;
        self
    }

    /// Sets whether two neighbours that changed places are one edit.
    #[must_use]
    pub fn transpositions(mut self, transpositions: bool) -> Self {
        self.transpositions = transpositions;
        self
    }
}
