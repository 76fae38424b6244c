//! A recorder that notes what it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use super::super::metric::Kind;

/// What was emitted of one metric.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Emitted {
    pub(super) kind: Kind,
    pub(super) labels: BTreeSet<String>,
}

/// What a metric was said to be.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Described {
    pub(super) kind: Kind,
    pub(super) unit: Option<Unit>,
    pub(super) what: String,
}

#[derive(Clone, Default)]
pub(super) struct Noting(Arc<Mutex<Notes>>);

#[derive(Default)]
struct Notes {
    emitted: BTreeMap<String, Emitted>,
    described: BTreeMap<String, Described>,
}

impl Noting {
    pub(super) fn emitted(&self) -> BTreeMap<String, Emitted> {
        std::mem::take(&mut self.0.lock().unwrap().emitted)
    }

    pub(super) fn described(&self) -> BTreeMap<String, Described> {
        std::mem::take(&mut self.0.lock().unwrap().described)
    }

    fn handle(&self, kind: Kind, key: &Key) -> Arc<Handle> {
        Arc::new(Handle {
            noting: self.clone(),
            kind,
            key: key.clone(),
        })
    }

    fn describe(&self, kind: Kind, key: &KeyName, unit: Option<Unit>, what: &str) {
        let described = Described {
            kind,
            unit,
            what: what.to_owned(),
        };
        let name = key.as_str().to_owned();
        self.0.lock().unwrap().described.insert(name, described);
    }
}

impl Recorder for Noting {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, what: SharedString) {
        self.describe(Kind::Counter, &key, unit, &what);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, what: SharedString) {
        self.describe(Kind::Gauge, &key, unit, &what);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, what: SharedString) {
        self.describe(Kind::Histogram, &key, unit, &what);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.handle(Kind::Counter, key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.handle(Kind::Gauge, key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.handle(Kind::Histogram, key))
    }
}

/// One metric with its labels.
struct Handle {
    noting: Noting,
    kind: Kind,
    key: Key,
}

impl Handle {
    fn note(&self) {
        let labels = self.key.labels().map(|label| label.key().to_owned());
        let emitted = Emitted {
            kind: self.kind,
            labels: labels.collect(),
        };
        let name = self.key.name().to_owned();
        let mut notes = self.noting.0.lock().unwrap();
        if let Some(before) = notes.emitted.get(&name) {
            assert_eq!(*before, emitted, "{name}");
        }
        notes.emitted.insert(name, emitted);
    }
}

impl CounterFn for Handle {
    fn increment(&self, value: u64) {
        if value > 0 {
            self.note();
        }
    }

    fn absolute(&self, _: u64) {
        self.note();
    }
}

impl GaugeFn for Handle {
    fn increment(&self, _: f64) {
        self.note();
    }

    fn decrement(&self, _: f64) {
        self.note();
    }

    fn set(&self, _: f64) {
        self.note();
    }
}

impl HistogramFn for Handle {
    fn record(&self, _: f64) {
        self.note();
    }
}
