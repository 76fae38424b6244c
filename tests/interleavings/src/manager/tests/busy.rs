use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use shuttle::future::{self, block_on};
use shuttle::thread;

use crate::explore::explore;
use crate::manager::busy::Busy;

#[test]
fn nothing_begins_once_stopping_has_begun() {
    explore(|| {
        let busy = Arc::new(Busy::default());
        let has_stopped = Arc::new(AtomicBool::new(false));
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (busy, has_stopped) = (Arc::clone(&busy), Arc::clone(&has_stopped));
                thread::spawn(move || {
                    let was_stopped = has_stopped.load(Ordering::SeqCst);
                    let working = busy.begin();
                    assert!(!(was_stopped && working.is_some()));
                    drop(working);
                })
            })
            .collect();
        busy.stop();
        has_stopped.store(true, Ordering::SeqCst);
        assert!(busy.is_stopping());
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
    });
}

#[test]
fn once_stopped_and_idle_nothing_is_under_way_for_ever() {
    explore(|| {
        let busy = Arc::new(Busy::default());
        let under_way = Arc::new(AtomicUsize::new(0));
        let workers: Vec<_> = (0..3)
            .map(|_| {
                let (busy, under_way) = (Arc::clone(&busy), Arc::clone(&under_way));
                thread::spawn(move || {
                    for _ in 0..2 {
                        if let Some(working) = busy.begin() {
                            under_way.fetch_add(1, Ordering::SeqCst);
                            thread::yield_now();
                            under_way.fetch_sub(1, Ordering::SeqCst);
                            drop(working);
                        }
                    }
                })
            })
            .collect();
        thread::yield_now();
        busy.stop();
        block_on(busy.idle());
        for _ in 0..3 {
            assert_eq!(under_way.load(Ordering::SeqCst), 0);
            thread::yield_now();
        }
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
    });
}

#[test]
fn the_last_to_end_wakes_all_who_wait_for_it() {
    explore(|| {
        let busy = Arc::new(Busy::default());
        let working: Vec<_> = (0..3).filter_map(|_| busy.begin()).collect();
        let wait = |busy: &Arc<Busy>| {
            let busy = Arc::clone(busy);
            future::spawn(async move { busy.idle().await })
        };
        let waiters = [wait(&busy), wait(&busy)];
        let given_up = wait(&busy);
        // One that hangs is a deadlock, which the scheduler tells.
        let workers: Vec<_> = working
            .into_iter()
            .map(|working| thread::spawn(move || drop(working)))
            .collect();
        given_up.abort();
        for waiter in waiters {
            block_on(waiter).unwrap();
        }
        workers
            .into_iter()
            .for_each(|worker| worker.join().unwrap());
    });
}
