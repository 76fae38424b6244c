//! What is counted: what became of bytes, and what was found.

use super::*;

#[test]
fn what_opening_reads_is_never_wasted_and_used_by_a_search() {
    block_on(async {
        let rig = Rig::new(0, 1 << 20, 1 << 20).await;
        let traffic = TrafficCounter::default().for_origin(Some(&rig.origins[0]));
        rig.split
            .read(0..10, Reader::Opening, &traffic)
            .await
            .unwrap();
        rig.split
            .read(20..50, Reader::Opening, &traffic)
            .await
            .unwrap();
        let tail = rig.split.insert(60, &[0; 5], &traffic);
        tail.iter()
            .for_each(|extent| extent.read_by(Reader::Opening));
        assert_eq!(rig.usage(Some(0)), (45, 0, 0));
        rig.split
            .read(20..21, Reader::Search, &traffic)
            .await
            .unwrap();
        rig.cache.clear();
        assert_eq!(rig.usage(Some(0)), (45, 30, 0));
    });
}

#[test]
fn what_comes_of_a_small_split_is_put_around_what_is_there() {
    block_on(async {
        let rig = Rig::new(0, 1 << 20, 1 << 20).await;
        let traffic = TrafficCounter::default();
        let there = rig
            .split
            .acquire(vec![20..25, 25..30], &traffic)
            .await
            .unwrap();
        let bytes = vec![0; 100];
        let put = rig.split.insert(0, &bytes, &traffic);
        let put: Vec<_> = put.iter().map(|extent| extent.range().clone()).collect();
        assert_eq!(put, [0..20, 30..100]);
        assert!(rig.split.insert(0, &bytes, &traffic).is_empty());
        let sent = traffic.snapshot().gets;
        let all = rig
            .split
            .acquire(vec![0..50, 50..100], &traffic)
            .await
            .unwrap();
        assert_eq!((sent, traffic.snapshot().gets, all.waited), (1, 1, false));
        drop(there);
    });
}

#[test]
fn what_was_wanted_is_found_or_missing() {
    block_on(async {
        let rig = Rig::new(0, 1 << 20, 1 << 20).await;
        let traffic = TrafficCounter::default();
        // Opening and late reads are counted elsewhere, or not at all.
        rig.split
            .acquire_to_open(vec![0..30, 30..60], &traffic)
            .await
            .unwrap();
        rig.split
            .read(60..100, Reader::Search, &traffic)
            .await
            .unwrap();
        assert_eq!(rig.cache.looked(), Looked::default());
        let wanted = vec![300..310, 0..20, 50..150];
        let acquired = join_all([
            rig.split.acquire(wanted.clone(), &traffic),
            // The same is on its way.
            rig.split.acquire(wanted.clone(), &traffic),
        ]);
        assert!(acquired.await.iter().all(|acquired| acquired.is_ok()));
        let mut looked = Looked {
            hits: 2,
            hit_bytes: 2 * (20 + 50),
            misses: 4,
            miss_bytes: 2 * (50 + 10),
        };
        assert_eq!(rig.cache.looked(), looked);
        rig.split.acquire(wanted, &traffic).await.unwrap();
        (looked.hits, looked.hit_bytes) = (5, 2 * 70 + 130);
        assert_eq!(rig.cache.looked(), looked);
    });
}

#[test]
fn what_is_held_in_parts_is_there() {
    block_on(async {
        let rig = Rig::new(0, 1 << 20, 1 << 20).await;
        let traffic = TrafficCounter::default();
        for (start, len) in [(0, 20), (20, 30), (60, 10)] {
            rig.split.insert(start, &vec![0; len], &traffic);
        }
        for (range, is_here) in [
            (0..50, true),
            (5..45, true),
            (20..50, true),
            (0..51, false),
            (45..65, false),
            (70..80, false),
        ] {
            assert_eq!(rig.split.recall_parts(&range), is_here, "{range:?}");
        }
    });
}
