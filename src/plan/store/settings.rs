use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::store::millis;

/// How much a plan store keeps, for how long, and how often it is written: plain data.
///
/// ```
/// use std::time::Duration;
///
/// use forewarm::PlanStoreSettings;
///
/// let settings: PlanStoreSettings = serde_json::from_str(r#"{"max_packs": 32}"#)?;
/// assert_eq!(settings.max_age, Duration::from_secs(30 * 24 * 3600));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PlanStoreSettings {
    /// Bytes that the packs of a store may take together, as stored. Default 64 MiB: some
    /// 100,000 plans of a few ranges each. Compaction begins past it and keeps the half that was
    /// used last, so that there is room for what is to come. Packs beyond are not read, nor any
    /// single one that is larger.
    pub max_bytes: u64,
    /// Plans not used, and absences not found, for so long are left out. Default 30 days, in
    /// milliseconds in settings files: merges have replaced most splits by then.
    #[serde(with = "millis")]
    pub max_age: Duration,
    /// Packs beyond which they are merged into one. Default 16: each save writes one, and a
    /// newcomer reads them all at once.
    pub max_packs: usize,
    /// The longest that something new waits to be written. Default 5 s, in milliseconds in
    /// settings files: what a process that is killed forgets.
    #[serde(with = "millis")]
    pub flush_interval: Duration,
    /// Plans and absences of one save; so many that wait are written before the interval is over.
    /// Default 1024, which is a pack of about a megabyte.
    pub batch: usize,
}

impl Default for PlanStoreSettings {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_age: Duration::from_secs(30 * 24 * 3600),
            max_packs: 16,
            flush_interval: Duration::from_secs(5),
            batch: 1024,
        }
    }
}

impl PlanStoreSettings {
    /// The least of [`max_bytes`](Self::max_bytes): a plan of many ranges still fits.
    const LEAST_BYTES: u64 = 4 << 10;

    /// Sets [`max_bytes`](Self::max_bytes).
    pub fn with_max_bytes(mut self, bytes: u64) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets [`max_age`](Self::max_age).
    pub fn with_max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Sets [`max_packs`](Self::max_packs).
    pub fn with_max_packs(mut self, packs: usize) -> Self {
        self.max_packs = packs;
        self
    }

    /// Sets [`flush_interval`](Self::flush_interval).
    pub fn with_flush_interval(mut self, interval: Duration) -> Self {
        self.flush_interval = interval;
        self
    }

    /// Sets [`batch`](Self::batch).
    pub fn with_batch(mut self, rows: usize) -> Self {
        self.batch = rows;
        self
    }

    /// Checks everything at once.
    ///
    /// # Errors
    ///
    /// `InvalidRequest` that names every setting which is wrong.
    pub(crate) fn validate(&self) -> Result<()> {
        let mut problems = Vec::new();
        if self.max_bytes < Self::LEAST_BYTES {
            let least = Self::LEAST_BYTES;
            problems.push(format!("max_bytes must be at least {least}"));
        }
        for (name, value) in [
            ("max_age", self.max_age.as_secs()),
            ("max_packs", self.max_packs as u64),
            ("flush_interval", self.flush_interval.as_millis() as u64),
            ("batch", self.batch as u64),
        ] {
            if value == 0 {
                let unit = if name == "max_age" { " second" } else { "" };
                problems.push(format!("{name} must be at least 1{unit}"));
            }
        }
        if self.flush_interval > Duration::from_secs(24 * 3600) {
            problems.push("flush_interval must be at most a day".to_owned());
        }
        if problems.is_empty() {
            Ok(())
        } else {
            let problems = problems.join("; ");
            Err(Error::invalid(format!("plan store settings: {problems}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_that_is_wrong_is_named_at_once() {
        let wrong = PlanStoreSettings {
            max_bytes: 1,
            max_age: Duration::from_millis(999),
            max_packs: 0,
            flush_interval: Duration::ZERO,
            batch: 0,
        };
        assert_eq!(
            wrong.validate().unwrap_err().to_string(),
            "plan store settings: max_bytes must be at least 4096; max_age must be at least 1 \
             second; max_packs must be at least 1; flush_interval must be at least 1; batch must \
             be at least 1"
        );
        assert!(PlanStoreSettings::default().validate().is_ok());
    }

    #[test]
    fn settings_survive_their_file() {
        let settings = PlanStoreSettings::default().with_max_packs(3);
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(
            serde_json::from_str::<PlanStoreSettings>(&json).unwrap(),
            settings
        );
        assert!(serde_json::from_str::<PlanStoreSettings>(r#"{"max_pack": 1}"#).is_err());
    }
}
