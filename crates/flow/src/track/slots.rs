//! Where flows live: numbered places in chunks that never move, and the lists threaded through them.
//!
//! A place is 32 bits instead of a pointer, growing copies nothing, and a list needs no memory of its own.

use std::ops::{Index, IndexMut};

use super::entry::Entry;

/// Flows in one chunk.
const CHUNK: usize = 128;
/// No place.
const NONE: u32 = u32::MAX;

/// Neighbours in a list.
#[derive(Clone, Copy)]
pub(super) struct Links {
    prev: u32,
    next: u32,
}

impl Default for Links {
    fn default() -> Self {
        Self { prev: NONE, next: NONE }
    }
}

/// All places.
#[derive(Default)]
pub(super) struct Slots {
    chunks: Vec<Vec<Entry>>,
    free: List,
    used: usize,
    made: usize,
}

impl Slots {
    /// How many flows there are.
    pub(super) const fn len(&self) -> usize {
        self.used
    }

    /// Bytes that the next flow may take: those of a new chunk, and of a longer list of chunks beside the old one.
    pub(super) fn growth_bytes(&self) -> usize {
        if self.used < self.made || !self.made.is_multiple_of(CHUNK) {
            return 0;
        }
        let is_listed = self.chunks.len() < self.chunks.capacity();
        let list = if is_listed { 0 } else { self.chunks.capacity() * 2 * size_of::<Vec<Entry>>() };
        CHUNK * size_of::<Entry>() + list
    }

    /// Gives `entry` a place.
    pub(super) fn insert(&mut self, entry: Entry) -> u32 {
        self.used += 1;
        let mut free = self.free;
        if let Some(place) = free.pop_front(self, Chain::Timer) {
            self.free = free;
            self[place] = entry;
            return place;
        }
        if self.made.is_multiple_of(CHUNK) {
            self.chunks.push(Vec::with_capacity(CHUNK));
        }
        if let Some(chunk) = self.chunks.last_mut() {
            chunk.push(entry);
        }
        self.made += 1;
        (self.made - 1) as u32
    }

    /// Frees a place that is in no list.
    pub(super) fn remove(&mut self, place: u32) {
        let mut free = self.free;
        free.push_back(self, Chain::Timer, place);
        self.free = free;
        self[place].mark(Entry::GONE);
        self.used -= 1;
    }

    /// The places of all flows.
    pub(super) fn taken(&self) -> impl Iterator<Item = u32> {
        (0..self.made as u32).filter(|place| !self[*place].is(Entry::GONE))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.chunks.len() * CHUNK * size_of::<Entry>() + self.chunks.capacity() * size_of::<Vec<Entry>>()
    }
}

/// Places come from [`Slots::insert`] only.
impl Index<u32> for Slots {
    type Output = Entry;

    #[inline]
    fn index(&self, place: u32) -> &Entry {
        &self.chunks[place as usize / CHUNK][place as usize % CHUNK]
    }
}

impl IndexMut<u32> for Slots {
    #[inline]
    fn index_mut(&mut self, place: u32) -> &mut Entry {
        &mut self.chunks[place as usize / CHUNK][place as usize % CHUNK]
    }
}

/// Which of an entry's links a list uses.
#[derive(Clone, Copy)]
pub(super) enum Chain {
    /// Timers; free places.
    Timer,
    /// Rows that are due.
    Due,
}

impl Entry {
    const fn links(&mut self, chain: Chain) -> &mut Links {
        match chain {
            Chain::Timer => &mut self.timer,
            Chain::Due => &mut self.due,
        }
    }
}

/// A list of places, first in, first out, with removal from the middle.
#[derive(Clone, Copy)]
pub(super) struct List {
    head: u32,
    tail: u32,
}

impl Default for List {
    fn default() -> Self {
        Self { head: NONE, tail: NONE }
    }
}

impl List {
    pub(super) const fn first(self) -> Option<u32> {
        if self.head == NONE { None } else { Some(self.head) }
    }

    pub(super) fn push_back(&mut self, slots: &mut Slots, chain: Chain, place: u32) {
        *slots[place].links(chain) = Links { prev: self.tail, next: NONE };
        match self.tail {
            NONE => self.head = place,
            tail => slots[tail].links(chain).next = place,
        }
        self.tail = place;
    }

    /// Takes `place`, which is in this list, out of it.
    pub(super) fn remove(&mut self, slots: &mut Slots, chain: Chain, place: u32) {
        let Links { prev, next } = *slots[place].links(chain);
        match prev {
            NONE => self.head = next,
            prev => slots[prev].links(chain).next = next,
        }
        match next {
            NONE => self.tail = prev,
            next => slots[next].links(chain).prev = prev,
        }
    }

    pub(super) fn pop_front(&mut self, slots: &mut Slots, chain: Chain) -> Option<u32> {
        let place = self.first()?;
        self.remove(slots, chain, place);
        Some(place)
    }
}
