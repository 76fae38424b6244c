use std::fmt;

/// In the place of the hash of a request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Fingerprint(pub(crate) u8);

impl Fingerprint {
    pub(crate) fn part(self) -> u64 {
        self.0.into()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
