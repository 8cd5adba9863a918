//! Timers of flows: a wheel of 1,024 slots of about a second each.
//!
//! A packet does not touch its flow's timer. When a slot comes round, each flow in it is looked at: over, or put where
//! its deadline really is. Deadlines beyond the wheel's eighteen minutes wait in its last slot and are looked at then.
//! The wheel is also the order of eviction: first those whose deadline is nearest.

use super::slots::{Chain, List, Slots};

const SLOTS: usize = 1_024;
/// A tick is 2^30 ns, 1.07 s.
const TICK_BITS: u32 = 30;

/// The wheel.
pub(super) struct Wheel {
    slots: Vec<List>,
    /// One bit for each slot with flows in it.
    occupied: [u64; SLOTS / 64],
    /// The first tick whose slot was not emptied yet.
    tick: i64,
}

impl Wheel {
    pub(super) fn new() -> Self {
        Self { slots: vec![List::default(); SLOTS], occupied: [0; SLOTS / 64], tick: i64::MIN }
    }

    /// The slot of a deadline. It comes round when the deadline has passed.
    fn slot(&self, deadline: i64) -> usize {
        let furthest = self.tick.saturating_add(SLOTS as i64 - 1);
        slot_of((deadline >> TICK_BITS).clamp(self.tick, furthest))
    }

    /// Whether the timer of `place`, which is set, is where `deadline` belongs.
    pub(super) fn is_at(&self, flows: &Slots, place: u32, deadline: i64) -> bool {
        usize::from(flows[place].timer_slot) == self.slot(deadline)
    }

    /// Sets the timer of `place` to `deadline`.
    pub(super) fn set(&mut self, flows: &mut Slots, place: u32, deadline: i64) {
        let slot = self.slot(deadline);
        self.slots[slot].push_back(flows, Chain::Timer, place);
        self.occupied[slot / 64] |= 1 << (slot % 64);
        flows[place].timer_slot = slot as u16;
    }

    /// Clears the timer of `place`, which is set.
    pub(super) fn clear(&mut self, flows: &mut Slots, place: u32) {
        let slot = usize::from(flows[place].timer_slot) % SLOTS;
        self.slots[slot].remove(flows, Chain::Timer, place);
        if self.slots[slot].first().is_none() {
            self.occupied[slot / 64] &= !(1 << (slot % 64));
        }
    }

    /// Time goes back: from now on the slots count from `now`.
    pub(super) const fn rewind(&mut self, now: i64) {
        self.tick = now >> TICK_BITS;
    }

    /// A flow whose slot has come round by `now`; its timer is no longer set.
    pub(super) fn take(&mut self, flows: &mut Slots, now: i64) -> Option<u32> {
        let target = now >> TICK_BITS;
        self.tick = self.tick.max(target.saturating_sub(SLOTS as i64));
        while self.tick < target {
            let slot = slot_of(self.tick);
            if let Some(place) = self.slots[slot].first() {
                self.clear(flows, place);
                return Some(place);
            }
            self.tick += 1;
        }
        None
    }

    /// The flow whose slot comes round next, its timer still set.
    pub(super) fn nearest(&self) -> Option<u32> {
        let start = slot_of(self.tick);
        let words = self.occupied.len();
        // The word that holds `start` comes twice: first what is behind it, last what is before.
        for step in 0..=words {
            let word = (start / 64 + step) % words;
            let behind = u64::MAX << (start % 64);
            let mask = match step {
                0 => behind,
                step if step == words => !behind,
                _ => u64::MAX,
            };
            let bits = self.occupied[word] & mask;
            if bits != 0 {
                return self.slots[word * 64 + bits.trailing_zeros() as usize].first();
            }
        }
        None
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.slots.capacity() * size_of::<List>()
    }
}

const fn slot_of(tick: i64) -> usize {
    tick.rem_euclid(SLOTS as i64) as usize
}
