//! The memory of all rings: one budget. It counts in the agent's resident memory, so hundreds of idle taps have small rings,
//! and one that fills gets a larger one.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Two blocks: one to be read while the other one fills.
const LEAST: usize = 256 << 10;
/// What a first tap begins with at most.
const FIRST: usize = 4 << 20;
/// A new tap gets this part of what is free.
const PART: usize = 16;
/// How much larger the next ring is.
const TIMES: usize = 4;

/// The budget, and how much of it is used.
#[derive(Debug)]
pub(crate) struct Rings {
    budget: usize,
    used: AtomicUsize,
}

/// The size of one ring, taken from the budget until it is dropped.
#[derive(Debug)]
pub(crate) struct Lease {
    rings: Arc<Rings>,
    bytes: usize,
}

impl Rings {
    /// Nothing used yet.
    pub(crate) fn new(budget: usize) -> Arc<Self> {
        Arc::new(Self { budget, used: AtomicUsize::new(0) })
    }

    /// The ring of a new tap. There is always one, however small.
    pub(crate) fn open(self: &Arc<Self>) -> Lease {
        let free = self.budget.saturating_sub(self.used());
        self.lease(power_of_two_below(free / PART).clamp(LEAST, FIRST))
    }

    /// Bytes that are used.
    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }

    fn lease(self: &Arc<Self>, bytes: usize) -> Lease {
        self.used.fetch_add(bytes, Ordering::Relaxed);
        Lease { rings: Arc::clone(self), bytes }
    }
}

impl Lease {
    /// The ring's bytes.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// A larger ring in place of this one, as far as the budget allows.
    pub(crate) fn larger(&self) -> Option<Self> {
        let free = self.rings.budget.saturating_sub(self.rings.used() - self.bytes);
        let bytes = power_of_two_below(free).min(self.bytes * TIMES);
        (bytes > self.bytes).then(|| self.rings.lease(bytes))
    }

    /// The smallest ring in place of this one, where more than the budget is used.
    pub(crate) fn smaller(&self) -> Option<Self> {
        (self.bytes > LEAST && self.rings.used() > self.rings.budget).then(|| self.rings.lease(LEAST))
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.rings.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// The largest power of two that is not above a number; 0 for 0.
const fn power_of_two_below(number: usize) -> usize {
    match number.checked_ilog2() {
        Some(bits) => 1 << bits,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn many_taps_share_what_few_have_to_themselves() {
        let rings = Rings::new(64 * MIB);
        let first = rings.open();
        assert_eq!(first.bytes(), 4 * MIB);
        let thirty: Vec<Lease> = (1..30).map(|_| rings.open()).collect();
        assert!(rings.used() <= 64 * MIB && thirty.iter().all(|lease| lease.bytes() >= MIB), "{}", rings.used());
        let mut all: Vec<Lease> = (30..250).map(|_| rings.open()).chain(thirty).chain([first]).collect();
        assert!(rings.used() > 64 * MIB);
        // Those that are idle are made smaller until all fit.
        for lease in &mut all {
            if let Some(smaller) = lease.smaller() {
                *lease = smaller;
            }
        }
        assert!(rings.used() <= 64 * MIB, "{}", rings.used());
        drop(all);
        assert_eq!(rings.used(), 0);
    }

    #[test]
    fn a_ring_that_fills_grows_as_far_as_the_budget_allows() {
        let rings = Rings::new(64 * MIB);
        let mut lease = rings.open();
        let mut sizes = Vec::new();
        while let Some(larger) = lease.larger() {
            lease = larger;
            sizes.push(lease.bytes() / MIB);
        }
        assert_eq!(sizes, [16, 64]);
        assert_eq!(rings.used(), 64 * MIB);
        let other = rings.open();
        assert_eq!((other.bytes(), other.larger().is_none()), (LEAST, true), "nothing is left");
    }
}
