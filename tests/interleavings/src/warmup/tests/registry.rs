use std::sync::{Arc, Mutex};

use object_store::path::Path;
use shuttle::future::{self, block_on};
use shuttle::thread;

use super::task::{EVER, Rig, Work};
use crate::explore::explore;
use crate::warmup::task::{Task, Warmup};

/// The warmups that somebody holds.
#[derive(Clone, Default)]
struct Held(Arc<Mutex<Vec<Arc<Task>>>>);

impl Held {
    fn add(&self, task: &Arc<Task>) {
        self.0.lock().unwrap().push(Arc::clone(task));
    }

    fn remove(&self, task: &Arc<Task>) {
        let mut held = self.0.lock().unwrap();
        let at = held.iter().position(|it| Arc::ptr_eq(it, task));
        let removed = held.swap_remove(at.expect("it was added"));
        // Not under a lock that no scheduler knows.
        drop(held);
        drop(removed);
    }

    /// Of one key at most one is under way.
    fn has_one_of_a_key(&self) {
        let held = self.0.lock().unwrap().clone();
        let under_way: Vec<_> = held.iter().filter(|it| !it.is_finished()).collect();
        for (at, one) in under_way.iter().enumerate() {
            for other in &under_way[..at] {
                let is_same = Arc::ptr_eq(one, other);
                assert!(is_same || one.key() != other.key(), "two are under way");
            }
        }
    }
}

/// Three ask for warmups of two keys and wait for them, while others `meddle` with the registry.
fn asked_meanwhile(rig: &Rig, check: fn(&Held), meddle: [fn(&Rig); 2]) {
    let held = Held::default();
    let askers = [[0, 1], [1, 0], [0, 0]].map(|keys| {
        let (rig, held) = (rig.clone(), held.clone());
        future::spawn(async move {
            for of in keys {
                let task = rig.task(&Rig::key(of), Work::Works);
                held.add(&task);
                check(&held);
                let warmup = Warmup::new(Arc::clone(&task));
                let outcome = warmup.join(EVER).await;
                assert!(outcome.is_warm(), "{outcome}");
                held.remove(&task);
            }
        })
    });
    let meddlers = meddle.map(|meddle| {
        let rig = rig.clone();
        thread::spawn(move || meddle(&rig))
    });
    for asker in askers {
        block_on(asker).unwrap();
    }
    for meddler in meddlers {
        meddler.join().unwrap();
    }
    rig.all_have_ended();
    rig.registry.clear();
    assert_eq!(rig.registry.len(), 0);
}

#[test]
fn of_one_key_never_two_are_under_way_whatever_is_retired_and_cleared() {
    explore(|| {
        let retire = |rig: &Rig| rig.registry.retire(&Rig::key(0));
        let clear = |rig: &Rig| rig.registry.clear();
        asked_meanwhile(&Rig::new(), Held::has_one_of_a_key, [retire, clear]);
    });
}

#[test]
fn of_one_key_never_two_are_under_way_whatever_is_evicted_and_given_up() {
    explore(|| {
        let find = |rig: &Rig| drop(rig.find(1));
        let ask = |rig: &Rig| drop(rig.task(&Rig::key(1), Work::Works));
        // Room for one that lingers.
        asked_meanwhile(&Rig::of(4000), Held::has_one_of_a_key, [find, ask]);
    });
}

#[test]
fn nobody_waits_for_ever_whatever_is_evicted_and_forgotten() {
    explore(|| {
        let forget = |rig: &Rig| rig.registry.forget_split(&Path::from("a.split"));
        let count = |rig: &Rig| assert!(rig.registry.len() <= 4);
        // A forgotten warmup goes on beside its successor, for those who have it.
        asked_meanwhile(&Rig::of(4000), |_| (), [forget, count]);
    });
}
