//! The settings file of `forewarm manage`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use forewarm::{ManagerSettings, WarmerSettings};
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Outcome};

/// What the file says.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Config {
    /// Where the splits come and go.
    pub(super) url: String,
    /// Options of its store.
    #[serde(default)]
    pub(super) options: BTreeMap<String, String>,
    /// Where plans are kept: a folder or URL.
    #[serde(default)]
    pub(super) plans: Option<String>,
    /// Where what is hot is kept for the next start: a file or URL.
    #[serde(default)]
    pub(super) hot_set: Option<String>,
    /// How often a line of statistics is printed, in milliseconds; never when it is 0.
    #[serde(default = "ten_seconds")]
    pub(super) statistics_interval: u64,
    /// How long stopping waits for what runs, in milliseconds.
    #[serde(default = "ten_seconds")]
    pub(super) shutdown_deadline: u64,
    #[serde(default)]
    pub(super) warmer: WarmerSettings,
    #[serde(default)]
    pub(super) manager: ManagerSettings,
}

fn ten_seconds() -> u64 {
    10_000
}

impl Config {
    /// Reads a file: JSON when its name ends in `.json`, else TOML. Without a section of their
    /// own, `refresh` follows the splits and `preload` warms what was hot.
    ///
    /// # Errors
    ///
    /// A usage failure that names the line where the file says what cannot be.
    pub(super) fn read(path: &str) -> Outcome<Self> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| Failure::caused(format!("cannot read {path}"), &error))?;
        let is_json = Path::new(path).extension().is_some_and(|it| it == "json");
        let parsed = match is_json {
            true => serde_json::from_str(&text).map_err(|error| error.to_string()),
            false => toml::from_str(&text).map_err(|error| error.to_string()),
        };
        let config: Self =
            parsed.map_err(|error| Failure::usage(format!("{path}: {}", error.trim_end())))?;
        Ok(config)
    }

    /// The manager's settings, over splits below `prefix`.
    pub(super) fn manager(&self, prefix: &str) -> ManagerSettings {
        let mut settings = self.manager.clone();
        let refresh = settings.refresh.take().unwrap_or_default();
        let prefix = refresh.prefix.clone().unwrap_or_else(|| prefix.to_owned());
        let preload = settings.preload.take().unwrap_or_default();
        settings
            .with_refresh(Some(refresh.with_prefix(Some(prefix))))
            .with_preload(Some(preload))
    }

    pub(super) fn options(&self) -> Vec<(String, String)> {
        self.options.clone().into_iter().collect()
    }

    pub(super) fn statistics_interval(&self) -> Option<Duration> {
        (self.statistics_interval > 0).then(|| Duration::from_millis(self.statistics_interval))
    }
}
