use std::ops::Range;
use std::sync::Arc;

use object_store::path::Path;
use shuttle::future::{self, JoinHandle, block_on};
use shuttle::thread;
use tokio::runtime::Handle;

use crate::cache::bounded::ExtentCache;
use crate::cache::extent::{EXTENT_OVERHEAD_BYTES, Extent};
use crate::cache::extents::SplitExtents;
use crate::cache::fate::Reader;
use crate::cache::lease::LeaseBuilder;
use crate::cache::settings::CacheSettings;
use crate::error::{ErrorKind, Result};
use crate::explore::explore;
use crate::store::{Fetcher, ObjectHandle, ObjectVersion, TrafficCounter};

/// One split, whose GETs go one at a time.
#[derive(Clone)]
struct Rig {
    fetcher: Arc<Fetcher>,
    cache: ExtentCache,
    split: Arc<SplitExtents>,
}

type Waiter = JoinHandle<Result<Vec<Arc<Extent>>>>;

impl Rig {
    /// With room for everything.
    fn new() -> Self {
        Self::of(1 << 20, 1 << 20, 100)
    }

    fn of(capacity: u64, lease: u64, size: u64) -> Self {
        let fetcher = Arc::new(Fetcher::new(1));
        let settings = CacheSettings::default()
            .with_capacity_bytes(capacity)
            .with_lease_bytes(lease);
        let cache = ExtentCache::new(&settings, Arc::clone(&fetcher), Handle::current());
        let version = ObjectVersion {
            size,
            e_tag: None,
            version: None,
        };
        let split = cache.split(&ObjectHandle::new(Path::from("a.split"), version));
        Self {
            fetcher,
            cache,
            split,
        }
    }

    async fn acquire(self, range: Range<u64>) -> Result<Vec<Arc<Extent>>> {
        let traffic = TrafficCounter::default();
        let acquired = self.split.acquire(vec![range.clone()], &traffic).await?;
        let extent = acquired.extents.first().expect("one for each range");
        let bytes: Vec<u8> = range.clone().map(|at| at as u8).collect();
        assert_eq!(extent.slice(&range).as_slice(), bytes);
        Ok(acquired.extents)
    }

    fn spawn(&self, range: Range<u64>) -> Waiter {
        future::spawn(self.clone().acquire(range))
    }

    /// Bytes of all GETs.
    fn sent_bytes(&self) -> u64 {
        let sent = self.fetcher.sent();
        sent.iter().map(|range| range.end - range.start).sum()
    }

    fn has_sent_only(&self, range: Range<u64>) {
        let sent = self.fetcher.sent();
        assert!(sent.len() == 1 && sent[0] == range, "{sent:?}");
    }

    /// Nobody holds anything any more: all that was reserved has come back, and all that was fetched
    /// is judged, once.
    fn is_empty_once_cleared(&self) {
        // Waiters and flights hold the split. What was begun for somebody who has gone still lands.
        while Arc::strong_count(&self.split) > 1 {
            thread::yield_now();
        }
        self.cache.clear();
        assert_eq!(self.cache.resident_bytes(), 0);
        assert_eq!(self.cache.leased_bytes(), 0);
        let usage = self.cache.usage();
        let judged = usage.used_bytes + usage.wasted_bytes;
        assert_eq!(judged, usage.fetched_bytes, "{usage:?}");
    }
}

#[test]
fn all_who_want_the_same_bytes_share_one_get() {
    explore(|| {
        let rig = Rig::new();
        let waiters = [10..20, 10..20, 12..18].map(|range| rig.spawn(range));
        for waiter in waiters {
            block_on(waiter).unwrap().unwrap();
        }
        // Or two that touch, when the part was asked for first.
        assert_eq!(rig.sent_bytes(), 10, "{:?}", rig.fetcher.sent());
        rig.is_empty_once_cleared();
    });
}

#[test]
fn of_ranges_that_overlap_each_byte_is_fetched_once() {
    explore(|| {
        let rig = Rig::new();
        let waiters = [0..10, 5..15, 12..20].map(|range| rig.spawn(range));
        for waiter in waiters {
            block_on(waiter).unwrap().unwrap();
        }
        assert_eq!(rig.sent_bytes(), 20, "{:?}", rig.fetcher.sent());
        rig.is_empty_once_cleared();
    });
}

#[test]
fn a_waiter_that_goes_takes_nothing_from_those_who_stay() {
    explore(|| {
        let rig = Rig::new();
        let [goes, stays, late] = [0..10, 0..10, 0..10].map(|range| rig.spawn(range));
        let goer = thread::spawn(move || goes.abort());
        block_on(stays).unwrap().unwrap();
        block_on(late).unwrap().unwrap();
        goer.join().unwrap();
        rig.has_sent_only(0..10);
        rig.is_empty_once_cleared();
    });
}

#[test]
fn a_get_that_nobody_waits_for_is_not_begun_and_may_be_asked_for_again() {
    explore(|| {
        let rig = Rig::new();
        let fetcher = Arc::clone(&rig.fetcher);
        let held = block_on(fetcher.hold());
        let first = rig.spawn(0..10);
        let goer = thread::spawn(move || {
            first.abort();
            let _ = block_on(first);
        });
        // It comes while the first goes, finds its flight or none, and must not wait for ever.
        let again = rig.spawn(0..10);
        goer.join().unwrap();
        assert!(rig.fetcher.sent().is_empty());
        drop(held);
        block_on(again).unwrap().unwrap();
        rig.has_sent_only(0..10);
        rig.is_empty_once_cleared();
    });
}

#[test]
fn a_get_given_up_while_it_begins_is_sent_once_or_not_at_all() {
    explore(|| {
        let rig = Rig::new();
        let fetcher = Arc::clone(&rig.fetcher);
        let held = block_on(fetcher.hold());
        let first = rig.spawn(0..10);
        let goer = thread::spawn(move || first.abort());
        drop(held);
        goer.join().unwrap();
        // What has begun is waited for again and not sent again.
        block_on(rig.clone().acquire(0..10)).unwrap();
        rig.has_sent_only(0..10);
        rig.is_empty_once_cleared();
    });
}

#[test]
fn a_get_that_fails_fails_for_all_who_wait_and_is_sent_again_for_the_next() {
    explore(|| {
        let rig = Rig::of(1 << 20, 1 << 20, 0);
        let waiters = [0..10, 0..10, 0..10].map(|range| rig.spawn(range));
        for waiter in waiters {
            let error = block_on(waiter).unwrap().map(|_| ()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Store, "{error}");
        }
        let sent = rig.fetcher.sent().len();
        assert!((1..=3).contains(&sent));
        assert!(block_on(rig.clone().acquire(0..10)).is_err());
        assert_eq!(rig.fetcher.sent().len(), sent + 1);
        rig.is_empty_once_cleared();
    });
}

#[test]
fn fetches_that_do_not_fit_beside_each_other_never_take_more_than_there_is() {
    const CAPACITY: u64 = 10 + EXTENT_OVERHEAD_BYTES;
    const LEASE: u64 = CAPACITY / 2;
    explore(|| {
        let rig = Rig::of(CAPACITY, LEASE, 100);
        let waiters = [0..10, 50..60].map(|range| rig.spawn(range));
        let mut held = Vec::new();
        for waiter in waiters {
            match block_on(waiter).unwrap() {
                Ok(extents) => held.extend(extents),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Budget, "{error}"),
            }
            assert!(rig.cache.resident_bytes() <= CAPACITY + LEASE);
        }
        assert!(!held.is_empty(), "one always fits");
        drop(held);
        rig.is_empty_once_cleared();
    });
}

#[test]
fn what_is_held_is_found_though_its_predecessor_is_evicted_meanwhile() {
    explore(|| {
        let rig = Rig::new();
        drop(block_on(rig.clone().acquire(0..10)).unwrap());
        let evictor = thread::spawn({
            let cache = rig.cache.clone();
            move || cache.clear()
        });
        // One finds what covers its range or fetches it again, the other finds a part of its own.
        let waiters = [0..10, 5..15].map(|range| rig.spawn(range));
        let held = waiters.map(|waiter| block_on(waiter).unwrap().unwrap());
        evictor.join().unwrap();
        let sent = rig.fetcher.sent().len();
        for range in [0..10, 5..15] {
            block_on(rig.clone().acquire(range)).unwrap();
        }
        assert_eq!(rig.fetcher.sent().len(), sent);
        drop(held);
        rig.is_empty_once_cleared();
    });
}

#[test]
fn what_is_leased_outlives_its_eviction_and_is_counted_once() {
    explore(|| {
        let rig = Rig::new();
        let lease = |range: Range<u64>| {
            let rig = rig.clone();
            future::spawn(async move {
                let mut builder = LeaseBuilder::default();
                for extent in rig.clone().acquire(range.clone()).await.unwrap() {
                    builder.add(extent);
                }
                let lease = builder.build();
                drop(builder);
                rig.cache.clear();
                assert!(lease.read(&range, Reader::Other).is_some());
                lease
            })
        };
        let leases = [lease(0..10), lease(0..10), lease(20..30)];
        let leases = leases.map(|lease| block_on(lease).unwrap());
        let each = 10 + EXTENT_OVERHEAD_BYTES;
        assert_eq!(rig.cache.leased_bytes(), 2 * each);
        assert_eq!(rig.cache.resident_bytes(), 2 * each);
        let enders = leases.map(|lease| thread::spawn(move || drop(lease)));
        enders.into_iter().for_each(|ender| ender.join().unwrap());
        rig.is_empty_once_cleared();
    });
}

#[test]
fn bytes_are_used_or_wasted_once_whoever_reads_them_while_they_go() {
    explore(|| {
        let rig = Rig::new();
        let [first, second] = [0, 1].map(|_| block_on(rig.clone().acquire(0..10)).unwrap());
        drop(block_on(rig.clone().acquire(40..50)).unwrap());
        let readers = [first, second].map(|held| {
            thread::spawn(move || {
                held[0].read(&(0..10), Reader::Search);
                drop(held);
            })
        });
        let evictor = thread::spawn({
            let cache = rig.cache.clone();
            move || cache.clear()
        });
        // A copy of a part of them may be made meanwhile, which shares their fate.
        drop(block_on(rig.clone().acquire(5..15)).unwrap());
        readers.into_iter().for_each(|it| it.join().unwrap());
        evictor.join().unwrap();
        rig.is_empty_once_cleared();
        let usage = rig.cache.usage();
        assert_eq!(usage.used_bytes, 10);
        assert_eq!(usage.fetched_bytes, rig.sent_bytes());
    });
}
