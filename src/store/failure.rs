//! How a GET fails, and whether trying again may help.

use std::time::Duration;

use object_store::path::Path;

use crate::error::{Error, ErrorKind};

/// How one attempt failed.
pub(super) enum Failure {
    /// Trying again may help.
    Retry(Error),
    /// The store is asked too much; perhaps it says how long to wait.
    Throttled(Error, Option<Duration>),
    /// The store refuses suffix ranges.
    NoSuffix,
    Final(Error),
}

impl Failure {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Retry(error) | Self::Throttled(error, _) | Self::Final(error) => error,
            Self::NoSuffix => Error::new(
                ErrorKind::Unsupported,
                "the store refuses this kind of range",
            ),
        }
    }
}

pub(super) fn changed(path: &Path) -> Error {
    Error::new(
        ErrorKind::SplitChanged,
        format!("{path} was replaced since it was opened: open it again"),
    )
}

pub(super) fn stalled(path: &Path, timeout: Duration) -> Error {
    Error::new(
        ErrorKind::Store,
        format!("GET of {path} went silent for {timeout:?}"),
    )
}

pub(super) fn classify(path: &Path, error: object_store::Error) -> Failure {
    use object_store::Error as Cause;
    let failed = || format!("GET of {path} failed");
    match error {
        Cause::Precondition { .. } => Failure::Final(changed(path)),
        Cause::NotFound { .. } => Failure::Final(Error::with_source(
            ErrorKind::NotFound,
            format!("{path} is not in the store"),
            error,
        )),
        Cause::NotSupported { .. } | Cause::NotImplemented { .. } => Failure::NoSuffix,
        Cause::InvalidPath { .. } => Failure::Final(Error::with_source(
            ErrorKind::InvalidRequest,
            failed(),
            error,
        )),
        Cause::PermissionDenied { .. }
        | Cause::Unauthenticated { .. }
        | Cause::UnknownConfigurationKey { .. } => {
            Failure::Final(Error::with_source(ErrorKind::Store, failed(), error))
        }
        error => {
            let refusal = refusal(&error.to_string());
            let error = Error::with_source(ErrorKind::Store, failed(), error);
            match refusal {
                Some(retry_after) => Failure::Throttled(error, retry_after),
                None => Failure::Retry(error),
            }
        }
    }
}

/// Whether an error of `object_store` says that the store is asked too much, and how long to wait if
/// it tells. Its clients hide status and headers in text: the status as they print it, and the codes
/// of S3, GCS and Azure. `Retry-After` is there only from stores of the caller: the clients drop it.
fn refusal(text: &str) -> Option<Option<Duration>> {
    const SIGNS: [&str; 7] = [
        "status code: 429",
        "status code: 503",
        "slowdown",
        "toomanyrequests",
        "too many requests",
        "serverbusy",
        "ratelimitexceeded",
    ];
    let text = text.to_ascii_lowercase();
    if !SIGNS.iter().any(|sign| text.contains(sign)) {
        return None;
    }
    let after = text.split_once("retry-after").map(|(_, after)| after);
    let after = after.map(|after| after.trim_start_matches([':', '=', ' ', '"']));
    let digits = after.and_then(|after| after.split(|c: char| !c.is_ascii_digit()).next());
    Some(
        digits
            .and_then(|digits| digits.parse().ok())
            .map(Duration::from_secs),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_from_other_failures() {
        let seconds = |n| Some(Some(Duration::from_secs(n)));
        for (text, told) in [
            (
                "Generic S3 error: Error performing GET http://b/k in 10ms - Server returned non-2xx \
              status code: 503 Service Unavailable: <Code>SlowDown</Code>",
                Some(None),
            ),
            (
                "Server returned non-2xx status code: 429 Too Many Requests: ",
                Some(None),
            ),
            (
                "Server returned non-2xx status code: 500 Internal Server Error: ",
                None,
            ),
            ("503 SlowDown: please reduce your request rate", Some(None)),
            ("<Code>ServerBusy</Code>", Some(None)),
            ("connection reset", None),
            ("too many requests, Retry-After: 7", seconds(7)),
            ("too many requests, retry-after=\"12\"", seconds(12)),
            ("too many requests, Retry-After: soon", Some(None)),
            (
                "too many requests, Retry-After: 99999999999999999999999",
                Some(None),
            ),
            ("Retry-After: 7", None),
        ] {
            assert_eq!(refusal(text), told, "{text}");
        }
    }
}
