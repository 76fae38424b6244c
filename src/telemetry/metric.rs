use std::time::Duration;

use metrics::{Key, Label, Level, Metadata, SharedString, Unit};

/// Where metrics come from, as `metrics` wants it told.
static METADATA: Metadata<'static> =
    Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// How a metric is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric: a row of the list.
#[derive(Debug)]
pub(crate) struct Metric {
    pub(super) name: &'static str,
    /// The name, hashed beforehand: warm searches count, and take microseconds.
    key: Key,
    pub(super) kind: Kind,
    /// What one of it is.
    pub(super) unit: &'static str,
    /// The label that it is told apart by.
    pub(super) by: Option<&'static str>,
    /// The name with the label's usual value, hashed beforehand too.
    usual: Option<(&'static str, Key)>,
    pub(super) what: &'static str,
}

/// A metric that grows.
#[derive(Debug)]
pub(crate) struct Counter(pub(super) Metric);

/// A metric that goes up and down.
#[derive(Debug)]
pub(crate) struct Gauge(pub(super) Metric);

/// A metric of many durations, in seconds.
#[derive(Debug)]
pub(crate) struct Histogram(pub(super) Metric);

impl Metric {
    pub(super) fn describe(&self) {
        let unit = match self.unit {
            "bytes" => Unit::Bytes,
            "seconds" => Unit::Seconds,
            _ => Unit::Count,
        };
        match self.kind {
            Kind::Counter => metrics::describe_counter!(self.name, unit, self.what),
            Kind::Gauge => metrics::describe_gauge!(self.name, unit, self.what),
            Kind::Histogram => metrics::describe_histogram!(self.name, unit, self.what),
        }
    }
}

impl Counter {
    pub(super) const fn new(name: &'static str, unit: &'static str, what: &'static str) -> Self {
        Self(Metric {
            name,
            key: Key::from_static_name(name),
            kind: Kind::Counter,
            unit,
            by: None,
            usual: None,
            what,
        })
    }

    /// The same, told apart by `label`.
    pub(super) const fn by(mut self, label: &'static str) -> Self {
        self.0.by = Some(label);
        self
    }

    /// The same, told apart by the only one of `labels`, which has the value that is the usual one.
    pub(super) const fn usually(mut self, value: &'static str, labels: &'static [Label]) -> Self {
        let usual = Some((value, Key::from_static_parts(self.0.name, labels)));
        // What was there needs no drop, which a constant could not do.
        std::mem::forget(std::mem::replace(&mut self.0.usual, usual));
        self
    }

    /// Counts so many more.
    pub(crate) fn add(&self, count: u64) {
        debug_assert!(self.0.by.is_none(), "{} has a label", self.0.name);
        metrics::with_recorder(|recorder| recorder.register_counter(&self.0.key, &METADATA))
            .increment(count);
    }

    /// Counts so many more of which the label says `value`.
    pub(crate) fn add_of(&self, value: impl Into<SharedString> + AsRef<str>, count: u64) {
        if let Some((usual, key)) = &self.0.usual
            && *usual == value.as_ref()
        {
            metrics::with_recorder(|recorder| recorder.register_counter(key, &METADATA))
                .increment(count);
        } else if let Some(label) = self.0.by {
            metrics::counter!(self.0.name, label => value.into()).increment(count);
        } else {
            debug_assert!(false, "{} has no label", self.0.name);
        }
    }
}

impl Gauge {
    pub(super) const fn new(name: &'static str, unit: &'static str, what: &'static str) -> Self {
        Self(Metric {
            name,
            key: Key::from_static_name(name),
            kind: Kind::Gauge,
            unit,
            by: None,
            usual: None,
            what,
        })
    }

    /// Says how much there is now.
    pub(crate) fn set(&self, amount: u64) {
        self.handle().set(amount as f64);
    }

    /// One more.
    pub(crate) fn increment(&self) {
        self.handle().increment(1.0);
    }

    /// One less.
    pub(crate) fn decrement(&self) {
        self.handle().decrement(1.0);
    }

    fn handle(&self) -> metrics::Gauge {
        metrics::with_recorder(|recorder| recorder.register_gauge(&self.0.key, &METADATA))
    }
}

impl Histogram {
    pub(super) const fn new(name: &'static str, what: &'static str) -> Self {
        Self(Metric {
            name,
            key: Key::from_static_name(name),
            kind: Kind::Histogram,
            unit: "seconds",
            by: None,
            usual: None,
            what,
        })
    }

    /// The same, told apart by `label`.
    pub(super) const fn by(mut self, label: &'static str) -> Self {
        self.0.by = Some(label);
        self
    }

    /// Adds one duration.
    pub(crate) fn record(&self, time: Duration) {
        debug_assert!(self.0.by.is_none(), "{} has a label", self.0.name);
        metrics::with_recorder(|recorder| recorder.register_histogram(&self.0.key, &METADATA))
            .record(time.as_secs_f64());
    }

    /// Adds one duration of which the label says `value`.
    pub(crate) fn record_of(&self, value: impl Into<SharedString>, time: Duration) {
        if let Some(label) = self.0.by {
            metrics::histogram!(self.0.name, label => value.into()).record(time.as_secs_f64());
        } else {
            debug_assert!(false, "{} has no label", self.0.name);
        }
    }
}
