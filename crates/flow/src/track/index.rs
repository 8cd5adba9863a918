//! An index: from a hash to a 32-bit place, what lies there is somebody else's.
//!
//! It is never fuller than three quarters. What removed places leave behind is swept out in place once it has used up the
//! rest, so that a table under a flood of ever new keys neither grows nor slows down.

use hashbrown::HashTable;

/// Places by hash.
#[derive(Default)]
pub(super) struct Index {
    places: HashTable<u32>,
}

impl Index {
    /// The place of this hash that `is_it`.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.places.find(hash, |place| is_it(*place)).copied()
    }

    /// Adds a place. `taken` gives all that are in already, `hash_of` the hash of each.
    pub(super) fn insert(
        &mut self,
        hash: u64,
        place: u32,
        hash_of: impl Fn(u32) -> u64,
        taken: impl Iterator<Item = u32>,
    ) {
        if self.is_full() {
            let more = self.places.num_buckets().max(4);
            self.places.reserve(more, |place| hash_of(*place));
        } else if self.places.len() == self.places.capacity() {
            self.places.clear();
            for place in taken {
                self.places.insert_unique(hash_of(place), place, |place| hash_of(*place));
            }
        }
        self.places.insert_unique(hash, place, |place| hash_of(*place));
    }

    /// Removes a place.
    pub(super) fn remove(&mut self, hash: u64, place: u32) {
        if let Ok(found) = self.places.find_entry(hash, |other| *other == place) {
            found.remove();
        }
    }

    fn is_full(&self) -> bool {
        self.places.len() >= self.places.num_buckets() / 4 * 3
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.places.allocation_size()
    }

    /// Bytes that one more place may take: those of an index twice as large, beside the old one.
    pub(super) fn growth_bytes(&self) -> usize {
        if self.is_full() { self.places.allocation_size() * 2 } else { 0 }
    }
}
