//! The rows that this process knows: plans, and how many documents match.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use moka::ops::compute::Op;
use moka::sync::Cache;
use object_store::path::Path;

use super::entry::{DocumentPlan, PlanEntry, PlanSource, SplitPlan};
use super::matches::Matches;
use super::store::PlanWriter;
use crate::clock::Clock;
use crate::filter::Fingerprint;
use crate::split::{Split, Versions};
use crate::store::{ObjectHandle, normalise};
use crate::telemetry::list;

/// How many requests that read the same may each have hits of their own remembered.
const MAX_DOCUMENT_PLANS: usize = 8;

/// How much the hits of one request are taken to bring of one split, over searches of different
/// sets of splits: past it, only what was brought last is remembered.
const MAX_DOCUMENT_BYTES: u64 = 4 << 20;

/// How many ranges a plan may have: past it, finding them anew is no slower than keeping them.
const MAX_RANGES: usize = 65_536;

/// How long a row is of use before that is written down again.
const TOUCH_SECONDS: u64 = 3600;

/// Rows by split and request, bounded in bytes.
pub(crate) struct KnownPlans {
    cache: Cache<Key, Arc<PlanEntry>>,
    /// What is believed without asking the store must be of these.
    versions: Versions,
    enabled: bool,
    clock: Clock,
    /// To where what is remembered is written.
    writer: Option<Arc<PlanWriter>>,
    hits: AtomicU64,
    misses: AtomicU64,
    healed: AtomicU64,
    /// Splits that searches left out.
    remembered: AtomicU64,
}

/// Which plan: of what request, in which split.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Key {
    split: Path,
    fingerprint: Fingerprint,
}

/// A request, as plans know it.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) fingerprint: Fingerprint,
    /// What the fingerprint is of, and what else decides what is read.
    pub(crate) canonical: Arc<str>,
}

impl KnownPlans {
    /// Knows as many rows as fit into `bytes`; none, and forgets at once, when that is 0.
    pub(crate) fn new(bytes: u64, versions: Versions, writer: Option<Arc<PlanWriter>>) -> Self {
        let weigh = |key: &Key, entry: &Arc<PlanEntry>| {
            u32::try_from(entry.weight() + key.split.as_ref().len()).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder()
            .name("forewarm-plans")
            .max_capacity(bytes)
            .weigher(weigh)
            .build();
        Self {
            cache,
            versions,
            enabled: bytes > 0,
            clock: Clock::system(),
            writer,
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            healed: AtomicU64::new(0),
            remembered: AtomicU64::new(0),
        }
    }

    /// What is known of a request in a split. A row whose fingerprint is the same by accident is
    /// another request's, and not found.
    pub(crate) fn find(&self, split: &Path, planned: &Planned) -> Option<Arc<PlanEntry>> {
        let entry = self.cache.get(&Key {
            split: split.clone(),
            fingerprint: planned.fingerprint,
        })?;
        (entry.canonical == *planned.canonical).then_some(entry)
    }

    /// The store has told that this is what there is.
    pub(crate) fn notice(&self, object: &ObjectHandle) {
        self.versions.notice(object);
    }

    /// How many documents of a split match a request of this wording, if that is remembered of the
    /// version that there is, as far as anybody knows.
    pub(crate) fn matches(
        &self,
        split: &Path,
        planned: &Planned,
        wording: impl FnOnce() -> Option<Fingerprint>,
    ) -> Option<u64> {
        let entry = self.find(split, planned)?;
        let matches = entry.matches.as_ref()?;
        if !matches.is_of(wording()?) || !self.versions.is(split, &entry.version) {
            return None;
        }
        self.touch(&entry);
        Some(matches.count)
    }

    /// Counts a warmup that replayed a plan.
    pub(crate) fn count_hit(&self, entry: &PlanEntry) {
        self.touch(entry);
        self.hits.fetch_add(1, Ordering::Relaxed);
        list::PLAN_HITS.add(1);
    }

    /// Warmups that replayed a plan, reads that plans turned out to lack, and plans that were
    /// completed by them.
    pub(crate) fn counts(&self) -> (u64, u64, u64) {
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (load(&self.hits), load(&self.misses), load(&self.healed))
    }

    /// Notes now and then that a row is of use, so that a plan store keeps it.
    fn touch(&self, entry: &PlanEntry) {
        if self.clock.seconds().saturating_sub(entry.last_used) >= TOUCH_SECONDS {
            self.update(entry, |row| row.is_sound());
        }
    }

    /// Remembers how many documents of a split match the request that is worded so; `warmed` is the
    /// row that its warmup went by.
    pub(crate) fn note_matches(
        &self,
        split: &Split,
        planned: &Planned,
        wording: Fingerprint,
        count: u64,
        warmed: Option<&Arc<PlanEntry>>,
    ) {
        if !self.can_keep(split) {
            return;
        }
        let row = match warmed {
            Some(entry) => PlanEntry::clone(entry),
            None => self.row(split, planned),
        };
        self.update(&row, |row| {
            match &mut row.matches {
                Some(known) if known.count == count && known.is_of(wording) => return false,
                Some(known) if known.count == count => known.add(wording),
                other => *other = Some(Matches::new(count, wording)),
            }
            true
        });
    }

    /// What has no version may be replaced unnoticed, and then nothing known of it is true.
    fn can_keep(&self, split: &Split) -> bool {
        self.enabled && split.object().is_versioned()
    }

    /// The row of a request in a split that is open: what is known already, or an empty one.
    fn row(&self, split: &Split, planned: &Planned) -> PlanEntry {
        let version = split.object().version();
        let known = self.find(split.path(), planned);
        if let Some(known) = known.filter(|entry| entry.version == *version) {
            return Arc::unwrap_or_clone(known);
        }
        let now = self.clock.seconds();
        PlanEntry {
            split: split.path().clone(),
            version: version.clone(),
            fingerprint: planned.fingerprint,
            canonical: planned.canonical.to_string(),
            plan: None,
            matches: None,
            created: now,
            last_used: now,
            source: PlanSource::Recorded,
        }
    }

    /// Counts splits that a search left out, because how many of their documents match is known.
    pub(crate) fn count_remembered(&self, splits: u64) {
        self.remembered.fetch_add(splits, Ordering::Relaxed);
    }

    /// Splits that searches left out.
    pub(crate) fn remembered(&self) -> u64 {
        self.remembered.load(Ordering::Relaxed)
    }

    /// Remembers what a request was found to read in a split, normalised; answers what is known now, if
    /// anything is.
    pub(crate) fn record(
        &self,
        split: &Split,
        planned: &Planned,
        search: Vec<Range<u64>>,
        hopeless: &[bool],
    ) -> Option<Arc<PlanEntry>> {
        if !self.can_keep(split) || search.len() > MAX_RANGES {
            return None;
        }
        self.update(&self.row(split, planned), |row| {
            let known = row.plan.take();
            row.plan = Some(Arc::new(SplitPlan {
                footer: split.footer(),
                open: split.open_ranges().to_vec(),
                search,
                documents: known.map_or(Vec::new(), |plan| plan.documents.clone()),
                hopeless: hopeless.to_vec(),
            }));
            row.created = self.clock.seconds();
            row.source = PlanSource::Recorded;
            true
        })
    }

    /// Adds reads that the plan lacked.
    pub(crate) fn heal(&self, entry: &PlanEntry, late: Vec<Range<u64>>) {
        self.misses.fetch_add(late.len() as u64, Ordering::Relaxed);
        list::PLAN_MISSES.add(late.len() as u64);
        tracing::warn!(
            split = %entry.split, fingerprint = %entry.fingerprint, reads = late.len(),
            "a plan was incomplete, and is completed"
        );
        let mut is_of_use = true;
        let healed = self.update(entry, |healed| {
            let Some(plan) = &mut healed.plan else {
                return false;
            };
            let plan = Arc::make_mut(plan);
            let search = std::mem::take(&mut plan.search);
            plan.search = normalise(search.into_iter().chain(late).collect());
            healed.source = PlanSource::Healed;
            if plan.search.len() > MAX_RANGES {
                healed.plan = None;
            }
            is_of_use = healed.is_sound();
            is_of_use
        });
        if !is_of_use {
            self.forget(entry);
        }
        if healed.is_some_and(|healed| healed.plan.is_some()) {
            self.healed.fetch_add(1, Ordering::Relaxed);
            list::PLANS_HEALED.add(1);
        }
    }

    /// Remembers what the hits of `request` brought.
    pub(crate) fn note_documents(
        &self,
        entry: &PlanEntry,
        request: Fingerprint,
        ranges: Vec<Range<u64>>,
    ) {
        let fresh = normalise(ranges);
        self.update(entry, |row| {
            let Some(plan) = &mut row.plan else {
                return false;
            };
            let plans = &mut Arc::make_mut(plan).documents;
            let place = plans.iter().position(|plan| plan.request == request);
            let known = place.map(|at| plans.remove(at).ranges).unwrap_or_default();
            // Blocks that a reader keeps decompressed are not read again, so what is known stays; but
            // not for ever, for the hits of another set of splits are others.
            let all = normalise(known.iter().chain(&fresh).cloned().collect());
            if all == known || fresh.len() > MAX_RANGES {
                return false;
            }
            let is_too_much = bytes_of(&all) > MAX_DOCUMENT_BYTES;
            let ranges = if is_too_much { fresh } else { all };
            plans.push(DocumentPlan { request, ranges });
            if plans.len() > MAX_DOCUMENT_PLANS {
                plans.remove(0);
            }
            true
        });
    }

    /// Forgets a row that is of another version of its object, or whose plan is of no use.
    pub(crate) fn forget(&self, entry: &PlanEntry) {
        self.cache.invalidate(&key(entry));
    }

    /// Forgets the plans of a split that is searched no more.
    pub(crate) fn forget_split(&self, path: &Path) {
        for (key, _) in &self.cache {
            if key.split == *path {
                self.cache.invalidate(&*key);
            }
        }
    }

    /// Takes over what another process recorded; what is known already is kept when it was used
    /// later.
    pub(crate) fn add(&self, entry: Arc<PlanEntry>) {
        if !entry.is_sound() {
            tracing::warn!(split = %entry.split, "a plan is left out: it is no split's");
            return;
        }
        if !self.enabled {
            return;
        }
        self.versions.hear_of(&entry.split, &entry.version);
        let entry = match self.cache.get(&key(&entry)) {
            Some(known) if known.age() > entry.age() => known.completed(&entry),
            Some(known) => entry.completed(&known),
            None => entry,
        };
        self.cache.insert(key(&entry), entry);
    }

    /// All rows, in no order.
    pub(crate) fn all(&self) -> Vec<Arc<PlanEntry>> {
        self.cache.run_pending_tasks();
        self.cache.iter().map(|(_, entry)| entry).collect()
    }

    pub(crate) fn clear(&self) {
        self.cache.invalidate_all();
        self.versions.clear();
    }

    /// Number of rows, and the bytes they take.
    pub(crate) fn usage(&self) -> (u64, u64) {
        self.cache.run_pending_tasks();
        (self.cache.entry_count(), self.cache.weighted_size())
    }

    /// Changes what is known now of what `entry` was once found to be, in one step, and answers it;
    /// nothing happens where `change` says that nothing did.
    ///
    /// A plan that was dropped meanwhile is not taken from `entry` again.
    fn update(
        &self,
        entry: &PlanEntry,
        change: impl FnOnce(&mut PlanEntry) -> bool,
    ) -> Option<Arc<PlanEntry>> {
        let mut changed = None;
        self.cache.entry(key(entry)).and_compute_with(|known| {
            let known = known.map(moka::Entry::into_value);
            let mut row = match known.filter(|known| known.is_beside(entry)) {
                Some(known) => Arc::unwrap_or_clone(known),
                None => entry.clone(),
            };
            if !change(&mut row) {
                return Op::Nop;
            }
            row.last_used = self.clock.seconds();
            let row = changed.insert(Arc::new(row));
            // In the order in which they replace each other.
            if let Some(writer) = &self.writer {
                writer.record(Arc::clone(row));
            }
            Op::Put(Arc::clone(row))
        });
        self.versions.hear_of(&entry.split, &entry.version);
        changed
    }
}

fn key(entry: &PlanEntry) -> Key {
    Key {
        split: entry.split.clone(),
        fingerprint: entry.fingerprint,
    }
}

fn bytes_of(ranges: &[Range<u64>]) -> u64 {
    ranges.iter().map(|range| range.end - range.start).sum()
}
