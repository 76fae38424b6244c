//! The fetcher over a store with the latency of S3, under paused time.

use std::sync::Arc;
use std::time::Duration;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};
use tokio::time::Instant;

use super::{
    Fetcher, GetOutcome, HedgeSettings, ObjectHandle, ObjectVersion, Priority, Request,
    SimulatedSettings, SimulatedStore, StoreSettings, TrafficCounter,
};
use crate::error::ErrorKind;

/// A fetcher over one object of `size` bytes.
struct Rig {
    store: Arc<SimulatedStore>,
    fetcher: Arc<Fetcher>,
    object: ObjectHandle,
}

impl Rig {
    async fn new(simulated: SimulatedSettings, settings: StoreSettings, size: u64) -> Self {
        let inner = Arc::new(InMemory::new());
        let path = Path::from("a.split");
        let bytes: Vec<u8> = (0..size).map(byte_at).collect();
        inner.put(&path, bytes.into()).await.unwrap();
        let version = ObjectVersion::of(&inner.head(&path).await.unwrap());
        let store = Arc::new(SimulatedStore::new(inner, simulated));
        let dynamic: Arc<dyn ObjectStore> = store.clone();
        Self {
            store,
            fetcher: Arc::new(Fetcher::new(dynamic, settings)),
            object: ObjectHandle::new(path, version),
        }
    }
}

fn byte_at(at: u64) -> u8 {
    (at.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8
}

fn steady() -> SimulatedSettings {
    SimulatedSettings {
        first_byte: Duration::from_millis(30),
        tail: 0.0,
        ..SimulatedSettings::default()
    }
}

#[tokio::test(start_paused = true)]
async fn pieces_land_side_by_side_in_one_buffer() {
    const SIZE: u64 = 36_000_000;
    for (pieces, error) in [(1, 0.0), (8, 0.0), (8, 0.4)] {
        let simulated = SimulatedSettings {
            error,
            seed: 5,
            ..steady()
        };
        let settings = StoreSettings::default()
            .with_max_pieces(pieces)
            .with_max_attempts(20);
        let rig = Rig::new(simulated, settings, SIZE).await;
        let whole: Vec<_> = std::iter::once(0..SIZE).collect();
        let batches = rig.fetcher.coalescing().batches(&whole, |_| false, 0);
        assert_eq!(batches.len(), 1);
        assert_eq!(batches[0].gets, u64::from(pieces));
        let traffic = TrafficCounter::default().traced();
        let started = Instant::now();
        let body = rig
            .fetcher
            .get_pieces(&rig.object, &batches[0].pieces(), &traffic, || Ok(()))
            .await
            .unwrap();
        let took = started.elapsed().as_millis();
        assert!(body.iter().zip(0..).all(|(&byte, at)| byte == byte_at(at)));
        assert_eq!(body.len() as u64, SIZE);
        assert_eq!(traffic.snapshot().gets, rig.store.requests());
        assert_eq!(traffic.trace().len() as u64, rig.store.requests());
        if error == 0.0 {
            assert_eq!(rig.store.requests(), u64::from(pieces));
            // 400 ms of body by one connection.
            let expected = 30 + 400 / u128::from(pieces);
            assert!((expected..expected + 3).contains(&took), "{took} ms");
        } else {
            assert!(rig.store.requests() > 8);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn costs_are_learnt_from_the_gets_as_they_go() {
    let simulated = SimulatedSettings {
        first_byte: Duration::from_millis(4),
        bytes_per_second: 32_000_000,
        tail: 0.0,
        ..SimulatedSettings::default()
    };
    let rig = Rig::new(simulated, StoreSettings::default(), 1_000_000).await;
    assert_eq!(rig.fetcher.coalescing().gap, 1 << 20);
    let traffic = TrafficCounter::default();
    for _ in 0..200 {
        let get = rig.fetcher.get_range(&rig.object, 0..1_000_000, &traffic);
        get.await.unwrap();
    }
    // 4 ms at 32 MB/s.
    assert_eq!(rig.fetcher.coalescing().gap, 128 << 10);
    assert_eq!(rig.fetcher.coalescing().piece, 4 << 20);
}

#[tokio::test]
async fn what_is_fetched_unasked_is_allowed_and_takes_no_longer_than_a_round() {
    let allowed = [0, 1 << 20, 1 << 30];
    let mut told = Vec::new();
    for whole_split_bytes in allowed {
        let settings = StoreSettings::default().with_whole_split_bytes(whole_split_bytes);
        let rig = Rig::new(steady(), settings, 1_000).await;
        // Two megabytes come on one connection in the time to a first byte, 32 on all.
        let asked = [
            (1 << 20, 1),
            (2 << 20, 1),
            (2 << 20, 16),
            (2 << 20, 17),
            (3 << 20, 1),
        ];
        told.push(asked.map(|(bytes, splits)| rig.fetcher.is_little(bytes, splits)));
    }
    assert_eq!(told[0], [false; 5]);
    assert_eq!(told[1], [true, false, false, false, false]);
    assert_eq!(told[2], [true, true, true, false, false]);
}

#[tokio::test(start_paused = true)]
async fn small_gets_go_first_and_what_is_joined_before_what_is_prefetched() {
    let settings = StoreSettings::default().with_max_concurrent_gets(1);
    let rig = Rig::new(steady(), settings, 1_000_000).await;
    let prefetch = TrafficCounter::of(&Request::default(), Priority::Prefetch).traced();
    let joined = TrafficCounter::of(&Request::default(), Priority::Prefetch).traced();
    let read = |traffic: &TrafficCounter, bytes: u64| {
        let (fetcher, object, traffic) = (&rig.fetcher, &rig.object, traffic.clone());
        async move {
            fetcher
                .get_range(object, 0..bytes, &traffic)
                .await
                .unwrap()
                .len()
        }
    };
    let raise = async { joined.urgency().raise() };
    tokio::join!(
        read(&prefetch, 9),
        read(&prefetch, 3000),
        read(&prefetch, 1000),
        read(&joined, 500_000),
        read(&joined, 2000),
        raise
    );
    let mut sent = prefetch.trace();
    // Of two traces that began in the same moment.
    sent.extend(joined.trace());
    sent.sort_by_key(|get| get.sent_us);
    let order: Vec<u64> = sent.iter().map(|get| get.bytes).collect();
    assert_eq!(order, [9, 2000, 500_000, 1000, 3000]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_is_asked_less_and_less() {
    let simulated = SimulatedSettings {
        error: 1.0,
        ..steady()
    };
    let settings = StoreSettings::default().with_max_attempts(1000);
    let slots = settings.max_concurrent_gets as u64;
    let rig = Rig::new(simulated, settings, 1_000).await;
    let traffic = TrafficCounter::default();
    let gets = (0..500).map(|_| rig.fetcher.get_range(&rig.object, 0..100, &traffic));
    let gets = futures_util::future::join_all(gets);
    let watch = async {
        let mut before = 0;
        let mut a_second = Vec::new();
        for _ in 0..20 {
            tokio::time::sleep(Duration::from_secs(1)).await;
            a_second.push(rig.store.requests() - before);
            before = rig.store.requests();
        }
        a_second
    };
    let a_second = tokio::select! {
        _ = gets => panic!("nothing succeeds, and deadlines are longer"),
        a_second = watch => a_second,
    };
    // All slots at first, then halves of them, ever later.
    assert!((slots..slots * 2).contains(&a_second[0]), "{a_second:?}");
    let late: u64 = a_second[10..].iter().sum();
    assert!(late <= 4, "{a_second:?}");
    assert_eq!(rig.fetcher.refusals(), rig.store.requests());
}

#[tokio::test(start_paused = true)]
async fn a_get_that_is_held_back_still_meets_its_deadline() {
    let simulated = SimulatedSettings {
        error: 1.0,
        ..steady()
    };
    let settings = StoreSettings::default()
        .with_max_attempts(1000)
        .with_get_deadline(Duration::from_secs(7));
    let rig = Rig::new(simulated, settings, 1_000).await;
    let started = Instant::now();
    let traffic = TrafficCounter::default();
    let get = rig.fetcher.get_range(&rig.object, 0..100, &traffic);
    assert_eq!(get.await.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(started.elapsed() < Duration::from_millis(7_010));
}

#[tokio::test(start_paused = true)]
async fn a_store_that_refuses_some_serves_all_in_the_end() {
    let simulated = SimulatedSettings {
        error: 0.05,
        seed: 3,
        ..steady()
    };
    let settings = StoreSettings::default().with_max_attempts(20);
    let rig = Rig::new(simulated, settings, 1_000).await;
    let traffic = TrafficCounter::default();
    let gets = (0..1000).map(|_| rig.fetcher.get_range(&rig.object, 0..100, &traffic));
    let started = Instant::now();
    for got in futures_util::future::join_all(gets).await {
        assert_eq!(got.unwrap().len(), 100);
    }
    assert!(rig.fetcher.refusals() > 20);
    assert!(
        started.elapsed() < Duration::from_secs(120),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test(start_paused = true)]
async fn slow_gets_are_sent_twice_but_few_of_them() {
    const GETS: usize = 4000;
    let simulated = SimulatedSettings {
        slow: 0.02,
        seed: 11,
        ..steady()
    };
    let times = async |settings: StoreSettings| {
        let rig = Rig::new(simulated.clone(), settings, 10_000).await;
        let traffic = TrafficCounter::default().traced();
        let mut times = Vec::new();
        for n in 0..GETS as u64 {
            let started = Instant::now();
            let range = n..n + 1_000;
            let body = rig.fetcher.get_range(&rig.object, range, &traffic).await;
            assert!(
                body.unwrap()
                    .iter()
                    .zip(n..)
                    .all(|(&byte, at)| byte == byte_at(at))
            );
            times.push(started.elapsed().as_millis());
        }
        times.sort_unstable();
        let lost = traffic
            .trace()
            .iter()
            .filter(|get| get.outcome == GetOutcome::Lost)
            .count();
        assert_eq!(traffic.snapshot().gets, GETS as u64 + rig.fetcher.hedged());
        assert_eq!(lost as u64, rig.fetcher.hedged());
        (times[GETS * 99 / 100], lost)
    };
    let (without, none) = times(StoreSettings::default()).await;
    assert!((300..303).contains(&without) && none == 0, "{without} ms");
    let settings = StoreSettings::default().with_hedge(HedgeSettings::default());
    let (with, lost) = times(settings).await;
    assert!(with <= 62, "{with} ms");
    assert!((60..GETS / 20).contains(&lost), "{lost} of {GETS}");
}

#[tokio::test(start_paused = true)]
async fn whole_objects_come_in_pieces_by_the_speed_of_the_store() {
    const MIB: u64 = 1 << 20;
    let slow = SimulatedSettings {
        first_byte: Duration::from_millis(15),
        bytes_per_second: 10_000_000,
        ..steady()
    };
    for (gets, in_flight, at_first, in_the_end) in [
        (128, 256 * MIB, 8, 2),
        (48, 256 * MIB, 8, 4),
        (1000, 256 * MIB, 8, 1),
        (1, u64::MAX, 8, 8),
        (1000, 1, 8, 1),
    ] {
        let settings = StoreSettings::default()
            .with_max_concurrent_gets(gets)
            .with_in_flight_bytes(in_flight);
        let rig = Rig::new(slow.clone(), settings, MIB).await;
        assert_eq!(rig.fetcher.bulk_piece(), at_first * MIB);
        let traffic = TrafficCounter::default();
        for _ in 0..150 {
            let get = rig.fetcher.get_range(&rig.object, 0..MIB, &traffic);
            get.await.unwrap();
        }
        assert_eq!(rig.fetcher.bulk_piece(), in_the_end * MIB, "{gets}");
    }
}
