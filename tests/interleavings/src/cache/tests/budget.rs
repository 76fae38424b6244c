use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use shuttle::thread;

use crate::cache::budget::Budget;
use crate::explore::explore;

const LIMIT: u64 = 10;

#[test]
fn what_is_reserved_at_once_never_passes_the_limit_and_all_comes_back() {
    explore(|| {
        let budget = Budget::new(LIMIT);
        let held = Arc::new(AtomicU64::new(0));
        let takers = [[4, 7], [5, 5], [6, 1]].map(|asked| {
            let (budget, held) = (budget.clone(), Arc::clone(&held));
            thread::spawn(move || {
                for bytes in asked {
                    if let Some(reservation) = budget.try_reserve(bytes) {
                        let now = held.fetch_add(bytes, Ordering::SeqCst) + bytes;
                        assert!(now <= LIMIT, "{now} of {LIMIT} bytes are reserved");
                        thread::yield_now();
                        held.fetch_sub(bytes, Ordering::SeqCst);
                        drop(reservation);
                    }
                    assert!(budget.used() <= LIMIT);
                }
            })
        });
        takers.into_iter().for_each(|taker| taker.join().unwrap());
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn a_reservation_that_fails_takes_nothing_from_one_that_fits() {
    explore(|| {
        let budget = Budget::new(LIMIT);
        let too_large = [LIMIT + 1, u64::MAX].map(|bytes| {
            let budget = budget.clone();
            thread::spawn(move || assert!(budget.try_reserve(bytes).is_none()))
        });
        let all = budget.try_reserve(LIMIT);
        assert!(all.is_some(), "nobody else holds anything");
        too_large.into_iter().for_each(|it| it.join().unwrap());
        assert_eq!(budget.used(), LIMIT);
        drop(all);
        assert_eq!(budget.used(), 0);
    });
}

#[test]
fn the_parts_of_a_reservation_add_up_wherever_they_end() {
    explore(|| {
        let budget = Budget::new(LIMIT);
        let mut rest = budget.try_reserve(9).expect("it fits");
        // Of the last there is less left than is asked for.
        let parts = [2, 3, 5].map(|bytes| rest.split(bytes));
        assert_eq!(budget.used(), 9);
        let enders = parts.map(|part| thread::spawn(move || drop(part)));
        let others = budget.clone();
        let other = thread::spawn(move || drop(others.try_reserve(6)));
        drop(rest);
        enders.into_iter().for_each(|ender| ender.join().unwrap());
        other.join().unwrap();
        assert_eq!(budget.used(), 0);
    });
}
