//! A live tap: frames of one interface in, its flows out, on a thread of its own outside the runtime.

use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio_util::sync::CancellationToken;
use tracing::warn;
use weir_capture::{LiveError, LiveStats, LiveTap};
use weir_flow::{Tracker, TrackerConfig};
use weir_model::{Coverage, EndReason, Tap, Timestamp};
use weir_service::clock::Clock;

use crate::event::{Event, TapQueue};
use crate::loss;

/// How long to wait for frames before looking at the clock and for a stop.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// How often counters are read and idle flows looked for, in nanoseconds.
const TICK_NS: i64 = 1_000_000_000;

/// How long a block of the ring that is not full may stay with the kernel, twice.
const LAST_BLOCK: Duration = Duration::from_millis(200);

/// One interface being watched.
pub(crate) struct LiveSource {
    /// The open capture.
    pub(crate) capture: LiveTap,
    /// What it is.
    pub(crate) tap: Arc<Tap>,
    /// Where its flows go.
    pub(crate) queue: TapQueue,
    /// The wall clock: packet times of live frames come from the kernel's, which is the same.
    pub(crate) clock: Arc<dyn Clock>,
    /// When it began to watch.
    pub(crate) since: Timestamp,
}

impl LiveSource {
    /// Watches until `stop`, or until the interface is gone.
    pub(crate) fn watch(mut self, config: TrackerConfig, stop: &CancellationToken) {
        let window_ns = config.window_ns.unwrap_or(60 * TICK_NS);
        let mut watched = Watched { from: self.since, tick: self.since, stats: LiveStats::default(), window_ns };
        let mut tracker = Tracker::new(config);
        while !stop.is_cancelled() {
            if let Err(error) = self.read_once(&mut tracker) {
                self.complain(error);
                break;
            }
            let now = Timestamp(self.clock.now_ns());
            if now.since(watched.tick) >= TICK_NS {
                tracker.advance(now, &mut self.queue);
                self.tick(&mut watched, now);
            }
        }
        let reason = if stop.is_cancelled() { EndReason::AgentStop } else { EndReason::CaptureEnd };
        self.read_the_rest(&mut tracker);
        let now = Timestamp(self.clock.now_ns());
        // No packets are kept waiting any more: flows that are open may wait for room.
        self.queue.wait_when_full();
        tracker.finish(reason, &mut self.queue);
        self.tick(&mut watched, now);
        self.cover(&mut watched, now);
        if let Some(lost) = loss::of_table(&tracker, &self.tap.interface) {
            self.queue.insist(Event::Loss(lost));
        }
    }

    /// Reads what the kernel has not handed over yet: a block of its ring waits to be full.
    fn read_the_rest(&mut self, tracker: &mut Tracker) {
        let until = Instant::now() + LAST_BLOCK;
        while Instant::now() < until {
            if self.read_once(tracker).is_err() {
                // Said before, or the interface went away together with the agent.
                return;
            }
        }
    }

    fn read_once(&mut self, tracker: &mut Tracker) -> Result<(), LiveError> {
        self.wait();
        self.capture.read(|frame| tracker.observe(frame, &mut self.queue))?;
        Ok(())
    }

    #[expect(
        unsafe_code,
        reason = "libpcap hands out the number of its descriptor, which lives as long as the capture"
    )]
    fn wait(&self) {
        // SAFETY: `self.capture` owns the descriptor and is borrowed for as long as `fd`.
        let fd = unsafe { BorrowedFd::borrow_raw(self.capture.fd()) };
        // An interrupted or failed wait only means that the read finds nothing.
        let _ = poll(&mut [PollFd::from_borrowed_fd(fd, PollFlags::IN)], Some(&WAIT));
    }

    fn tick(&mut self, watched: &mut Watched, now: Timestamp) {
        match self.capture.stats() {
            Ok(stats) => {
                for lost in loss::of_ring(watched.stats, stats, &self.tap.interface, watched.tick, now) {
                    self.queue.insist(Event::Loss(lost));
                }
                watched.stats = stats;
            }
            Err(error) => self.complain(error),
        }
        watched.tick = now;
        if now.window_start(watched.window_ns) > watched.from {
            self.cover(watched, now.window_start(watched.window_ns));
        }
    }

    fn complain(&self, error: LiveError) {
        warn!(interface = %self.tap.interface, "{:#}", anyhow::Error::new(error));
    }

    /// Reports that the tap watched until `to`.
    fn cover(&self, watched: &mut Watched, to: Timestamp) {
        if to <= watched.from {
            return;
        }
        self.queue.insist(Event::Coverage(Coverage {
            interface: Some(Arc::clone(&self.tap.interface)),
            role: self.tap.role,
            pod: self.tap.pod.clone(),
            from_ts: watched.from,
            to_ts: Some(to),
            reason: None,
        }));
        watched.from = to;
    }
}

/// What was reported so far.
struct Watched {
    from: Timestamp,
    tick: Timestamp,
    stats: LiveStats,
    window_ns: i64,
}
