use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;

/// When something is due, by the clocks of a place.
#[derive(Clone, Debug)]
pub(super) struct Timetable {
    cron: Cron,
    zone: Tz,
}

impl Timetable {
    /// # Errors
    ///
    /// What is wrong, in words.
    pub(super) fn parse(cron: &str, zone: &str) -> Result<Self, String> {
        let parsed = Cron::from_str(cron).map_err(|error| {
            format!("cron {cron:?}: {error}: write minute, hour, day, month, day of the week")
        })?;
        let zone = zone.parse().map_err(|_| {
            format!("zone {zone:?} is unknown: write a name like \"Europe/Paris\" or \"UTC\"")
        })?;
        Ok(Self { cron: parsed, zone })
    }

    /// The first time after `time`, if there is one in the years that a search looks through.
    pub(super) fn after(&self, time: SystemTime) -> Option<SystemTime> {
        let time = DateTime::<Utc>::from(time).with_timezone(&self.zone);
        let next = self.cron.find_next_occurrence(&time, false).ok()?;
        let millis = u64::try_from(next.timestamp_millis()).ok()?;
        Some(UNIX_EPOCH + Duration::from_millis(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SystemTime {
        DateTime::parse_from_rfc3339(text).unwrap().into()
    }

    #[test]
    fn times_are_those_of_the_place_also_where_its_clocks_are_changed() {
        let paris = Timetable::parse("30 7 * * MON-FRI", "Europe/Paris").unwrap();
        // A Saturday in summer.
        assert_eq!(
            paris.after(at("2026-07-04T10:00:00Z")),
            Some(at("2026-07-06T05:30:00Z"))
        );
        assert_eq!(
            paris.after(at("2026-11-27T06:29:59Z")),
            Some(at("2026-11-27T06:30:00Z"))
        );
        assert_eq!(
            paris.after(at("2026-11-27T06:30:00Z")),
            Some(at("2026-11-30T06:30:00Z"))
        );
        let hourly = Timetable::parse("@hourly", "UTC").unwrap();
        assert_eq!(
            hourly.after(at("2026-11-27T06:30:00Z")),
            Some(at("2026-11-27T07:00:00Z"))
        );
    }

    #[test]
    fn what_is_no_time_says_what_is_wrong() {
        let cron = Timetable::parse("61 * * * *", "UTC").unwrap_err();
        assert!(cron.contains("61 * * * *"), "{cron}");
        let zone = Timetable::parse("* * * * *", "Atlantis").unwrap_err();
        assert!(zone.contains("Atlantis"), "{zone}");
        let never = Timetable::parse("0 0 30 2 *", "UTC").unwrap();
        assert_eq!(never.after(at("2026-01-01T00:00:00Z")), None);
    }
}
