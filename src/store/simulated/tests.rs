use object_store::ObjectStoreExt;
use object_store::memory::InMemory;

use super::*;

async fn store(settings: SimulatedSettings, size: usize) -> (SimulatedStore, Path) {
    let inner = Arc::new(InMemory::new());
    let path = Path::from("a.split");
    inner.put(&path, vec![7; size].into()).await.unwrap();
    (SimulatedStore::new(inner, settings), path)
}

/// Simulated milliseconds of `count` GETs of ten bytes, one after another.
async fn times(settings: SimulatedSettings, count: usize) -> Vec<u128> {
    let (store, path) = store(settings, 10).await;
    let mut times = Vec::with_capacity(count);
    for _ in 0..count {
        let start = Instant::now();
        store.get_range(&path, 0..10).await.unwrap();
        times.push(start.elapsed().as_millis());
    }
    times
}

#[tokio::test(start_paused = true)]
async fn the_median_is_as_asked_and_the_tail_is_that_of_s3() {
    for median in [20, 30] {
        let first_byte = Duration::from_millis(median);
        let settings = SimulatedSettings {
            first_byte,
            bytes_per_second: 0,
            ..Default::default()
        };
        let mut times = times(settings, 4000).await;
        times.sort_unstable();
        let scale = median as f64 / 20.0;
        let (p50, p99) = (times[2000] as f64 / scale, times[3960] as f64 / scale);
        assert!((19.0..=22.5).contains(&p50), "p50 {p50}");
        assert!((95.0..=150.0).contains(&p99), "p99 {p99}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_seed_decides_every_delay() {
    let seeded = |seed| SimulatedSettings {
        seed,
        ..Default::default()
    };
    let first = times(seeded(1), 50).await;
    assert_eq!(first, times(seeded(1), 50).await);
    assert_ne!(first, times(seeded(2), 50).await);
}

#[tokio::test(start_paused = true)]
async fn without_a_tail_every_request_takes_the_median() {
    let first_byte = Duration::from_millis(30);
    let settings = SimulatedSettings {
        first_byte,
        tail: 0.0,
        bytes_per_second: 0,
        ..Default::default()
    };
    assert_eq!(times(settings, 20).await, vec![30; 20]);
}

#[tokio::test(start_paused = true)]
async fn a_body_arrives_at_the_bandwidth_of_a_connection() {
    let settings = SimulatedSettings {
        first_byte: Duration::ZERO,
        bytes_per_second: 10_000_000,
        ..Default::default()
    };
    let (store, path) = store(settings, 5_000_000).await;
    let start = Instant::now();
    let (one, other) = tokio::join!(
        store.get_range(&path, 0..1_000_000),
        store.get_range(&path, 0..500_000)
    );
    assert_eq!(
        (one.unwrap().len(), other.unwrap().len()),
        (1_000_000, 500_000)
    );
    // Each connection has its own bandwidth: the two took as long as the longer one.
    let took = start.elapsed().as_millis();
    assert!((100..=102).contains(&took), "{took} ms");
    assert_eq!((store.requests(), store.bytes()), (2, 1_500_000));
}

// Not a tokio test: an instant store must not need a timer, and so no runtime either.
#[test]
fn an_instant_store_never_touches_a_timer() {
    futures_util::FutureExt::now_or_never(async {
        let (store, path) = store(SimulatedSettings::instant(), 1_000_000).await;
        assert_eq!(store.head(&path).await.unwrap().size, 1_000_000);
        let body = store.get(&path).await.unwrap().bytes().await.unwrap();
        assert_eq!(body.len(), 1_000_000);
        assert_eq!((store.requests(), store.bytes()), (2, 1_000_000));
    })
    .expect("nothing to wait for");
}

#[tokio::test(start_paused = true)]
async fn faults_come_as_often_as_asked_and_by_seed() {
    let settings = SimulatedSettings {
        error: 0.25,
        seed: 3,
        ..SimulatedSettings::instant()
    };
    let outcomes = async || {
        let (store, path) = store(settings.clone(), 10).await;
        let mut failed = Vec::new();
        for _ in 0..1000 {
            failed.push(store.get(&path).await.is_err());
        }
        failed
    };
    let first = outcomes().await;
    let failed = first.iter().filter(|failed| **failed).count();
    assert!((200..300).contains(&failed), "{failed} of 1000 failed");
    assert_eq!(first, outcomes().await);
}

#[tokio::test(start_paused = true)]
async fn a_fault_shows_as_the_real_one_does() {
    let instant = SimulatedSettings::instant;

    let (failing, path) = store(
        SimulatedSettings {
            error: 1.0,
            ..instant()
        },
        10,
    )
    .await;
    let error = failing.get(&path).await.unwrap_err();
    assert!(
        matches!(error, object_store::Error::Generic { .. }),
        "{error:?}"
    );

    let (short, path) = store(
        SimulatedSettings {
            truncate: 1.0,
            ..instant()
        },
        10,
    )
    .await;
    let result = short.get(&path).await.unwrap();
    assert_eq!(result.range, 0..10);
    let body: Vec<_> = result.into_stream().collect().await;
    assert_eq!(
        body.iter()
            .map(|piece| piece.as_ref().unwrap().len())
            .sum::<usize>(),
        5
    );

    let (stalled, path) = store(
        SimulatedSettings {
            stall: 1.0,
            ..instant()
        },
        10,
    )
    .await;
    let body = stalled.get(&path).await.unwrap().bytes();
    tokio::time::timeout(Duration::from_secs(3600), body)
        .await
        .unwrap_err();

    let slow = SimulatedSettings {
        slow: 1.0,
        tail: 0.0,
        bytes_per_second: 0,
        ..SimulatedSettings::default()
    };
    let (slow, path) = store(slow, 10).await;
    let start = Instant::now();
    slow.get(&path).await.unwrap();
    assert_eq!(start.elapsed().as_millis(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_missing_object_is_missed_after_the_usual_wait() {
    let (store, _) = store(
        SimulatedSettings {
            tail: 0.0,
            ..Default::default()
        },
        10,
    )
    .await;
    let start = Instant::now();
    let error = store.get(&Path::from("other")).await.unwrap_err();
    assert!(
        matches!(error, object_store::Error::NotFound { .. }),
        "{error:?}"
    );
    assert_eq!(start.elapsed().as_millis(), 20);
}

#[test]
fn absurd_settings_do_not_panic() {
    let settings = SimulatedSettings {
        first_byte: Duration::MAX,
        tail: f64::INFINITY,
        error: f64::NAN,
        slow: -3.0,
        ..Default::default()
    };
    let mut rng = StdRng::seed_from_u64(1);
    for _ in 0..100 {
        settings.draw_first_byte(&mut rng);
        assert_eq!(settings.draw_fault(&mut rng), None);
    }
}
