//! How many optional clauses must match.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

/// How many optional clauses must match (page *minimum_should_match parameter*,
/// `query-dsl-minimum-should-match`).
///
/// ```
/// use forewarm::{Clause, MinimumShouldMatch};
///
/// let clause = Clause::bool().minimum_should_match(MinimumShouldMatch::Percent(75));
/// assert_eq!(clause.minimum_should_match, Some(MinimumShouldMatch::Percent(75)));
/// let combined: MinimumShouldMatch = "2<75% 9<-3".parse()?;
/// assert_eq!(combined.to_string(), "2<75% 9<-3");
/// # Ok::<(), forewarm::Error>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MinimumShouldMatch {
    /// Depending on how many there are: all of up to as many as the first step says, then what
    /// the last step says whose number is exceeded.
    Combined(Vec<MinimumStep>),
    /// So many; a negative number counts from the top: `-1` is all but one.
    Count(i32),
    /// So many in a hundred, rounded down; negative: so many in a hundred may be missing.
    Percent(i32),
}

/// A step of [`MinimumShouldMatch::Combined`]: `2<75%`.
///
/// ```
/// use forewarm::{MinimumShouldMatch, MinimumStep};
///
/// let step = MinimumStep::Percent { above: 2, percent: 75 };
/// assert_eq!("2<75%".parse::<MinimumShouldMatch>()?, MinimumShouldMatch::Combined(vec![step]));
/// # Ok::<(), forewarm::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MinimumStep {
    /// Of more than `above`, so many, as [`MinimumShouldMatch::Count`].
    Count {
        /// Of more than this.
        above: u32,
        /// So many.
        count: i32,
    },
    /// Of more than `above`, so many in a hundred, as [`MinimumShouldMatch::Percent`].
    Percent {
        /// Of more than this.
        above: u32,
        /// So many in a hundred.
        percent: i32,
    },
}

impl MinimumShouldMatch {
    /// How many of `total` must match, as Elasticsearch's
    /// `Queries.calculateMinShouldMatch` counts.
    pub(crate) fn resolve(&self, total: usize) -> usize {
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        let count = match self {
            Self::Combined(steps) => {
                let exceeded = steps.iter().take_while(|step| total > step.above());
                exceeded.last().map_or(total, |step| step.of(total))
            }
            Self::Count(count) => count_of(total, *count),
            Self::Percent(percent) => percent_of(total, *percent),
        };
        usize::try_from(count).unwrap_or(0)
    }
}

impl MinimumStep {
    fn above(&self) -> i64 {
        match self {
            Self::Count { above, .. } | Self::Percent { above, .. } => (*above).into(),
        }
    }

    fn of(&self, total: i64) -> i64 {
        match self {
            Self::Count { count, .. } => count_of(total, *count),
            Self::Percent { percent, .. } => percent_of(total, *percent),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let (above, minimum) = text.split_once('<')?;
        let above = above.trim().parse().ok()?;
        Some(match read_simple(minimum)? {
            MinimumShouldMatch::Count(count) => Self::Count { above, count },
            MinimumShouldMatch::Percent(percent) => Self::Percent { above, percent },
            MinimumShouldMatch::Combined(_) => return None,
        })
    }
}

fn count_of(total: i64, count: i32) -> i64 {
    if count < 0 {
        total.saturating_add(count.into())
    } else {
        count.into()
    }
}

/// Division rounds towards zero, for negative numbers too: there it means that fewer may be
/// missing.
fn percent_of(total: i64, percent: i32) -> i64 {
    let part = total.saturating_mul(percent.into()) / 100;
    if percent < 0 {
        total.saturating_add(part)
    } else {
        part
    }
}

/// A number or a percentage.
fn read_simple(text: &str) -> Option<MinimumShouldMatch> {
    let text = text.trim();
    match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse().ok().map(MinimumShouldMatch::Percent),
        None => text.parse().ok().map(MinimumShouldMatch::Count),
    }
}

impl FromStr for MinimumShouldMatch {
    type Err = Error;

    /// Reads a number (`2`, `-1`), a percentage (`75%`, `-25%`) or a combination (`2<75% 9<-3`).
    fn from_str(text: &str) -> Result<Self> {
        let read = if text.contains('<') {
            // Spaces part steps, but may also stand around `<`.
            let parts: Vec<&str> = text.split('<').map(str::trim).collect();
            let joined = parts.join("<");
            let steps = joined.split_whitespace().map(MinimumStep::read);
            steps.collect::<Option<_>>().map(Self::Combined)
        } else {
            read_simple(text)
        };
        read.ok_or_else(|| {
            Error::invalid(format!(
                "expected a whole number, a percentage or a combination like \"2<75%\", got \
                 {text:?}"
            ))
        })
    }
}

impl fmt::Display for MinimumShouldMatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Combined(steps) => {
                for (index, step) in steps.iter().enumerate() {
                    let space = if index > 0 { " " } else { "" };
                    match step {
                        MinimumStep::Count { above, count } => {
                            write!(f, "{space}{above}<{count}")?;
                        }
                        MinimumStep::Percent { above, percent } => {
                            write!(f, "{space}{above}<{percent}%")?;
                        }
                    }
                }
                Ok(())
            }
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

impl From<i32> for MinimumShouldMatch {
    fn from(count: i32) -> Self {
        Self::Count(count)
    }
}
