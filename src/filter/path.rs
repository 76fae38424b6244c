//! Where in a request something stands, for error messages: `query.bool.must[1].range.price`.

use std::fmt;

use crate::error::Error;

/// How long the place and the message of an error may each be, in bytes.
const MAX_MESSAGE: usize = 2_000;

/// A step of a path; the steps before it stay borrowed on the stack of whoever walks the request.
#[derive(Clone, Copy)]
pub(crate) struct Path<'a> {
    parent: Option<&'a Path<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Index(usize),
    Key(&'a str),
}

impl<'a> Path<'a> {
    /// A path of one step.
    pub(crate) fn root(name: &'a str) -> Self {
        Self {
            parent: None,
            step: Step::Key(name),
        }
    }

    /// The entry `index` of the array that stands here.
    pub(crate) fn index(&'a self, index: usize) -> Path<'a> {
        Path {
            parent: Some(self),
            step: Step::Index(index),
        }
    }

    /// The value under `key` in the object that stands here.
    pub(crate) fn key(&'a self, key: &'a str) -> Path<'a> {
        Path {
            parent: Some(self),
            step: Step::Key(key),
        }
    }

    /// The error that something here is wrong. What the request makes long is cut in the middle.
    pub(crate) fn error(&self, message: impl fmt::Display) -> Error {
        let (place, message) = (clipped(self.to_string()), clipped(message.to_string()));
        Error::invalid(format!("{place}: {message}"))
    }
}

/// A text without its middle, if it is too long: it begins with what is wrong, and may end with
/// what to do.
fn clipped(text: String) -> String {
    if text.len() <= MAX_MESSAGE {
        return text;
    }
    let half = MAX_MESSAGE / 2;
    let head = text.floor_char_boundary(half);
    let tail = text.ceil_char_boundary(text.len() - half);
    format!("{} … {}", &text[..head], &text[tail..])
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            write!(f, "{parent}")?;
        }
        match self.step {
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) if self.parent.is_some() => write!(f, ".{key}"),
            Step::Key(key) => f.write_str(key),
        }
    }
}
