//! What forewarm uses of moka, as far as its locks and its order of doing things matter.
//!
//! The real one has locks of the operating system and threads through time of its own, so that no
//! scheduler can stop it. This one calls the eviction listener as the real one may: in the middle
//! of any change, with a lock held that every other change waits for.

pub mod policy {
    /// Which entry goes first.
    pub struct EvictionPolicy;

    impl EvictionPolicy {
        /// The one used least lately.
        pub fn lru() -> Self {
            Self
        }
    }
}

pub mod sync {
    use std::sync::{Arc, PoisonError};
    use std::time::Duration;

    use shuttle::sync::{Mutex, MutexGuard};

    use super::policy::EvictionPolicy;

    type Weigher<K, V> = Box<dyn Fn(&K, &V) -> u32 + Send + Sync>;
    type Listener<K, V> = Box<dyn Fn(Arc<K>, V, Cause) + Send + Sync>;

    /// Why an entry went; nobody asks.
    pub struct Cause;

    pub struct Cache<K, V> {
        capacity: u64,
        weigher: Weigher<K, V>,
        listener: Listener<K, V>,
        /// Held while anything changes.
        upkeep: Mutex<()>,
        /// The one used least lately first.
        entries: Mutex<Vec<(Arc<K>, V)>>,
    }

    pub struct CacheBuilder<K, V> {
        capacity: u64,
        weigher: Weigher<K, V>,
        listener: Listener<K, V>,
    }

    impl<K, V> CacheBuilder<K, V> {
        pub fn name(self, _name: &str) -> Self {
            self
        }

        /// Entries do not age here: a test that wants them gone invalidates them.
        pub fn time_to_idle(self, _time: Duration) -> Self {
            self
        }

        pub fn max_capacity(self, capacity: u64) -> Self {
            Self { capacity, ..self }
        }

        pub fn weigher(self, weigher: impl Fn(&K, &V) -> u32 + Send + Sync + 'static) -> Self {
            Self {
                weigher: Box::new(weigher),
                ..self
            }
        }

        pub fn eviction_listener(
            self,
            listener: impl Fn(Arc<K>, V, Cause) + Send + Sync + 'static,
        ) -> Self {
            Self {
                listener: Box::new(listener),
                ..self
            }
        }

        pub fn eviction_policy(self, _policy: EvictionPolicy) -> Self {
            self
        }

        pub fn build(self) -> Cache<K, V> {
            Cache {
                capacity: self.capacity,
                weigher: self.weigher,
                listener: self.listener,
                upkeep: Mutex::new(()),
                entries: Mutex::new(Vec::new()),
            }
        }
    }

    impl<K: Eq, V: Clone> Cache<K, V> {
        pub fn builder() -> CacheBuilder<K, V> {
            CacheBuilder {
                capacity: u64::MAX,
                weigher: Box::new(|_, _| 1),
                listener: Box::new(|_, _, _| ()),
            }
        }

        pub fn get(&self, key: &K) -> Option<V> {
            let mut entries = self.entries();
            let at = entries.iter().position(|(known, _)| **known == *key)?;
            let entry = entries.remove(at);
            let value = entry.1.clone();
            entries.push(entry);
            Some(value)
        }

        pub fn insert(&self, key: K, value: V) {
            let _upkeep = lock(&self.upkeep);
            let key = Arc::new(key);
            self.replace(|known| *known == *key, Some((Arc::clone(&key), value)));
            self.evict();
        }

        pub fn invalidate(&self, key: &K) {
            let _upkeep = lock(&self.upkeep);
            self.replace(|known| known == key, None);
        }

        pub fn invalidate_all(&self) {
            let _upkeep = lock(&self.upkeep);
            self.replace(|_| true, None);
        }

        pub fn run_pending_tasks(&self) {
            let _upkeep = lock(&self.upkeep);
            self.evict();
        }

        pub fn entry_count(&self) -> u64 {
            self.entries().len() as u64
        }

        pub fn weighted_size(&self) -> u64 {
            let entries = self.entries();
            let weights = entries
                .iter()
                .map(|(key, value)| (self.weigher)(key, value));
            weights.map(u64::from).sum()
        }

        fn evict(&self) {
            while self.weighted_size() > self.capacity {
                let (key, value) = self.entries().remove(0);
                (self.listener)(key, value, Cause);
            }
        }

        /// In one step, as others see it; the listener is told of those that went.
        fn replace(&self, is_meant: impl Fn(&K) -> bool, by: Option<(Arc<K>, V)>) {
            let mut entries = self.entries();
            let all = std::mem::take(&mut *entries).into_iter();
            let (gone, kept): (Vec<_>, Vec<_>) = all.partition(|(key, _)| is_meant(key));
            *entries = kept;
            entries.extend(by);
            drop(entries);
            for (key, value) in gone {
                (self.listener)(key, value, Cause);
            }
        }

        fn entries(&self) -> MutexGuard<'_, Vec<(Arc<K>, V)>> {
            lock(&self.entries)
        }
    }

    impl<K: Eq, V: Clone> IntoIterator for &Cache<K, V> {
        type Item = (Arc<K>, V);
        type IntoIter = std::vec::IntoIter<Self::Item>;

        fn into_iter(self) -> Self::IntoIter {
            self.entries().clone().into_iter()
        }
    }

    fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
