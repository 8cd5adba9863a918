//! Windows: which one is running, and which rows of ended ones still have to be sent.
//!
//! Rows wait in the order in which they were started. They go out evenly over the first seconds of the next window, so
//! that the end of a window is no burst.

use weir_model::Timestamp;

use super::entry::Entry;
use super::slots::{Chain, List, Slots};

/// Rows of an ended window are sent within this time, or a quarter of a window if that is less.
const SPREAD_NS: i64 = 5_000_000_000;

/// Rows in windows.
pub(super) struct Rows {
    /// Length of a window; `None` = a row lasts as long as its flow.
    window_ns: Option<i64>,
    /// The running window, from and to.
    running: (i64, i64),
    due: List,
    waiting: usize,
    /// How many rows waited when the running window began, and how many of them have left since.
    owed: usize,
    paid: usize,
}

impl Rows {
    pub(super) fn new(window_ns: Option<i64>) -> Self {
        let window_ns = window_ns.map(|ns| ns.max(1));
        Self { window_ns, running: (0, 0), due: List::default(), waiting: 0, owed: 0, paid: 0 }
    }

    const fn is_running(&self, time: Timestamp) -> bool {
        self.running.0 <= time.0 && time.0 < self.running.1
    }

    /// Time is `now`: a new window may begin.
    #[inline]
    pub(super) fn turn(&mut self, now: Timestamp) {
        let Some(window_ns) = self.window_ns else { return };
        if !self.is_running(now) {
            let start = now.window_start(window_ns).0;
            self.running = (start, start.saturating_add(window_ns));
            (self.owed, self.paid) = (self.waiting, 0);
        }
    }

    /// The start of the window that holds `time`.
    pub(super) const fn start(&self, time: Timestamp) -> Option<Timestamp> {
        match self.window_ns {
            Some(window_ns) => Some(time.window_start(window_ns)),
            None => None,
        }
    }

    /// Whether a row that began at `first` may hold a packet of `time`.
    #[inline]
    pub(super) fn is_same(&self, first: Timestamp, time: Timestamp) -> bool {
        (self.is_running(first) && self.is_running(time)) || self.start(first) == self.start(time)
    }

    /// The row of `place` has begun.
    #[inline]
    pub(super) fn begin(&mut self, flows: &mut Slots, place: u32) {
        if self.window_ns.is_some() && !flows[place].is(Entry::DUE) {
            flows[place].mark(Entry::DUE);
            self.due.push_back(flows, Chain::Due, place);
            self.waiting += 1;
        }
    }

    /// The row of `place` need not be waited for.
    pub(super) fn end(&mut self, flows: &mut Slots, place: u32) {
        if flows[place].is(Entry::DUE) {
            flows[place].unmark(Entry::DUE);
            self.due.remove(flows, Chain::Due, place);
            self.waiting -= 1;
            self.paid += 1;
        }
    }

    /// The next row to send by `now`.
    pub(super) fn next(&self, flows: &Slots, now: Timestamp) -> Option<u32> {
        let place = self.due.first()?;
        if self.is_running(flows[place].first) {
            return None;
        }
        let spread = SPREAD_NS.min(self.window_ns? / 4).max(1);
        let passed = now.0.saturating_sub(self.running.0);
        let allowed = i128::from(passed) * self.owed as i128 / i128::from(spread);
        (passed >= spread || (self.paid as i128) < allowed).then_some(place)
    }
}
