//! Replays capture files: the taps' files in, their flows out, all taps and connection tracking side by side in packet time.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use weir_capture::CaptureFile;
use weir_flow::{Tracker, TrackerConfig};
use weir_model::{Coverage, EndReason, Loss, LossStage, Timestamp};

use crate::conntrack::RecordedConntrack;
use crate::event::{Event, TapQueue};
use crate::taps::FileTap;

/// Taps take turns of this much packet time, so that the legs of a connection arrive near each other.
const TURN_NS: i64 = 50_000_000;

/// Reads all taps to their end, or until `stop`. Runs on a thread of its own; waits where the queue is full. The taps'
/// flows are numbered from 1, 2, ... with the stride of `config`.
pub(crate) fn replay(
    taps: Vec<(FileTap, TapQueue)>,
    mut conntrack: Option<RecordedConntrack>,
    config: &TrackerConfig,
    stop: &CancellationToken,
) {
    let mut sources: Vec<Source> = taps
        .into_iter()
        .zip(1..)
        .map(|((tap, queue), first_flow)| {
            let config = TrackerConfig { first_flow, ..config.clone() };
            Source::new(tap, queue, config)
        })
        .collect();
    loop {
        let next =
            sources.iter().enumerate().filter(|(_, s)| !s.is_done()).min_by_key(|(_, s)| s.time).map(|(at, _)| at);
        let Some(source) = next.and_then(|at| sources.get_mut(at)) else { break };
        if stop.is_cancelled() || source.queue.is_closed() {
            break;
        }
        // First, so that flows are named by what it tells.
        if let Some(conntrack) = &mut conntrack {
            conntrack.tell_until(source.time.plus_ns(TURN_NS));
        }
        source.take_turn();
    }
    if let Some(conntrack) = conntrack.as_mut().filter(|_| !stop.is_cancelled()) {
        conntrack.finish();
    }
    let reason = if stop.is_cancelled() { EndReason::AgentStop } else { EndReason::CaptureEnd };
    for source in &mut sources {
        source.finish(reason);
    }
    info!(
        taps = sources.len(),
        frames = sources.iter().map(|s| s.tracker.counts().frames).sum::<u64>(),
        "replay ended"
    );
}

/// One interface's files.
struct Source {
    tap: FileTap,
    queue: TapQueue,
    tracker: Tracker,
    /// The file being read.
    open: Option<CaptureFile>,
    /// How many files were opened.
    opened: usize,
    /// Packet time it has reached.
    time: Timestamp,
}

impl Source {
    fn new(tap: FileTap, queue: TapQueue, config: TrackerConfig) -> Self {
        let time = tap.files.first().map_or(Timestamp(i64::MIN), |file| file.from_ts);
        Self { tap, queue, tracker: Tracker::new(config), open: None, opened: 0, time }
    }

    fn is_done(&self) -> bool {
        self.open.is_none() && self.opened == self.tap.files.len()
    }

    /// Reads on for a while.
    fn take_turn(&mut self) {
        let Some(file) = &mut self.open else { return self.open_next() };
        let until = self.time.plus_ns(TURN_NS);
        let ended = loop {
            match file.next_frame() {
                Ok(Some(frame)) => {
                    self.time = frame.time;
                    self.tracker.observe(&frame, &mut self.queue);
                    if frame.time > until {
                        return;
                    }
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        if let Some(error) = ended {
            warn!("{error}");
            self.queue.insist(Event::Loss(self.cut_short()));
        }
        self.open = None;
        if let Some(next) = self.tap.files.get(self.opened) {
            self.time = next.from_ts;
        }
    }

    fn open_next(&mut self) {
        let Some(file) = self.tap.files.get(self.opened) else { return };
        self.opened += 1;
        match CaptureFile::open(&file.path) {
            Ok(open) => self.open = Some(open),
            Err(error) => {
                warn!("{error}");
                self.queue.insist(Event::Loss(self.cut_short()));
            }
        }
    }

    /// What a damaged file loses is not known, but that it does.
    fn cut_short(&self) -> Loss {
        Loss {
            stage: LossStage::File,
            interface: Some(Arc::clone(&self.tap.tap.interface)),
            from_ts: self.time,
            to_ts: self.time,
            packets: None,
            bytes: None,
            rows: None,
        }
    }

    fn finish(&mut self, reason: EndReason) {
        self.tracker.finish(reason, &mut self.queue);
        if let Some(loss) = crate::loss::of_table(&mut self.tracker, &self.tap.tap.interface) {
            self.queue.insist(Event::Loss(loss));
        }
        let spans: Vec<Coverage> = self.tap.coverage().collect();
        for span in spans {
            self.queue.insist(Event::Coverage(span));
        }
    }
}
