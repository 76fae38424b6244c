//! Dates as Elasticsearch writes them: shortened, with an offset, or as a count since 1970.
//!
//! A date that leaves components out is a span (`2024-01` is a month); which end counts is for
//! the clause to say.

use std::ops::RangeInclusive;

use tantivy::time::{Date, Duration, Month, Time, UtcOffset};

use crate::filter::zone::Zone;

/// Nanoseconds since 1970 in UTC. Wide enough for every year of four digits.
pub(crate) type Nanos = i128;

pub(crate) const SECOND: Nanos = 1_000_000_000;
const MILLISECOND: Nanos = 1_000_000;

/// The formats by name, as error messages list them.
const FORMATS: &str = "date, date_optional_time, epoch_millis, epoch_second, strict_date, \
                       strict_date_optional_time, yyyy-MM-dd";

/// How dates may be written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct DateFormats(Vec<DateFormat>);

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum DateFormat {
    Day,
    Millis,
    OptionalTime,
    Second,
}

impl DateFormats {
    /// What Elasticsearch takes where nobody named a format:
    /// `strict_date_optional_time||epoch_millis`.
    pub(crate) fn usual() -> Self {
        Self(vec![DateFormat::OptionalTime, DateFormat::Millis])
    }

    /// Reads formats parted by `||`.
    pub(crate) fn parse(formats: &str) -> Result<Self, String> {
        let parse = |name: &str| match name.trim() {
            "date" | "strict_date" | "yyyy-MM-dd" => Ok(DateFormat::Day),
            "date_optional_time" | "strict_date_optional_time" => Ok(DateFormat::OptionalTime),
            "epoch_millis" => Ok(DateFormat::Millis),
            "epoch_second" => Ok(DateFormat::Second),
            name => Err(format!("unknown date format {name:?} (known: {FORMATS})")),
        };
        formats
            .split("||")
            .map(parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The span that a text means, in the first format that can read it.
    /// A date without an offset is one of `zone`.
    pub(crate) fn span(&self, text: &str, zone: Zone) -> Option<RangeInclusive<Nanos>> {
        self.0.iter().find_map(|format| match format {
            DateFormat::Day => day_only(text, zone),
            DateFormat::Millis => count(text, MILLISECOND),
            DateFormat::OptionalTime => optional_time_in(text, zone),
            DateFormat::Second => count(text, SECOND),
        })
    }

    /// The span that a number means: seconds if only those are named, else milliseconds.
    pub(crate) fn span_of_number(&self, number: i64) -> RangeInclusive<Nanos> {
        let seconds = self.0.contains(&DateFormat::Second) && !self.0.contains(&DateFormat::Millis);
        unit(
            Nanos::from(number),
            if seconds { SECOND } else { MILLISECOND },
        )
    }
}

/// A date and maybe a time: `yyyy[-MM[-dd[THH[:mm[:ss[.S…]]]][offset]]]`, UTC without an offset.
pub(crate) fn optional_time(text: &str) -> Option<RangeInclusive<Nanos>> {
    optional_time_in(text, Zone::UTC)
}

/// As [`optional_time`], in another zone without an offset.
fn optional_time_in(text: &str, zone: Zone) -> Option<RangeInclusive<Nanos>> {
    if !text.is_ascii() {
        return None;
    }
    match text.split_once(['T', 't']) {
        None => date(text, zone),
        Some((day, time)) => {
            let (hours, zone) = split_offset(time, zone)?;
            let date = full_date(day)?;
            if hours.is_empty() {
                return shifted(date, Duration::DAY, zone);
            }
            let (time, length) = time_of_day(hours)?;
            let start = Duration::seconds(i64::from(time.hour()) * 3600)
                + Duration::minutes(time.minute().into())
                + Duration::seconds(time.second().into())
                + Duration::nanoseconds(time.nanosecond().into());
            let first = zone.to_utc(local(date) + start.whole_nanoseconds())?;
            Some(first..=first + length - 1)
        }
    }
}

fn day_only(text: &str, zone: Zone) -> Option<RangeInclusive<Nanos>> {
    shifted(full_date(text)?, Duration::DAY, zone)
}

/// A year, a month or a day.
fn date(text: &str, zone: Zone) -> Option<RangeInclusive<Nanos>> {
    let mut parts = text.split('-');
    let year = i32::try_from(digits(parts.next()?, 4)?).ok()?;
    let Some(month) = parts.next() else {
        let first = Date::from_calendar_date(year, Month::January, 1).ok()?;
        let days = if tantivy::time::util::is_leap_year(year) {
            366
        } else {
            365
        };
        return shifted(first, Duration::days(days), zone);
    };
    let month = Month::try_from(u8::try_from(digits(month, 2)?).ok()?).ok()?;
    if parts.next().is_none() {
        let first = Date::from_calendar_date(year, month, 1).ok()?;
        return shifted(first, Duration::days(month.length(year).into()), zone);
    }
    day_only(text, zone)
}

fn full_date(text: &str) -> Option<Date> {
    let mut parts = text.split('-');
    let year = i32::try_from(digits(parts.next()?, 4)?).ok()?;
    let month = Month::try_from(u8::try_from(digits(parts.next()?, 2)?).ok()?).ok()?;
    let day = u8::try_from(digits(parts.next()?, 2)?).ok()?;
    if parts.next().is_some() {
        return None;
    }
    Date::from_calendar_date(year, month, day).ok()
}

/// The time of day, and the nanoseconds that it leaves open.
fn time_of_day(text: &str) -> Option<(Time, Nanos)> {
    let mut parts = text.split(':');
    let part = |text: &str| digits(text, 2).and_then(|value| u8::try_from(value).ok());
    let hour = part(parts.next()?)?;
    let Some(minute) = parts.next() else {
        return Some((Time::from_hms(hour, 0, 0).ok()?, 3600 * SECOND));
    };
    let minute = part(minute)?;
    let Some(seconds) = parts.next() else {
        return Some((Time::from_hms(hour, minute, 0).ok()?, 60 * SECOND));
    };
    if parts.next().is_some() {
        return None;
    }
    let Some((second, fraction)) = seconds.split_once(['.', ',']) else {
        return Some((Time::from_hms(hour, minute, part(seconds)?).ok()?, SECOND));
    };
    if fraction.is_empty() || fraction.len() > 9 {
        return None;
    }
    let scale = 10_u32.pow(9 - u32::try_from(fraction.len()).ok()?);
    let nanos = digits(fraction, fraction.len())?.checked_mul(scale)?;
    Some((
        Time::from_hms_nano(hour, minute, part(second)?, nanos).ok()?,
        1,
    ))
}

/// Splits `Z` or an offset off a time; without one it is `zone`.
fn split_offset(text: &str, zone: Zone) -> Option<(&str, Zone)> {
    if let Some(time) = text.strip_suffix(['Z', 'z']) {
        return Some((time, Zone::UTC));
    }
    let Some(at) = text.rfind(['+', '-']) else {
        return Some((text, zone));
    };
    let (time, text) = text.split_at(at);
    Some((time, Zone::Fixed(offset(text)?)))
}

/// Reads `+hh:mm`, `-hhmm`, `+hh` or `+h`.
pub(crate) fn offset(text: &str) -> Option<UtcOffset> {
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let text = text.get(1..)?;
    let number = |text: &str| digits(text, text.len()).and_then(|value| i8::try_from(value).ok());
    let (hours, minutes) = match text.len() {
        5 if text.as_bytes().get(2) == Some(&b':') => {
            (number(text.get(..2)?)?, number(text.get(3..)?)?)
        }
        4 => (number(text.get(..2)?)?, number(text.get(2..)?)?),
        1 | 2 => (number(text)?, 0),
        _ => return None,
    };
    if minutes > 59 {
        return None;
    }
    UtcOffset::from_hms(sign * hours, sign * minutes, 0).ok()
}

/// Exactly `length` digits.
fn digits(text: &str, length: usize) -> Option<u32> {
    let well_formed = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if well_formed { text.parse().ok() } else { None }
}

/// A whole number of days of a zone: not all have 24 hours.
fn shifted(date: Date, length: Duration, zone: Zone) -> Option<RangeInclusive<Nanos>> {
    let first = local(date);
    let end = zone.to_utc(first + length.whole_nanoseconds())?;
    Some(zone.to_utc(first)?..=end - 1)
}

/// The beginning of a day on a clock, counted as if it were in UTC.
fn local(date: Date) -> Nanos {
    date.midnight().assume_utc().unix_timestamp_nanos()
}

fn count(text: &str, of: Nanos) -> Option<RangeInclusive<Nanos>> {
    let number: i64 = text.parse().ok()?;
    Some(unit(Nanos::from(number), of))
}

/// One millisecond or second.
fn unit(number: Nanos, of: Nanos) -> RangeInclusive<Nanos> {
    let first = number * of;
    first..=first + of - 1
}

#[cfg(test)]
mod tests {
    use tantivy::time::OffsetDateTime;

    use super::*;

    fn rfc3339(text: &str) -> Nanos {
        let format = tantivy::time::format_description::well_known::Rfc3339;
        OffsetDateTime::parse(text, &format)
            .unwrap()
            .unix_timestamp_nanos()
    }

    #[test]
    fn a_shortened_date_is_a_span() {
        let spans = [
            ("2024", "2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z"),
            ("2023", "2023-01-01T00:00:00Z", "2024-01-01T00:00:00Z"),
            ("2024-02", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("2024-02-29", "2024-02-29T00:00:00Z", "2024-03-01T00:00:00Z"),
            (
                "2024-02-29T",
                "2024-02-29T00:00:00Z",
                "2024-03-01T00:00:00Z",
            ),
            (
                "2024-02-29T07",
                "2024-02-29T07:00:00Z",
                "2024-02-29T08:00:00Z",
            ),
            (
                "2024-02-29T07:30",
                "2024-02-29T07:30:00Z",
                "2024-02-29T07:31:00Z",
            ),
            (
                "2024-02-29T07:30:05",
                "2024-02-29T07:30:05Z",
                "2024-02-29T07:30:06Z",
            ),
            (
                "2024-02-29T07:30:05+02:00",
                "2024-02-29T05:30:05Z",
                "2024-02-29T05:30:06Z",
            ),
            (
                "2024-02-29T07:30:05-0230",
                "2024-02-29T10:00:05Z",
                "2024-02-29T10:00:06Z",
            ),
            (
                "1700000000000",
                "2023-11-14T22:13:20Z",
                "2023-11-14T22:13:20.001Z",
            ),
        ];
        for (text, first, after) in spans {
            let expected = rfc3339(first)..=rfc3339(after) - 1;
            assert_eq!(
                DateFormats::usual().span(text, Zone::UTC),
                Some(expected),
                "{text}"
            );
        }
        let exact = rfc3339("2024-02-29T07:30:05.25Z");
        assert_eq!(
            optional_time("2024-02-29T07:30:05.25Z"),
            Some(exact..=exact)
        );
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in [
            "",
            "T",
            "24",
            "2024-",
            "2024-13",
            "2024-02-30",
            "2024-1-1",
            "2024-01-01 00:00",
            "2024-01-01T25",
            "2024-01-01T00:60",
            "2024-01-01T00:00:00.",
            "2024-01-01T00:00:00+99",
            "2024-01-01T00:00:00.0000000001",
            "now-1d",
            "2024-01-01T00:00:00+00:99",
            "２０２４",
        ] {
            assert_eq!(optional_time(text), None, "{text}");
        }
    }

    #[test]
    fn a_format_decides_how_numbers_are_read() {
        let seconds = DateFormats::parse("epoch_second").unwrap();
        assert_eq!(seconds.span_of_number(1), SECOND..=2 * SECOND - 1);
        assert_eq!(seconds.span("1", Zone::UTC), Some(SECOND..=2 * SECOND - 1));
        assert_eq!(
            DateFormats::usual().span_of_number(1),
            MILLISECOND..=2 * MILLISECOND - 1
        );
        assert!(DateFormats::parse("yyyy-MM-dd||epoch_millis").is_ok());
        assert!(
            DateFormats::parse("dd/MM")
                .unwrap_err()
                .starts_with("unknown date format")
        );
    }
}
