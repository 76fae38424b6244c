//! How a GET fails, and whether trying again may help.

use std::time::Duration;

use object_store::path::Path;

use crate::error::{Error, ErrorKind};

/// How one attempt failed.
pub(super) enum Failure {
    /// Trying again may help.
    Retry(Error),
    /// The store refuses suffix ranges.
    NoSuffix,
    Final(Error),
}

impl Failure {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::Retry(error) | Self::Final(error) => error,
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
        _ => Failure::Retry(Error::with_source(ErrorKind::Store, failed(), error)),
    }
}
