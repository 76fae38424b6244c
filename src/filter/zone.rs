//! Time zones: offsets from UTC, and the zones of the IANA database.

use chrono::{DateTime, LocalResult, NaiveDateTime, Offset, TimeZone};
use chrono_tz::Tz;
use tantivy::time::UtcOffset;

use crate::filter::dates::{Nanos, SECOND, offset};

/// How long no zone goes without an offset: where a clock was put forward, the hours left out are
/// read with the offset of the day before.
const DAY_SECONDS: i64 = 24 * 3_600;

/// Where dates without an offset are from, and where days begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Zone {
    /// Always the same offset.
    Fixed(UtcOffset),
    /// A place, whose offset changes with the date.
    Named(Tz),
}

impl Zone {
    pub(crate) const UTC: Self = Self::Fixed(UtcOffset::UTC);

    /// Reads an offset (`+02:00`) or a name (`Europe/Paris`).
    ///
    /// # Errors
    ///
    /// The zone is unknown, in words.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        if text == "Z" {
            return Ok(Self::UTC);
        }
        let fixed = || offset(text).map(Self::Fixed);
        let named = || text.parse().ok().map(Self::Named);
        fixed().or_else(named).ok_or_else(|| {
            let shown: String = text.chars().take(64).collect();
            format!(
                "unknown time zone {shown:?}: write an offset from UTC like \"+02:00\", or a name \
                 like \"Europe/Paris\""
            )
        })
    }

    /// Nanoseconds since 1970 of what a clock in the zone shows, counted as if it were in UTC.
    /// Of an hour that comes twice it is the first; nothing if it is beyond all calendars.
    pub(crate) fn to_utc(self, local: Nanos) -> Option<Nanos> {
        let offset = match self {
            Self::Fixed(offset) => offset.whole_seconds(),
            Self::Named(zone) => {
                let shown = clock(local)?;
                match zone.offset_from_local_datetime(&shown) {
                    LocalResult::Single(offset) | LocalResult::Ambiguous(offset, _) => {
                        offset.fix().local_minus_utc()
                    }
                    LocalResult::None => {
                        let before = clock(local - Nanos::from(DAY_SECONDS) * SECOND)?;
                        seconds(zone, &before)
                    }
                }
            }
        };
        local.checked_sub(Nanos::from(offset) * SECOND)
    }

    /// What a clock in the zone shows at a moment, as [`to_utc`](Self::to_utc) takes it.
    pub(crate) fn to_local(self, utc: Nanos) -> Option<Nanos> {
        let offset = match self {
            Self::Fixed(offset) => offset.whole_seconds(),
            Self::Named(zone) => seconds(zone, &clock(utc)?),
        };
        utc.checked_add(Nanos::from(offset) * SECOND)
    }
}

/// The offset of a zone at a moment in UTC.
fn seconds(zone: Tz, utc: &NaiveDateTime) -> i32 {
    zone.offset_from_utc_datetime(utc).fix().local_minus_utc()
}

/// A count of nanoseconds as a date, to the second: no offset changes within one.
fn clock(nanos: Nanos) -> Option<NaiveDateTime> {
    let seconds = i64::try_from(nanos.div_euclid(SECOND)).ok()?;
    DateTime::from_timestamp(seconds, 0).map(|date| date.naive_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Nanos = 3_600 * SECOND;

    /// 2024-03-31 00:00 on a clock; in Paris 02:00 to 03:00 of that day did not exist.
    const SPRING: Nanos = 1_711_843_200 * SECOND;
    /// 2024-10-27 00:00 on a clock; in Paris 02:00 to 03:00 of that day came twice.
    const AUTUMN: Nanos = 1_729_987_200 * SECOND;

    #[test]
    fn the_offset_of_a_place_is_that_of_the_date() {
        let paris = Zone::parse("Europe/Paris").unwrap();
        assert_eq!(paris.to_utc(SPRING), Some(SPRING - HOUR));
        assert_eq!(paris.to_utc(SPRING + 12 * HOUR), Some(SPRING + 10 * HOUR));
        assert_eq!(paris.to_utc(AUTUMN), Some(AUTUMN - 2 * HOUR));
        assert_eq!(paris.to_utc(AUTUMN + 12 * HOUR), Some(AUTUMN + 11 * HOUR));
        // Half past two: not at all, and twice.
        let half = HOUR / 2;
        assert_eq!(
            paris.to_utc(SPRING + 2 * HOUR + half),
            Some(SPRING + HOUR + half)
        );
        assert_eq!(paris.to_utc(AUTUMN + 2 * HOUR + half), Some(AUTUMN + half));
        assert_eq!(paris.to_local(SPRING), Some(SPRING + HOUR));
        assert_eq!(paris.to_local(AUTUMN), Some(AUTUMN + 2 * HOUR));
    }

    #[test]
    fn an_offset_is_the_same_on_all_dates() {
        let zone = Zone::parse("-05:30").unwrap();
        for local in [SPRING, AUTUMN, 0, -1, Nanos::from(i64::MIN)] {
            let utc = zone.to_utc(local).unwrap();
            assert_eq!(utc, local + 5 * HOUR + HOUR / 2);
            assert_eq!(zone.to_local(utc), Some(local));
        }
    }

    #[test]
    fn names_and_offsets_are_read_and_others_refused() {
        for text in [
            "Z",
            "UTC",
            "GMT",
            "+02:00",
            "-0530",
            "+2",
            "America/Los_Angeles",
        ] {
            Zone::parse(text).unwrap();
        }
        for text in ["", "z", "+99", "02:00", "Mars/Olympus", "europe/paris"] {
            assert!(Zone::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn dates_beyond_all_calendars_are_no_dates() {
        let paris = Zone::parse("Europe/Paris").unwrap();
        assert_eq!(paris.to_utc(Nanos::MAX), None);
        assert_eq!(paris.to_local(Nanos::MIN), None);
        assert_eq!(paris.to_utc(Nanos::from(i64::MAX) * SECOND), None);
    }
}
