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
use crate::loss::{self, Untold};

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
    /// Frames that were read.
    seen: u64,
    /// Frames came since then. Without any, none can have been dropped.
    is_busy: bool,
    untold: Untold,
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
            seen: 0,
            is_busy: false,
            untold: Untold::default(),
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
        let Self { capture, tracker, queue, seen, .. } = self;
        tracker.number_from(*next_flow);
        let frames = capture.read(|frame| {
            *seen += 1;
            tracker.observe(frame, queue);
        });
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
        let Self { capture, tracker, queue, seen, .. } = self;
        tracker.number_from(*next_flow);
        let pause = capture.go_on(|frame| {
            *seen += 1;
            tracker.observe(frame, queue);
        });
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
        self.untold.tell(&self.queue);
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
        let before = self.counted;
        self.count_losses(now);
        // What the kernel had for it and nobody reads any more.
        let unread = self.stats.received.saturating_sub(self.stats.kernel_dropped).saturating_sub(self.seen);
        let last = LiveStats { kernel_dropped: unread, ..LiveStats::default() };
        for lost in loss::of_ring(LiveStats::default(), last, &self.queue.tap().interface, before, now) {
            self.untold.add(lost);
        }
        self.untold.tell(&self.queue);
        self.cover(now);
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
                    self.untold.add(lost);
                }
                self.stats = stats;
            }
            Err(error) => self.complain(&error.into()),
        }
        if let Some(lost) = loss::of_table(&mut self.tracker, &self.queue.tap().interface) {
            self.untold.add(lost);
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
