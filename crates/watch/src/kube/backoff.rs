//! How long to wait after a failure: twice as long each time, up to a cap, half of it at random.

use std::time::Duration;

/// The pauses of one kind.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(super) const fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, next: first }
    }

    /// The next pause: between half and all of its length, by `part` of 0 to 1. Where the server asked for a pause it
    /// is no shorter, within the longest one.
    pub(super) fn pause(&mut self, part: f64, asked: Option<Duration>) -> Duration {
        let full = self.next.min(self.longest);
        self.next = full.saturating_mul(2).min(self.longest);
        let pause = full.mul_f64(0.5 + part.clamp(0.0, 1.0) / 2.0);
        asked.map_or(pause, |asked| pause.max(asked.min(self.longest)))
    }

    /// After a success the first pause is the next one.
    pub(super) const fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn pauses_double_up_to_the_longest_and_start_again_after_a_success() {
        let mut backoff = Backoff::new(SECOND, SECOND * 5);
        let pauses: Vec<_> = (0..5).map(|_| backoff.pause(1.0, None).as_secs()).collect();
        assert_eq!(pauses, [1, 2, 4, 5, 5]);
        backoff.reset();
        assert_eq!(backoff.pause(0.0, None), SECOND / 2, "half of it is sure");
    }

    #[test]
    fn a_pause_that_the_server_asks_for_counts_up_to_the_longest() {
        let mut backoff = Backoff::new(SECOND, SECOND * 5);
        assert_eq!(backoff.pause(0.0, Some(SECOND * 3)), SECOND * 3);
        assert_eq!(backoff.pause(0.0, Some(SECOND * 3600)), SECOND * 5);
    }
}
