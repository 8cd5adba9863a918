//! The table: from speakers to their flow, one hash look-up a packet.
//!
//! The index holds 32-bit places; the flows themselves lie in [`Slots`].

use std::hash::BuildHasher;

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::entry::Entry;
use super::slots::{CHUNK, Slots};
use crate::packet::Speakers;

/// All open flows.
#[derive(Default)]
pub(super) struct FlowTable {
    index: HashTable<u32>,
    hasher: RandomState,
    pub(super) slots: Slots,
}

impl FlowTable {
    pub(super) fn hash(&self, speakers: &Speakers) -> u64 {
        self.hasher.hash_one(speakers)
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, speakers: &Speakers) -> Option<u32> {
        self.index.find(hash, |place| self.slots[*place].speakers == *speakers).copied()
    }

    /// Adds a flow whose speakers have none.
    pub(super) fn insert(&mut self, hash: u64, entry: Entry) -> u32 {
        let place = self.slots.insert(entry);
        let (slots, hasher) = (&self.slots, &self.hasher);
        self.index.insert_unique(hash, place, |other| hasher.hash_one(slots[*other].speakers));
        place
    }

    /// Removes a flow that is in no list.
    pub(super) fn remove(&mut self, place: u32) {
        let hash = self.hash(&self.slots[place].speakers);
        if let Ok(found) = self.index.find_entry(hash, |other| *other == place) {
            found.remove();
        }
        self.slots.remove(place);
    }

    pub(super) const fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.memory_bytes() + self.index.allocation_size()
    }

    /// Bytes by which one more flow makes the table grow.
    pub(super) fn growth_bytes(&self) -> usize {
        let chunk = if self.slots.is_full() { CHUNK * size_of::<Entry>() } else { 0 };
        let index = if self.index.len() == self.index.capacity() { self.index.allocation_size() } else { 0 };
        chunk + index
    }
}
