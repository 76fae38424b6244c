use std::fmt;
use std::time::Duration;

use crate::error::Error;

/// How joining a warmup ended. The search goes on in each case: what was not warmed is read on
/// demand.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// The warmup failed; the error says why.
    Failed(Error),
    /// No such warmup was started, or it has been forgotten.
    Missing,
    /// The warmup had finished before it was joined.
    Ready,
    /// The deadline passed first. The warmup goes on.
    TimedOut,
    /// The warmup finished while it was waited for, for so long.
    Waited(Duration),
}

impl Outcome {
    /// Whether a search after this join makes no late reads.
    pub fn is_warm(&self) -> bool {
        matches!(self, Self::Ready | Self::Waited(_))
    }

    /// The name in spans, metrics and JSON.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Failed(_) => "failed",
            Self::Missing => "missing",
            Self::Ready => "ready",
            Self::TimedOut => "timed_out",
            Self::Waited(_) => "waited",
        }
    }

    /// The worse of two outcomes: what a search over several splits reports.
    pub(crate) fn worse(self, other: Self) -> Self {
        let rank = |outcome: &Self| match outcome {
            Self::Ready => 0,
            Self::Waited(_) => 1,
            Self::Missing => 2,
            Self::TimedOut => 3,
            Self::Failed(_) => 4,
        };
        match (&self, &other) {
            (Self::Waited(a), Self::Waited(b)) => Self::Waited(*a.max(b)),
            _ if rank(&other) > rank(&self) => other,
            _ => self,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => write!(f, "failed: {}", error.chain()),
            Self::Missing => f.write_str("missing"),
            Self::Ready => f.write_str("ready"),
            Self::TimedOut => f.write_str("timed out"),
            Self::Waited(time) => write!(f, "waited {time:.1?}"),
        }
    }
}
