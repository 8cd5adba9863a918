//! One live tap in the hands of its thread: frames of its interface in; flows, losses and spans of watching out.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, warn};
use weir_capture::{LiveError, LiveStats};
use weir_flow::Tracker;
use weir_model::{Coverage, EndReason, Tap, Timestamp};

use super::capture::Capture;
use super::thread::Lane;
use crate::event::{Event, TapQueue, WhenFull};
use crate::loss;

/// The default of a tracker without windows, in nanoseconds.
const WINDOW_NS: i64 = 60_000_000_000;

/// One interface to be watched.
pub(crate) struct LiveSource {
    /// The open capture.
    pub(crate) capture: Capture,
    /// What it is.
    pub(crate) tap: Arc<Tap>,
    /// When it began to watch.
    pub(crate) since: Timestamp,
}

/// An open span of a tap.
pub(crate) fn watching(tap: &Tap, from_ts: Timestamp) -> Coverage {
    let (interface, pod) = (Some(Arc::clone(&tap.interface)), tap.pod.clone());
    Coverage { interface, role: tap.role, pod, from_ts, to_ts: None, reason: None }
}

/// A tap that is being watched.
pub(super) struct Watched {
    capture: Capture,
    queue: TapQueue,
    tracker: Tracker,
    window_ns: i64,
    /// Begin of the span that is not reported yet.
    from: Timestamp,
    /// When the kernel's counters were last read, and what they were.
    counted: Timestamp,
    stats: LiveStats,
    /// Frames came since then. Without any, none can have been dropped.
    is_busy: bool,
}

impl Watched {
    /// Begins, and says so.
    pub(super) fn new(source: LiveSource, lane: &Lane) -> Self {
        let LiveSource { capture, tap, since } = source;
        let watched = Self {
            capture,
            queue: TapQueue::new(tap, lane.events.clone(), WhenFull::GiveBack),
            tracker: Tracker::new(lane.tracker.clone()),
            window_ns: lane.tracker.window_ns.unwrap_or(WINDOW_NS),
            from: since,
            counted: since,
            stats: LiveStats::default(),
            is_busy: false,
        };
        watched.announce();
        watched
    }

    /// What to poll.
    pub(super) const fn capture(&self) -> &Capture {
        &self.capture
    }

    /// Takes in the frames that are there; new flows are numbered from `next_flow` on. Returns how many there were.
    pub(super) fn read(&mut self, next_flow: &mut u64) -> Result<usize, LiveError> {
        let Self { capture, tracker, queue, .. } = self;
        tracker.number_from(*next_flow);
        let frames = capture.read(|frame| tracker.observe(frame, queue));
        *next_flow = tracker.next_number();
        self.is_busy = true;
        frames
    }

    /// Gets another ring if it needs one. Returns when to go on with that.
    pub(super) fn suit_ring(&mut self) -> Option<Duration> {
        self.capture.suit().unwrap_or_else(|error| {
            // It goes on with the ring that it has.
            debug!(interface = %self.queue.tap().interface, "{:#}", anyhow::Error::new(error));
            None
        })
    }

    /// Goes on with the exchange of its ring: it may be another descriptor that has to be polled after that. Returns when to
    /// go on again.
    pub(super) fn go_on(&mut self, next_flow: &mut u64) -> Option<Duration> {
        let Self { capture, tracker, queue, .. } = self;
        tracker.number_from(*next_flow);
        let pause = capture.go_on(|frame| tracker.observe(frame, queue));
        *next_flow = tracker.next_number();
        self.is_busy = true;
        pause.unwrap_or_else(|error| {
            self.complain(&error.into());
            None
        })
    }

    /// Does what time makes due: idle flows, windows, counters.
    pub(super) fn tick(&mut self, now: Timestamp) {
        self.tracker.advance(now, &mut self.queue);
        if self.is_busy {
            self.count_losses(now);
        }
        self.capture.tick();
        let window = now.window_start(self.window_ns);
        if window > self.from {
            self.cover(window);
            self.announce();
        }
    }

    /// Goes on as `tap`. A pod that is only now known has had the interface since it is watched; another pod, or another
    /// name, begins a new span.
    pub(super) fn rename(&mut self, tap: Arc<Tap>, now: Timestamp) {
        let was = self.queue.tap();
        if was.interface != tap.interface || was.pod.is_some() && was.pod != tap.pod {
            self.cover(now);
        }
        self.queue.rename(tap);
        self.announce();
    }

    /// Ends its flows with `reason` where they are not over, and says what there is left to say.
    pub(super) fn finish(mut self, reason: EndReason, now: Timestamp) {
        // No packets are kept waiting any more: flows that are open may wait for room.
        self.queue.wait_when_full();
        self.tracker.finish(reason, &mut self.queue);
        self.count_losses(now);
        self.cover(now);
        if let Some(lost) = loss::of_table(&self.tracker, &self.queue.tap().interface) {
            self.queue.insist(Event::Loss(lost));
        }
    }

    /// Logs what went wrong with it.
    pub(super) fn complain(&self, error: &anyhow::Error) {
        warn!(interface = %self.queue.tap().interface, "{error:#}");
    }

    fn count_losses(&mut self, now: Timestamp) {
        self.is_busy = false;
        match self.capture.stats() {
            Ok(stats) => {
                let interface = &self.queue.tap().interface;
                for lost in loss::of_ring(self.stats, stats, interface, self.counted, now) {
                    self.queue.insist(Event::Loss(lost));
                }
                self.stats = stats;
            }
            Err(error) => self.complain(&error.into()),
        }
        self.counted = now;
    }

    /// Reports that the tap watched until `to`.
    fn cover(&mut self, to: Timestamp) {
        if to > self.from {
            let span = watching(self.queue.tap(), self.from);
            self.queue.insist(Event::Coverage(Coverage { to_ts: Some(to), ..span }));
            self.from = to;
        }
    }

    /// Reports that the tap goes on watching.
    fn announce(&self) {
        self.queue.insist(Event::Coverage(watching(self.queue.tap(), self.from)));
    }
}
