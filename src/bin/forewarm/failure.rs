//! How a command fails: what is printed on its one line, and which exit code follows.

use std::error::Error;
use std::fmt;

/// A command's result.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Why a command ends early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something went wrong while the command ran: exit code 1.
    Failed(String),
    /// Nobody reads our output any more (`forewarm inspect … | head`): no message, exit code 0.
    OutputClosed,
    /// The command line itself cannot be right, whatever the data says: exit code 2.
    Usage(String),
}

impl Failure {
    /// A failure of the run.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    /// A failure of the run with its cause.
    pub(crate) fn caused(message: impl fmt::Display, cause: &dyn Error) -> Self {
        Self::Failed(format!("{message}: {}", chain(cause)))
    }

    /// A mistake on the command line.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// The same failure, saying what was being done.
    pub(crate) fn during(self, what: &str) -> Self {
        match self {
            Self::Failed(message) => Self::Failed(format!("{what}: {message}")),
            other => other,
        }
    }

    /// The process's exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Failed(_) => 1,
            Self::OutputClosed => 0,
            Self::Usage(_) => 2,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(message) | Self::Usage(message) => f.write_str(&one_line(message)),
            Self::OutputClosed => f.write_str("output closed"),
        }
    }
}

impl From<forewarm::Error> for Failure {
    fn from(error: forewarm::Error) -> Self {
        Self::Failed(error.chain())
    }
}

impl From<object_store::Error> for Failure {
    fn from(error: object_store::Error) -> Self {
        Self::Failed(chain(&error))
    }
}

impl From<tantivy::TantivyError> for Failure {
    fn from(error: tantivy::TantivyError) -> Self {
        Self::Failed(chain(&error))
    }
}

impl From<tokio::task::JoinError> for Failure {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::caused("a worker of this program stopped", &error)
    }
}

/// An error and its causes on one line. A cause that the layer above it already printed (many
/// libraries repeat their source) is left out.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let message = error.to_string();
        if !text.contains(&message) {
            text.push_str(": ");
            text.push_str(&message);
        }
        cause = error.source();
    }
    one_line(&text)
}

/// Line breaks and runs of blanks become one blank.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_one_line_whatever_its_cause_says() {
        let cause = std::io::Error::other("connection\n  reset");
        let failure = Failure::caused("cannot read docs.ndjson", &cause);
        assert_eq!(
            failure.to_string(),
            "cannot read docs.ndjson: connection reset"
        );
        assert_eq!(failure.code(), 1);
        assert_eq!(Failure::usage("no such option").code(), 2);
    }
}
