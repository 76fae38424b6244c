//! Dates as clauses write them: with an offset, and with arithmetic (`now-1d/d`,
//! `2024-01-01||+1M`).
//!
//! A date is a span, from its first nanosecond to its last; so is what arithmetic makes of it: the
//! beginning is rounded down, the end up, and a bound takes the one that Elasticsearch takes (page
//! *Range query*, section *Using date math and rounding*).

use std::ops::RangeInclusive;
use std::time::{SystemTime, UNIX_EPOCH};

use tantivy::time::{Date, Month};

use crate::filter::dates::{DateFormats, Nanos, SECOND};
use crate::filter::numbers::Number;
use crate::filter::value::FieldValue;
use crate::filter::zone::Zone;

/// The one moment that `now` is in a request: milliseconds since 1970.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Moment(i64);

/// How the dates of a clause are read.
#[derive(Clone, Debug)]
pub(crate) struct DateReader {
    formats: DateFormats,
    /// Where dates without an offset are from, and the days that are rounded to.
    zone: Zone,
    /// What `now` is; without one there is no arithmetic.
    now: Option<Moment>,
}

const MINUTE: Nanos = 60 * SECOND;
const HOUR: Nanos = 60 * MINUTE;
const DAY: Nanos = 24 * HOUR;
/// The Julian day of 1970-01-01.
const EPOCH: i128 = 2_440_588;
/// How many steps an arithmetic may have.
const MAX_STEPS: usize = 64;

impl Moment {
    /// The moment by the system's clock.
    pub(crate) fn now() -> Self {
        Self::of(SystemTime::now())
    }

    pub(crate) fn of(time: SystemTime) -> Self {
        let millis = |duration: std::time::Duration| i64::try_from(duration.as_millis());
        Self(match time.duration_since(UNIX_EPOCH) {
            Ok(after) => millis(after).unwrap_or(i64::MAX),
            Err(before) => millis(before.duration()).map_or(i64::MIN, |before| -before),
        })
    }

    pub(crate) fn millis(self) -> i64 {
        self.0
    }
}

impl DateReader {
    /// Dates without arithmetic, as they are usually written.
    pub(crate) fn plain() -> Self {
        Self {
            formats: DateFormats::usual(),
            zone: Zone::UTC,
            now: None,
        }
    }

    /// Dates with arithmetic, as they are usually written.
    pub(crate) fn at(now: Moment) -> Self {
        Self {
            now: Some(now),
            ..Self::plain()
        }
    }

    pub(crate) fn with_formats(self, formats: DateFormats) -> Self {
        Self { formats, ..self }
    }

    pub(crate) fn with_zone(self, zone: Zone) -> Self {
        Self { zone, ..self }
    }

    /// The span that a value means.
    pub(crate) fn span(&self, value: &FieldValue) -> Option<RangeInclusive<Nanos>> {
        match value {
            FieldValue::Integer(number) => Some(self.formats.span_of_number(*number)),
            FieldValue::Float(_) => {
                let whole = Number::read(value)?.integer()?;
                Some(self.formats.span_of_number(i64::try_from(whole).ok()?))
            }
            FieldValue::Text(text) => self.text(text),
            FieldValue::Bool(_) | FieldValue::Unsigned(_) => None,
        }
    }

    fn text(&self, text: &str) -> Option<RangeInclusive<Nanos>> {
        let Some(now) = self.now.filter(|_| is_math(text)) else {
            return self.formats.span(text, self.zone);
        };
        let (anchor, steps) = if let Some(steps) = text.strip_prefix("now") {
            let first = Nanos::from(now.millis()) * (SECOND / 1_000);
            (first..=first + SECOND / 1_000 - 1, steps)
        } else {
            let (date, steps) = text.split_once("||")?;
            (self.formats.span(date, self.zone)?, steps)
        };
        let steps = steps_of(steps)?;
        let first = self.walk(*anchor.start(), &steps, false)?;
        let last = self.walk(*anchor.end(), &steps, true)?;
        Some(first..=last)
    }

    fn walk(&self, from: Nanos, steps: &[Step], up: bool) -> Option<Nanos> {
        let mut at = self.zone.to_local(from)?;
        for step in steps {
            at = match step {
                Step::Add(count, unit) => unit.add(at, *count)?,
                Step::Round(unit) if up => unit.add(unit.floor(at)?, 1)? - 1,
                Step::Round(unit) => unit.floor(at)?,
            };
        }
        // The last nanosecond of a day is before the first of the next, wherever that is.
        if up && matches!(steps.last(), Some(Step::Round(_))) {
            return self.zone.to_utc(at + 1)?.checked_sub(1);
        }
        self.zone.to_utc(at)
    }
}

/// Whether a text is arithmetic, if it is a date at all.
pub(crate) fn is_math(text: &str) -> bool {
    text.starts_with("now") || text.contains("||")
}

#[derive(Clone, Copy)]
enum Step {
    Add(i64, Unit),
    Round(Unit),
}

#[derive(Clone, Copy)]
enum Unit {
    /// So many nanoseconds.
    Fixed(Nanos),
    /// So many months.
    Months(i64),
    Week,
}

/// Reads `+1d-2h/M`.
fn steps_of(text: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        if steps.len() == MAX_STEPS {
            return None;
        }
        let operator = rest.chars().next()?;
        let after = rest.strip_prefix(['+', '-', '/'])?;
        let digits = after.len() - after.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, after) = after.split_at(digits);
        let count: i64 = match number {
            "" => 1,
            number => i64::from(number.parse::<i32>().ok()?),
        };
        let mut characters = after.chars();
        let unit = match characters.next()? {
            'y' => Unit::Months(12),
            'M' => Unit::Months(1),
            'w' => Unit::Week,
            'd' => Unit::Fixed(DAY),
            'h' | 'H' => Unit::Fixed(HOUR),
            'm' => Unit::Fixed(MINUTE),
            's' => Unit::Fixed(SECOND),
            _ => return None,
        };
        steps.push(match operator {
            '+' => Step::Add(count, unit),
            '-' => Step::Add(-count, unit),
            // Only to one of a unit.
            _ if count == 1 => Step::Round(unit),
            _ => return None,
        });
        rest = characters.as_str();
    }
    Some(steps)
}

impl Unit {
    /// So many units later; a day that a month lacks becomes its last. `None` outside of the years
    /// that are known.
    fn add(self, at: Nanos, count: i64) -> Option<Nanos> {
        match self {
            Self::Fixed(nanos) => at.checked_add(nanos.checked_mul(count.into())?),
            Self::Week => at.checked_add((7 * DAY).checked_mul(count.into())?),
            Self::Months(months) => {
                let (date, time) = parted(at)?;
                let month = i64::from(date.year()) * 12 + i64::from(u8::from(date.month())) - 1;
                let month = month.checked_add(months.checked_mul(count)?)?;
                let year = i32::try_from(month.div_euclid(12)).ok()?;
                let month = Month::try_from(u8::try_from(month.rem_euclid(12) + 1).ok()?).ok()?;
                let day = date.day().min(month.length(year));
                Some(joined(
                    Date::from_calendar_date(year, month, day).ok()?,
                    time,
                ))
            }
        }
    }

    /// The beginning of the unit; of a week it is Monday.
    fn floor(self, at: Nanos) -> Option<Nanos> {
        match self {
            Self::Fixed(nanos) => Some(at - at.rem_euclid(nanos)),
            Self::Week => {
                let (date, _) = parted(at)?;
                let since = date.weekday().number_days_from_monday();
                Some(joined(date, 0) - Nanos::from(since) * DAY)
            }
            Self::Months(months) => {
                let (date, _) = parted(at)?;
                let month = if months == 1 {
                    date.month()
                } else {
                    Month::January
                };
                Some(joined(
                    Date::from_calendar_date(date.year(), month, 1).ok()?,
                    0,
                ))
            }
        }
    }
}

/// The day, and the nanoseconds since it began.
fn parted(at: Nanos) -> Option<(Date, Nanos)> {
    let day = i32::try_from(at.div_euclid(DAY) + EPOCH).ok()?;
    Some((Date::from_julian_day(day).ok()?, at.rem_euclid(DAY)))
}

fn joined(date: Date, time: Nanos) -> Nanos {
    (Nanos::from(date.to_julian_day()) - EPOCH) * DAY + time
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2024-02-29T13:45:10.123Z, a Thursday.
    const NOW: Moment = Moment(1_709_214_310_123);

    fn span(text: &str, zone: &str) -> Option<(String, String)> {
        let reader = DateReader::at(NOW).with_zone(Zone::parse(zone).unwrap());
        let shown = |nanos: Nanos| {
            let (date, time) = parted(nanos).unwrap();
            let (hour, minute) = (time / HOUR, time / MINUTE % 60);
            format!(
                "{date}T{hour:02}:{minute:02}:{}",
                (time % MINUTE) as f64 / 1e9
            )
        };
        let span = reader.span(&text.into())?;
        Some((shown(*span.start()), shown(*span.end() + 1)))
    }

    #[test]
    fn arithmetic_is_that_of_elasticsearch() {
        for (text, first, after) in [
            ("now", "2024-02-29T13:45:10.123", "2024-02-29T13:45:10.124"),
            (
                "now-1d",
                "2024-02-28T13:45:10.123",
                "2024-02-28T13:45:10.124",
            ),
            (
                "now-d",
                "2024-02-28T13:45:10.123",
                "2024-02-28T13:45:10.124",
            ),
            ("now/d", "2024-02-29T00:00:0", "2024-03-01T00:00:0"),
            ("now-1d/d", "2024-02-28T00:00:0", "2024-02-29T00:00:0"),
            ("now/d-1d", "2024-02-28T00:00:0", "2024-02-29T00:00:0"),
            ("now/w", "2024-02-26T00:00:0", "2024-03-04T00:00:0"),
            ("now/M", "2024-02-01T00:00:0", "2024-03-01T00:00:0"),
            ("now/1M", "2024-02-01T00:00:0", "2024-03-01T00:00:0"),
            ("now/y", "2024-01-01T00:00:0", "2025-01-01T00:00:0"),
            ("now/h", "2024-02-29T13:00:0", "2024-02-29T14:00:0"),
            ("now/H", "2024-02-29T13:00:0", "2024-02-29T14:00:0"),
            ("now+1h/m", "2024-02-29T14:45:0", "2024-02-29T14:46:0"),
            ("now-90m/s", "2024-02-29T12:15:10", "2024-02-29T12:15:11"),
            (
                "now-2w",
                "2024-02-15T13:45:10.123",
                "2024-02-15T13:45:10.124",
            ),
            // A day that a month lacks becomes its last.
            ("now+1y/d", "2025-02-28T00:00:0", "2025-03-01T00:00:0"),
            (
                "2024-01-31||+1M",
                "2024-02-29T00:00:0",
                "2024-03-01T00:00:0",
            ),
            (
                "2024-01-01||+1M/d",
                "2024-02-01T00:00:0",
                "2024-02-02T00:00:0",
            ),
            ("2024-01-01||", "2024-01-01T00:00:0", "2024-01-02T00:00:0"),
            (
                "2024-03-15||-14M/M",
                "2023-01-01T00:00:0",
                "2023-02-01T00:00:0",
            ),
            ("0||/y", "1970-01-01T00:00:0", "1971-01-01T00:00:0"),
            (
                "1969-12-31T23:59:59||/d",
                "1969-12-31T00:00:0",
                "1970-01-01T00:00:0",
            ),
        ] {
            let expected = Some((first.to_owned(), after.to_owned()));
            assert_eq!(span(text, "Z"), expected, "{text}");
        }
    }

    #[test]
    fn days_are_those_of_the_time_zone() {
        let pair = |first: &str, after: &str| Some((first.to_owned(), after.to_owned()));
        let evening = pair("2024-02-28T22:00:0", "2024-02-29T22:00:0");
        assert_eq!(span("2024-02-29", "+02:00"), evening);
        assert_eq!(span("now/d", "+02:00"), evening);
        assert_eq!(span("2024-02-29||/d", "+2"), evening);
        let morning = pair("2024-02-29T08:00:0", "2024-03-01T08:00:0");
        assert_eq!(span("now/d", "-0800"), morning);
        // What has an offset keeps it.
        let exact = pair("2024-02-29T00:00:0", "2024-02-29T00:00:1");
        assert_eq!(span("2024-02-29T00:00:00Z", "+02:00"), exact);
        assert_eq!(span("now", "+02:00"), span("now", "UTC"));
    }

    #[test]
    fn what_is_no_arithmetic_is_no_date() {
        for text in [
            "nowhere",
            "now-",
            "now-1",
            "now-1x",
            "now/2d",
            "now*1d",
            "now -1d",
            "||+1d",
            "x||+1d",
            "2024-01-01||1d",
            "2024-01-01+1d",
            "2024-01-01||/",
            "now+99999999999d",
            "now+2147483647y",
            "now+é",
        ] {
            assert_eq!(span(text, "Z"), None, "{text}");
        }
        assert_eq!(span(&format!("now{}", "+1d".repeat(65)), "Z"), None);
        let plain = DateReader::plain();
        assert_eq!(plain.span(&"now".into()), None);
        assert!(plain.span(&"2024".into()).is_some());
    }

    #[test]
    fn a_moment_is_counted_in_milliseconds() {
        use std::time::Duration;
        let before = UNIX_EPOCH - Duration::from_micros(1_500);
        assert_eq!(Moment::of(before).millis(), -1);
        assert_eq!(
            Moment::of(UNIX_EPOCH + Duration::from_micros(1_500)).millis(),
            1
        );
    }
}
