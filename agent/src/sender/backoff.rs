//! Pauses between attempts: doubling, with a random part so that a thousand agents do not come back as one.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// The pauses of one row of attempts.
#[derive(Debug)]
pub(super) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// From `first`, doubling up to `most`.
    pub(super) const fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// An attempt was successful.
    pub(super) const fn reset(&mut self) {
        self.next = self.first;
    }

    /// How long to wait now: between half and the whole of the next step.
    pub(super) fn next(&mut self) -> Duration {
        let whole = self.next;
        self.next = (whole * 2).min(self.most);
        let random = RandomState::new().hash_one(whole) % 512;
        whole / 2 + whole * (random as u32) / 1024
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_limit_and_starts_again() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let pauses: Vec<Duration> = (0..8).map(|_| backoff.next()).collect();
        assert!(pauses.iter().all(|p| *p >= Duration::from_millis(50) && *p <= Duration::from_secs(1)));
        assert!(pauses.last() >= Some(&Duration::from_millis(500)));
        backoff.reset();
        assert!(backoff.next() <= Duration::from_millis(100));
    }
}
