//! Which optional operators a regular expression has.

use std::fmt;

/// Which optional operators of Lucene's regular expressions are operators (page *Regular
/// expression syntax*, `regexp-syntax`, section *Optional operators*): all of them by default.
///
/// None of them is supported: one that is switched on and used is an error. Switched off, it is a
/// character like any other.
///
/// ```
/// use forewarm::RegexpFlags;
///
/// assert_eq!(RegexpFlags::default(), RegexpFlags::ALL);
/// assert_eq!(RegexpFlags::NONE.to_string(), "NONE");
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RegexpFlags {
    /// `@`, any string.
    pub any_string: bool,
    /// `~`, what does not match.
    pub complement: bool,
    /// `#`, nothing at all.
    pub empty: bool,
    /// `&`, both.
    pub intersection: bool,
    /// `<1-9>`, a number of a range.
    pub interval: bool,
}

impl RegexpFlags {
    /// Every optional operator.
    pub const ALL: Self = Self {
        any_string: true,
        complement: true,
        empty: true,
        intersection: true,
        interval: true,
    };

    /// No optional operator.
    pub const NONE: Self = Self {
        any_string: false,
        complement: false,
        empty: false,
        intersection: false,
        interval: false,
    };

    /// Reads names parted by `|`; the name that is unknown if one is.
    pub(crate) fn read(text: &str) -> Result<Self, &str> {
        if text.is_empty() {
            return Ok(Self::ALL);
        }
        let mut flags = Self::NONE;
        for name in text.split('|') {
            let flag = match name.trim().to_ascii_uppercase().as_str() {
                "ALL" => {
                    flags = Self::ALL;
                    continue;
                }
                "ANYSTRING" => &mut flags.any_string,
                "COMPLEMENT" => &mut flags.complement,
                "EMPTY" => &mut flags.empty,
                "INTERSECTION" => &mut flags.intersection,
                "INTERVAL" => &mut flags.interval,
                "NONE" => continue,
                _ => return Err(name),
            };
            *flag = true;
        }
        Ok(flags)
    }
}

impl Default for RegexpFlags {
    fn default() -> Self {
        Self::ALL
    }
}

/// As Elasticsearch writes them.
impl fmt::Display for RegexpFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::ALL => return f.write_str("ALL"),
            Self::NONE => return f.write_str("NONE"),
            _ => {}
        }
        let names = [
            (self.any_string, "ANYSTRING"),
            (self.complement, "COMPLEMENT"),
            (self.empty, "EMPTY"),
            (self.intersection, "INTERSECTION"),
            (self.interval, "INTERVAL"),
        ];
        let mut separator = "";
        for (_, name) in names.into_iter().filter(|(on, _)| *on) {
            write!(f, "{separator}{name}")?;
            separator = "|";
        }
        Ok(())
    }
}
