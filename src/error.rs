//! The one error of the crate.

use std::fmt;
use std::sync::Arc;

/// What went wrong, and so what the caller should do next.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The bytes asked for do not fit the memory budget: raise the budget, warm fewer splits at
    /// once, let the search read on demand, or aggregate into fewer buckets.
    Budget,
    /// The work was given up because nobody waits for it any more, or because its runtime shut
    /// down: ask again if the answer is still wanted.
    Cancelled,
    /// The split's bytes are not what the format says: write the split again. Retrying does not
    /// help.
    Corrupt,
    /// forewarm or tantivy failed in a way neither foresaw: report it as a bug.
    Internal,
    /// The request, filter, schema or setting is wrong: the message names the clause and field.
    InvalidRequest,
    /// A read missed what was warmed and the policy is [`OnMiss::Fail`](crate::OnMiss::Fail): the
    /// message names the file and range.
    LateRead,
    /// A clause stands for more terms than the settings allow: narrow it, raise the limit, or let
    /// it be read on demand. See [`ExpansionSettings`](crate::ExpansionSettings).
    LimitExceeded,
    /// The object is not there: check the path, or refresh the list of splits.
    NotFound,
    /// The object was replaced since it was opened: open it again.
    SplitChanged,
    /// The object store failed after retries: try again later.
    Store,
    /// A deadline passed: try again, with a longer deadline if the work is large.
    Timeout,
    /// This build or this version cannot do it: the message names the feature or version to
    /// change.
    Unsupported,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Budget => "budget exceeded",
            Self::Cancelled => "cancelled",
            Self::Corrupt => "corrupt split",
            Self::Internal => "internal error",
            Self::InvalidRequest => "invalid request",
            Self::LateRead => "late read",
            Self::LimitExceeded => "limit exceeded",
            Self::NotFound => "not found",
            Self::SplitChanged => "split changed",
            Self::Store => "store failed",
            Self::Timeout => "timed out",
            Self::Unsupported => "unsupported",
        })
    }
}

/// An error of forewarm: a [kind](Self::kind) to act on, a message of this layer, and its cause in
/// [`source`](std::error::Error::source).
///
/// Cloning is cheap: one failed warmup is reported to each of its waiters.
///
/// ```
/// use forewarm::{ErrorKind, SearchRequest};
///
/// let error = SearchRequest::from_json(r#"{"size": "many"}"#).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidRequest);
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// A result whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            source: None,
        }))
    }

    pub(crate) fn with_source(
        kind: ErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            message: message.into(),
            source: Some(source.into()),
        }))
    }

    /// A failure of what the caller has put in the place of something of ours: a store of plans or
    /// of a hot set, a trigger. Its kind is [`ErrorKind::Store`].
    ///
    /// ```
    /// use forewarm::{Error, ErrorKind};
    ///
    /// let refused = std::io::Error::other("connection refused");
    /// let error = Error::external("the database cannot be reached", refused);
    /// assert_eq!(error.kind(), ErrorKind::Store);
    /// assert_eq!(error.chain(), "the database cannot be reached: connection refused");
    /// ```
    pub fn external(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::with_source(ErrorKind::Store, message, source)
    }

    pub(crate) fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Corrupt, message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidRequest, message)
    }

    /// An error of tantivy while it searched `what`. One of ours inside it comes out again.
    pub(crate) fn from_tantivy(what: impl fmt::Display, error: tantivy::TantivyError) -> Self {
        use tantivy::TantivyError as Cause;
        use tantivy::aggregation::AggregationError;

        if let Cause::IoError(io) = &error
            && let Some(ours) = io.get_ref().and_then(|inner| inner.downcast_ref::<Self>())
        {
            return ours.clone();
        }
        let kind = match &error {
            Cause::DataCorruption(_) | Cause::DeserializeError(_) | Cause::IoError(_) => {
                ErrorKind::Corrupt
            }
            Cause::AggregationError(
                AggregationError::BucketLimitExceeded { .. }
                | AggregationError::MemoryExceeded { .. },
            ) => ErrorKind::Budget,
            Cause::AggregationError(_)
            | Cause::FieldNotFound(_)
            | Cause::InvalidArgument(_)
            | Cause::SchemaError(_) => ErrorKind::InvalidRequest,
            Cause::IncompatibleIndex(_) => ErrorKind::Unsupported,
            _ => ErrorKind::Internal,
        };
        Self::with_source(kind, format!("{what} cannot be searched"), error)
    }

    /// What went wrong, in the terms of what to do next.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The whole chain on one line, each cause after a colon: for logs and terminals.
    pub fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            let message = error.to_string();
            // A cause that repeats its own cause is printed once.
            if !text.ends_with(&message) {
                text.push_str(": ");
                text.push_str(&message.replace('\n', " "));
            }
            cause = error.source();
        }
        text
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("message", &self.0.message)
            .field("source", &self.0.source)
            .finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_prints_each_layer_once() {
        let io = std::io::Error::other("connection reset");
        let error = Error::with_source(ErrorKind::Store, "GET of a.split failed", io);
        assert_eq!(error.to_string(), "GET of a.split failed");
        assert_eq!(error.chain(), "GET of a.split failed: connection reset");
    }
}
