//! The extent cache against a model: an object whose bytes are known, behind a store that keeps
//! account of what it is asked for.

use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::future::join_all;
use futures_util::stream::BoxStream;
use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    ObjectStoreExt, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use proptest::prelude::*;
use tokio::runtime::Handle;

use super::extents::Acquired;
use super::lookups::Looked;
use super::{CacheSettings, ExtentCache, Lease, LeaseBuilder, Reader, SplitExtents};
use crate::error::ErrorKind;
use crate::store::{
    Fetcher, ObjectHandle, ObjectVersion, Origin, StoreSettings, TrafficCounter, Use,
};

mod counts;

/// Length of the object.
const SIZE: u64 = 5000;

fn byte_at(offset: u64) -> u8 {
    (offset.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8
}

/// Answers after as many turns of the runtime as the range's start says, so that GETs land in
/// another order than they began.
#[derive(Debug)]
struct Ledger {
    inner: InMemory,
    fetched: Mutex<Vec<Range<u64>>>,
}

impl fmt::Display for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ledger")
    }
}

#[async_trait]
impl ObjectStore for Ledger {
    async fn put_opts(&self, to: &Path, with: PutPayload, how: PutOptions) -> Result<PutResult> {
        self.inner.put_opts(to, with, how).await
    }

    async fn put_multipart_opts(
        &self,
        to: &Path,
        how: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        self.inner.put_multipart_opts(to, how).await
    }

    async fn get_opts(&self, from: &Path, how: GetOptions) -> Result<GetResult> {
        let head = how.head;
        let result = self.inner.get_opts(from, how).await?;
        if !head {
            self.fetched.lock().unwrap().push(result.range.clone());
        }
        for _ in 0..byte_at(result.range.start) % 7 {
            tokio::task::yield_now().await;
        }
        Ok(result)
    }

    fn delete_stream(
        &self,
        paths: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(paths)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, how: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, how).await
    }
}

struct Rig {
    ledger: Arc<Ledger>,
    cache: ExtentCache,
    split: Arc<SplitExtents>,
    origins: [Arc<Origin>; 2],
}

impl Rig {
    async fn new(merge_gap: u64, capacity: u64, lease: u64) -> Self {
        let ledger = Arc::new(Ledger {
            inner: InMemory::new(),
            fetched: Mutex::default(),
        });
        let path = Path::from("a.split");
        let bytes: Vec<u8> = (0..SIZE).map(byte_at).collect();
        ledger.put(&path, bytes.into()).await.unwrap();
        let settings = StoreSettings::default()
            .with_merge_gap_bytes(merge_gap)
            .with_max_concurrent_gets(3);
        let store: Arc<dyn ObjectStore> = ledger.clone();
        let fetcher = Arc::new(Fetcher::new(store, settings));
        let settings = CacheSettings::default()
            .with_capacity_bytes(capacity)
            .with_lease_bytes(lease);
        let cache = ExtentCache::new(&settings, fetcher, Handle::current());
        let version = ObjectVersion::of(&ledger.head(&path).await.unwrap());
        let split = cache.split(&ObjectHandle::new(path, version));
        Self {
            ledger,
            cache,
            split,
            origins: [Origin::new("first"), Origin::new("second")],
        }
    }

    /// Acquires one range for an origin, or for a search of its own.
    async fn lease(&self, range: Range<u64>, origin: Option<usize>) -> Lease {
        let origin = origin.map(|origin| &self.origins[origin]);
        let traffic = TrafficCounter::default().for_origin(origin);
        let acquired = self.split.acquire(vec![range], &traffic).await.unwrap();
        let mut builder = LeaseBuilder::default();
        acquired
            .extents
            .into_iter()
            .for_each(|extent| builder.add(extent));
        builder.build()
    }

    /// Bytes fetched, used and wasted, of an origin or of all.
    fn usage(&self, origin: Option<usize>) -> (u64, u64, u64) {
        let usage =
            origin.map_or_else(|| self.cache.usage(), |origin| self.origins[origin].usage());
        (usage.fetched_bytes, usage.used_bytes, usage.wasted_bytes)
    }

    /// Bytes that were fetched more than once.
    fn fetched_twice(&self) -> u64 {
        let mut times: HashMap<u64, u64> = HashMap::new();
        for range in self.ledger.fetched.lock().unwrap().iter() {
            range
                .clone()
                .for_each(|at| *times.entry(at).or_default() += 1);
        }
        times.values().map(|times| times - 1).sum()
    }
}

/// What one task does.
#[derive(Clone, Debug)]
struct Step {
    ranges: Vec<Range<u64>>,
    /// Gives up after so many turns of the runtime.
    patience: Option<u8>,
    /// Lets go of what it holds at once.
    drops: bool,
    /// For whom it acquires.
    origin: Option<usize>,
    /// Who reads what it acquired.
    reader: Reader,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let range = (0..SIZE, 1_u64..400).prop_map(|(start, len)| start..(start + len).min(SIZE));
    let ranges = prop::collection::vec(range, 1..5);
    let reader = prop::sample::select(vec![Reader::Other, Reader::Search]);
    let patience = prop::option::weighted(0.2, 0_u8..12);
    let origin = prop::option::of(0_usize..2);
    let step = (ranges, patience, any::<bool>(), origin, reader).prop_map(
        |(ranges, patience, drops, origin, reader)| Step {
            ranges,
            patience,
            drops,
            origin,
            reader,
        },
    );
    prop::collection::vec(step, 1..30)
}

/// Acquires, and checks that each range is held and holds the right bytes.
async fn take(rig: &Rig, step: Step) -> Option<LeaseBuilder> {
    let origin = step.origin.map(|origin| &rig.origins[origin]);
    let traffic = TrafficCounter::default().for_origin(origin);
    let acquire = rig.split.acquire(step.ranges.clone(), &traffic);
    let give_up = async {
        match step.patience {
            Some(turns) => {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
            }
            None => std::future::pending().await,
        }
    };
    let acquired = tokio::select! {
        acquired = acquire => acquired,
        () = give_up => return None,
    };
    let Acquired { extents, .. } = match acquired {
        Ok(acquired) => acquired,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Budget, "{}", error.chain());
            return None;
        }
    };
    let mut builder = LeaseBuilder::default();
    extents.into_iter().for_each(|extent| builder.add(extent));
    let lease = builder.build();
    for range in &step.ranges {
        let bytes = lease.read(range, step.reader).expect("what was acquired");
        let expected: Vec<u8> = range.clone().map(byte_at).collect();
        assert!(
            bytes.as_slice() == expected,
            "other bytes than those of {range:?}"
        );
    }
    (!step.drops).then_some(builder)
}

/// Runs until nothing is in flight.
async fn settle(cache: &ExtentCache) {
    for _ in 0..100_000 {
        tokio::task::yield_now().await;
        if cache.resident_bytes() == cache.cached_bytes() {
            return;
        }
    }
    panic!(
        "{} bytes resident, {} cached",
        cache.resident_bytes(),
        cache.cached_bytes()
    );
}

fn block_on(work: impl Future<Output = ()>) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().unwrap().block_on(work);
}

/// Runs the steps in `groups` that follow each other; the steps of one run together.
async fn run(rig: &Rig, steps: Vec<Step>, together: usize) {
    let mut held = Vec::new();
    for group in steps.chunks(together.max(1)) {
        let tasks = group.iter().map(|step| take(rig, step.clone()));
        held.extend(join_all(tasks).await.into_iter().flatten());
        assert!(rig.cache.cached_bytes() <= rig.cache.capacity_bytes());
    }
    drop(held);
    assert_eq!(rig.cache.leased_bytes(), 0);
    settle(&rig.cache).await;
    rig.cache.clear();
    assert_eq!(
        (rig.cache.resident_bytes(), rig.cache.cached_bytes()),
        (0, 0)
    );
    // Nothing is left, so all is judged, once.
    let all = rig.cache.usage();
    let parts = rig.origins.each_ref().map(|origin| origin.usage());
    for usage in parts.iter().chain([&all]) {
        let Use {
            fetched_bytes,
            used_bytes,
            wasted_bytes,
        } = *usage;
        assert_eq!(
            fetched_bytes,
            used_bytes + wasted_bytes,
            "{parts:?} of {all:?}"
        );
    }
    assert!(parts[0].used_bytes + parts[1].used_bytes <= all.used_bytes);
    assert!(parts[0].wasted_bytes + parts[1].wasted_bytes <= all.wasted_bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn with_room_for_all_no_byte_is_fetched_twice(steps in steps(), together in 1_usize..12) {
        block_on(async {
            let rig = Rig::new(0, 1 << 20, 1 << 20).await;
            let mut fetched_twice = 0;
            let mut held = Vec::new();
            for group in steps.chunks(together) {
                let tasks = group.iter().map(|step| take(&rig, step.clone()));
                held.extend(join_all(tasks).await.into_iter().flatten());
                fetched_twice = rig.fetched_twice();
            }
            assert_eq!(fetched_twice, 0);
            drop(held);
            run(&rig, Vec::new(), 1).await;
            let fetched: u64 = rig.ledger.fetched.lock().unwrap().iter().map(|r| r.end - r.start).sum();
            assert_eq!(rig.cache.usage().fetched_bytes, fetched);
        });
    }

    #[test]
    fn with_gaps_merged_the_bytes_are_right_and_come_back(
        steps in steps(), together in 1_usize..12, merge_gap in 1_u64..300,
    ) {
        block_on(async {
            let rig = Rig::new(merge_gap, 1 << 20, 1 << 20).await;
            run(&rig, steps, together).await;
        });
    }

    #[test]
    fn with_little_room_the_bytes_are_right_and_come_back(
        steps in steps(), together in 1_usize..12, merge_gap in 0_u64..300,
        capacity in 0_u64..6000, lease in 500_u64..20_000,
    ) {
        block_on(async {
            let rig = Rig::new(merge_gap, capacity, lease).await;
            run(&rig, steps, together).await;
        });
    }
}

#[test]
fn a_full_cache_makes_room_for_what_is_wanted_more_often_and_for_nothing_else() {
    block_on(async {
        let rig = Rig::new(0, 4000, 1 << 20).await;
        let acquire = async |start: u64, asks: u32| {
            let traffic = TrafficCounter::default().expecting(asks);
            let range = start..start + 90;
            drop(
                rig.split
                    .acquire(vec![range.clone()], &traffic)
                    .await
                    .unwrap(),
            );
            // What was looked up is counted by and by.
            rig.cache.cached_bytes();
            rig.split.lookup(&range).is_some()
        };
        for _ in 0..3 {
            for n in 0..7 {
                assert!(acquire(n * 200, 0).await);
            }
        }
        assert!(!acquire(3000, 1).await);
        assert!(acquire(4000, 9).await);
        for _ in 0..6 {
            acquire(3000, 1).await;
        }
        assert!(acquire(3000, 1).await);
    });
}

#[test]
fn a_leased_extent_outlives_its_eviction_and_is_found() {
    block_on(async {
        let rig = Rig::new(0, 1 << 20, 1 << 20).await;
        let traffic = TrafficCounter::default();
        let range = 100..200;
        let acquired = rig.split.acquire(vec![range.clone()], &traffic).await;
        let mut builder = LeaseBuilder::default();
        acquired
            .unwrap()
            .extents
            .into_iter()
            .for_each(|extent| builder.add(extent));
        let lease = builder.build();
        drop(builder);
        rig.cache.clear();
        assert_eq!(rig.cache.cached_bytes(), 0);
        assert_eq!(rig.cache.leased_bytes(), rig.cache.resident_bytes());
        let bytes = lease.read(&range, Reader::Search).unwrap();
        assert_eq!(bytes[0], byte_at(100));
        // Not fetched again, and cached again.
        let part = 120..130;
        let again = rig.split.acquire(vec![part], &traffic).await.unwrap();
        assert!(!again.waited);
        assert_eq!(traffic.gets(), 1);
        assert!(rig.cache.cached_bytes() > 0);
        drop((again, lease));
        rig.cache.clear();
        assert_eq!(rig.cache.resident_bytes(), 0);
    });
}

#[test]
fn a_dropped_cache_frees_its_extents() {
    block_on(async {
        let rig = Rig::new(0, 1 << 20, 1 << 20).await;
        let traffic = TrafficCounter::default();
        let ranges = (0..10).map(|n| n * 300..n * 300 + 100).collect();
        let acquired = rig.split.acquire(ranges, &traffic).await.unwrap();
        let extents: Vec<_> = acquired.extents.iter().map(Arc::downgrade).collect();
        drop(acquired);
        assert!(extents.iter().all(|extent| extent.strong_count() == 1));
        let Rig { cache, split, .. } = rig;
        drop((cache, split));
        // The tasks that fetched hold the cache until they have ended.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(extents.iter().all(|extent| extent.strong_count() == 0));
    });
}

#[test]
fn what_a_search_reads_is_used_once_and_what_none_reads_is_wasted_when_it_goes() {
    block_on(async {
        let rig = Rig::new(0, 1 << 20, 1 << 20).await;
        let (read, unread) = (100..200, 300..350);
        let lease = rig.lease(read.clone(), Some(0)).await;
        let other = rig.lease(unread.clone(), Some(0)).await;
        for _ in 0..3 {
            // Who looks for what a search will read uses nothing.
            other.read(&unread, Reader::Other).unwrap();
            assert_eq!(rig.usage(Some(0)).2, 0);
        }
        assert_eq!(rig.usage(Some(0)), (150, 0, 0));
        for _ in 0..3 {
            lease.read(&(120..130), Reader::Search).unwrap();
            assert_eq!(rig.usage(Some(0)), (150, 100, 0));
        }
        // Evicted and leased, it may still be read.
        rig.cache.clear();
        assert_eq!(rig.usage(Some(0)), (150, 100, 0));
        drop((lease, other));
        assert_eq!(rig.usage(Some(0)), (150, 100, 50));
        assert_eq!(rig.usage(None), (150, 100, 50));
        assert_eq!(rig.usage(Some(1)), (0, 0, 0));
    });
}

#[test]
fn who_comes_second_is_not_charged_for_what_is_there() {
    block_on(async {
        let rig = Rig::new(0, 1 << 20, 1 << 20).await;
        drop(rig.lease(100..200, Some(0)).await);
        let lease = rig.lease(100..250, Some(1)).await;
        assert_eq!(
            (rig.usage(Some(0)), rig.usage(Some(1))),
            ((100, 0, 0), (50, 0, 0))
        );
        let search = rig.lease(240..300, None).await;
        assert_eq!(rig.usage(None), (200, 0, 0));
        drop((lease, search));
    });
}

#[test]
fn a_joined_extent_carries_on_the_fates_of_its_parts() {
    block_on(async {
        for is_read in [true, false] {
            let rig = Rig::new(0, 1 << 20, 1 << 20).await;
            let first = rig.lease(0..100, Some(0)).await;
            first.read(&(0..10), Reader::Search).unwrap();
            drop((first, rig.lease(100..200, Some(1)).await));
            let joined = rig.lease(50..150, None).await;
            // The parts have left the cache, and their bytes have not left memory.
            assert_eq!(rig.cache.cached_extents(), 1);
            assert_eq!(rig.usage(None), (200, 100, 0));
            if is_read {
                joined.read(&(90..110), Reader::Search).unwrap();
                assert_eq!(rig.usage(Some(1)), (100, 100, 0));
            }
            drop(joined);
            rig.cache.clear();
            assert_eq!(rig.usage(Some(0)), (100, 100, 0));
            let rest = if is_read {
                (100, 100, 0)
            } else {
                (100, 0, 100)
            };
            assert_eq!(rig.usage(Some(1)), rest);
        }
    });
}
