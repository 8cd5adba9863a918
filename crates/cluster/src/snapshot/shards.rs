//! A hash table in shards that copies share until one of them changes: a change copies one shard, not the table.

use std::borrow::Borrow;
use std::hash::{BuildHasher as _, Hash};
use std::sync::Arc;

use super::HashMap;

/// With 10,000 entries a shard is 40 of them, with 150,000 it is 600: some microseconds to copy.
const SHARDS: usize = 256;

type Hasher = foldhash::fast::RandomState;

#[derive(Clone, Debug)]
pub(crate) struct Shards<K, V> {
    shards: Arc<[Arc<HashMap<K, V>>]>,
    hasher: Hasher,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let hasher = Hasher::default();
        let shards = (0..SHARDS).map(|_| Arc::new(HashMap::with_hasher(hasher.clone()))).collect();
        Self { shards, hasher }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Shards<K, V> {
    /// The tables look at the lowest and the highest bits of a hash: shards go by others.
    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> usize {
        (self.hasher.hash_one(key) >> 32) as usize % SHARDS
    }

    /// All keys, in no order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.shards.iter().flat_map(|shard| shard.keys())
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.shards.get(self.shard(key))?.get(key)
    }

    /// The table that holds a key, to be changed.
    fn edit(&mut self, key: &K) -> &mut HashMap<K, V> {
        let shard = self.shard(key);
        let shards = Arc::make_mut(&mut self.shards);
        Arc::make_mut(shards.get_mut(shard).expect("a remainder is below its divisor"))
    }

    pub(crate) fn insert(&mut self, key: K, value: V) {
        self.edit(&key).insert(key, value);
    }

    pub(crate) fn remove(&mut self, key: &K) {
        if self.get(key).is_some() {
            let shard = self.edit(key);
            shard.remove(key);
            if shard.capacity() > 4 * shard.len() + 16 {
                shard.shrink_to_fit();
            }
        }
    }

    /// Changes the value of a key, or a new one; one that is then `is_empty` is taken out.
    pub(crate) fn update(&mut self, key: &K, change: impl FnOnce(&mut V), is_empty: impl FnOnce(&V) -> bool)
    where
        V: Default,
    {
        let value = self.edit(key).entry(key.clone()).or_default();
        change(value);
        if is_empty(value) {
            self.remove(key);
        }
    }
}
