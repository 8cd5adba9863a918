//! The table: from speakers to their flow, one hash look-up a packet.

use std::hash::BuildHasher;

use foldhash::fast::RandomState;

use super::entry::Entry;
use super::index::Index;
use super::slots::Slots;
use crate::packet::Speakers;

/// All open flows.
#[derive(Default)]
pub(super) struct FlowTable {
    index: Index,
    hasher: RandomState,
    pub(super) slots: Slots,
}

impl FlowTable {
    pub(super) fn hash(&self, speakers: &Speakers) -> u64 {
        self.hasher.hash_one(speakers)
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, speakers: &Speakers) -> Option<u32> {
        self.index.find(hash, |place| self.slots[place].speakers == *speakers)
    }

    /// Adds a flow whose speakers have none.
    pub(super) fn insert(&mut self, hash: u64, entry: Entry) -> u32 {
        let place = self.slots.insert(entry);
        let (slots, hasher) = (&self.slots, &self.hasher);
        let others = slots.taken().filter(|other| *other != place);
        self.index.insert(hash, place, |place| hasher.hash_one(slots[place].speakers), others);
        place
    }

    /// Removes a flow that is in no list.
    pub(super) fn remove(&mut self, place: u32) {
        let hash = self.hash(&self.slots[place].speakers);
        self.index.remove(hash, place);
        self.slots.remove(place);
    }

    pub(super) const fn len(&self) -> usize {
        self.slots.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.memory_bytes() + self.index.memory_bytes()
    }

    /// Bytes that one more flow may take.
    pub(super) fn growth_bytes(&self) -> usize {
        self.slots.growth_bytes() + self.index.growth_bytes()
    }
}
