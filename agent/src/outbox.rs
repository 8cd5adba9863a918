//! Batches that the collector has not acked: numbered, kept in order, bounded in memory and on disk.

#[cfg(test)]
mod crashes;
mod lost;
mod spool;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tracing::{error, info, warn};
use weir_journal::JournalError;
use weir_model::{Batch, Loss, LossStage, RunId};

use crate::contents::Contents;
use crate::tally::Tally;
use lost::{Lost, stored};
use spool::Next;

pub(crate) use spool::Spool;

/// What one record takes in memory, about: for the cap, which is in bytes.
const RECORD_BYTES: usize = 320;

/// Batches that may wait for an ack on one stream.
pub(crate) const WINDOW: usize = 32;

/// How long a batch may wait for its ack in memory alone. A collector that is there acks within a fraction of it, so the
/// disk sees nothing.
const SPOOL_AFTER: Duration = Duration::from_secs(2);

/// How long nothing is written to a disk that had no room.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// What happens to new contents when there is room neither in memory nor on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Overflow {
    /// They wait: files do.
    Wait,
    /// The oldest batches go: live taps cannot wait.
    DropOldest,
}

/// Bounds of an outbox.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    /// Bytes of batches in memory, about.
    pub(crate) memory_bytes: usize,
    /// What happens beyond it and beyond the spool.
    pub(crate) overflow: Overflow,
}

/// Unacked batches, oldest first: those in the spool, then those in memory.
///
/// Cap: [`Bounds`], and the spool's own. What the collector may have without having said so (at most [`WINDOW`] batches) is
/// never dropped, so that what counts as lost is lost.
#[derive(Debug)]
pub(crate) struct Outbox {
    node: Arc<str>,
    run: RunId,
    next_sequence: u64,
    /// The highest sequence of this run that was given out to be sent.
    given: u64,
    spool: Option<Spool>,
    writing: Writing,
    batches: VecDeque<Waiting>,
    bytes: usize,
    bounds: Bounds,
    lost: Lost,
    tally: Arc<Tally>,
}

/// A batch in memory.
#[derive(Debug)]
struct Waiting {
    since: Instant,
    batch: Arc<Batch>,
}

/// Whether batches are written to the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    /// They are.
    Works,
    /// The disk had no room; it is tried again then.
    From(Instant),
    /// Never again in this run: there is no spool, or it failed.
    Over,
}

impl Outbox {
    /// Empty but for what the spool has. `tally` is told how much it holds and what it drops.
    pub(crate) fn new(node: Arc<str>, run: RunId, bounds: Bounds, spool: Option<Spool>, tally: Arc<Tally>) -> Self {
        let (mut spool, mut lost) = (spool, Lost::new(Arc::clone(&tally)));
        let writing = if spool.is_some() { Writing::Works } else { Writing::Over };
        if let Some(spool) = &mut spool {
            spool.begin(&mut lost);
        }
        let batches = VecDeque::new();
        let outbox =
            Self { node, run, next_sequence: 1, given: 0, spool, writing, batches, bytes: 0, bounds, lost, tally };
        outbox.tell();
        outbox
    }

    /// Whether another batch would push the oldest out.
    pub(crate) const fn is_full(&self) -> bool {
        self.bytes >= self.bounds.memory_bytes
    }

    /// Whether new contents have to wait.
    pub(crate) fn must_wait(&self) -> bool {
        self.bounds.overflow == Overflow::Wait && self.is_full()
    }

    /// Whether everything was acked.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty() && self.spool.as_ref().is_none_or(Spool::is_empty)
    }

    /// How many batches wait.
    pub(crate) fn len(&self) -> u64 {
        self.batches.len() as u64 + self.spooled()
    }

    /// How many of them are on disk.
    pub(crate) fn spooled(&self) -> u64 {
        self.spool.as_ref().map_or(0, Spool::len)
    }

    /// The run whose batches are to be sent now: runs before this one come first, each under its own name.
    pub(crate) fn sending(&mut self) -> RunId {
        self.spool.as_mut().and_then(|spool| spool.oldest_run(&mut self.lost)).unwrap_or(self.run)
    }

    /// Takes the contents of one batch and numbers it.
    pub(crate) fn push(&mut self, contents: Contents) {
        while self.is_full() && (self.spool_oldest() || self.drop_oldest()) {}
        let mut losses = self.lost.take();
        losses.extend(contents.losses);
        let batch = Batch {
            node: Arc::clone(&self.node),
            run: self.run,
            sequence: self.next_sequence,
            flows: contents.flows,
            requests: contents.requests,
            coverage: contents.coverage,
            losses,
            policy_logs: contents.policy_logs,
            translations: contents.translations,
            inputs: contents.inputs,
        };
        self.next_sequence += 1;
        self.bytes += size_of(&batch);
        self.batches.push_back(Waiting { since: Instant::now(), batch: Arc::new(batch) });
        self.relieve();
        self.tell();
    }

    /// The batch of `run` that follows `sequence`; `None` where there is none, or where enough of them wait for an ack.
    pub(crate) fn next(&mut self, run: RunId, sequence: u64) -> Option<Arc<Batch>> {
        let next = self.spool.as_mut().map_or(Next::Nothing, |spool| spool.next(run, sequence, &mut self.lost));
        let batch = match next {
            Next::Batch(batch) => batch,
            Next::Later => return None,
            Next::Nothing if run != self.run => return None,
            Next::Nothing => {
                let at = self.batches.partition_point(|waiting| waiting.batch.sequence <= sequence);
                if at as u64 + self.spooled() >= WINDOW as u64 {
                    return None;
                }
                Arc::clone(&self.batches.get(at)?.batch)
            }
        };
        if run == self.run {
            self.given = self.given.max(batch.sequence);
        }
        Some(batch)
    }

    /// Drops every batch of `run` up to and including `sequence`: it is on the collector's disk.
    pub(crate) fn acked(&mut self, run: RunId, sequence: u64) {
        if let Some(spool) = &mut self.spool {
            spool.acked(run, sequence, &mut self.lost);
        }
        while run == self.run
            && let Some(Waiting { batch, .. }) = self.batches.front()
            && batch.sequence <= sequence
        {
            self.bytes -= size_of(batch);
            self.batches.pop_front();
        }
        self.relieve();
        self.tell();
    }

    /// A new stream of `run` begins, and the collector has what is up to `durable`: that much of what was sent before.
    pub(crate) fn resume(&mut self, run: RunId, durable: u64) {
        self.acked(run, durable);
        if let Some(spool) = &mut self.spool {
            spool.resume();
        }
        if run == self.run {
            self.given = durable;
        }
    }

    /// Drops the one batch that the collector can never take, and counts the loss.
    pub(crate) fn refused(&mut self, run: RunId, sequence: u64) {
        let taken = self.spool.as_mut().and_then(|spool| spool.take(run, sequence)).or_else(|| {
            let is_it = |waiting: &Waiting| (waiting.batch.run, waiting.batch.sequence) == (run, sequence);
            self.remove(self.batches.iter().position(is_it)?)
        });
        if let Some(batch) = taken {
            self.lost.batch(&batch, LossStage::Wire);
            self.tell();
        }
    }

    /// When the oldest batch in memory should go to disk; `None` = not at all.
    pub(crate) fn due(&self) -> Option<Instant> {
        let due = self.batches.front()?.since + SPOOL_AFTER;
        match self.writing {
            Writing::Works => Some(due),
            Writing::From(at) => Some(due.max(at)),
            Writing::Over => None,
        }
    }

    /// Writes to disk what has waited for too long.
    pub(crate) fn tend(&mut self) {
        let now = Instant::now();
        while self.due().is_some_and(|due| due <= now) && self.spool_oldest() {}
        self.tell();
    }

    /// Notes on disk that a run is over: the collector must not hear of it again.
    pub(crate) fn trim(&mut self) {
        if let Some(spool) = &mut self.spool {
            spool.trim();
        }
    }

    /// Writes everything to disk, for the next start of the agent. What cannot be written stays in memory.
    pub(crate) fn put_away(&mut self) {
        if let Writing::From(_) = self.writing {
            self.writing = Writing::Works;
        }
        while self.spool_oldest() {}
        // A batch that carries losses may push another one out.
        for _ in 0..WINDOW {
            if let Some(spool) = &mut self.spool {
                spool.give_up_given(&mut self.lost);
            }
            let losses = self.lost.take();
            if losses.is_empty() {
                break;
            }
            self.push(Contents { losses, ..Contents::default() });
            self.spool_oldest();
        }
        self.trim();
        if let Some(spool) = &mut self.spool
            && let Err(error) = spool.sync()
        {
            warn!("the spool may not survive a crash of the node: {error}");
        }
        self.tell();
    }

    /// Rows in memory that were not acked.
    pub(crate) fn rows(&self) -> usize {
        let rows = |Waiting { batch, .. }: &Waiting| {
            stored(batch).count() + batch.requests.len() + batch.coverage.len() + batch.losses.len()
        };
        self.batches.iter().map(rows).sum()
    }

    /// Losses that no batch carries yet.
    pub(crate) fn take_lost(&mut self) -> Vec<Loss> {
        self.lost.take()
    }

    /// Makes room in memory where there is room on disk.
    fn relieve(&mut self) {
        while self.is_full() && self.spool_oldest() {}
    }

    /// Moves the oldest batch from memory to disk; `false` = it was not possible.
    fn spool_oldest(&mut self) -> bool {
        let may_write = match self.writing {
            Writing::Works => true,
            Writing::From(at) => at <= Instant::now(),
            Writing::Over => false,
        };
        let (Some(spool), Some(oldest), true) = (&mut self.spool, self.batches.front(), may_write) else {
            return false;
        };
        let drops = self.bounds.overflow == Overflow::DropOldest;
        match spool.append(&oldest.batch, oldest.batch.sequence <= self.given, drops, &mut self.lost) {
            Ok(()) => self.wrote(),
            // Its file is never large enough for it.
            Err(JournalError::TooLarge { .. }) if drops => self.lost.batch(&oldest.batch, LossStage::Spool),
            Err(JournalError::Full { .. } | JournalError::TooLarge { .. }) => return false,
            Err(error) => {
                self.cannot_write(&error);
                return false;
            }
        }
        self.remove(0).is_some()
    }

    fn wrote(&mut self) {
        if self.writing != Writing::Works {
            info!("the spool can be written again");
            self.writing = Writing::Works;
        }
    }

    fn cannot_write(&mut self, error: &JournalError) {
        if let JournalError::NoSpace { .. } = error {
            if self.writing == Writing::Works {
                warn!("the spool has no room, batches stay in memory: {error}");
            }
            self.writing = Writing::From(Instant::now() + RETRY_AFTER);
        } else {
            error!("the spool failed, batches stay in memory until the agent is started again: {error}");
            self.writing = Writing::Over;
        }
    }

    /// Drops the oldest batch in memory that the collector cannot have; `false` = there is none.
    fn drop_oldest(&mut self) -> bool {
        if self.bounds.overflow == Overflow::Wait {
            return false;
        }
        let at = self.batches.partition_point(|waiting| waiting.batch.sequence <= self.given);
        let Some(batch) = self.remove(at) else { return false };
        self.lost.batch(&batch, LossStage::Unacked);
        true
    }

    fn remove(&mut self, at: usize) -> Option<Arc<Batch>> {
        let Waiting { batch, .. } = self.batches.remove(at)?;
        self.bytes -= size_of(&batch);
        Some(batch)
    }

    fn tell(&self) {
        self.tally.unacked(self.batches.len(), self.bytes);
        if let Some(spool) = &self.spool {
            self.tally.spool(spool.len(), spool.bytes(), self.writing == Writing::Works);
        }
    }
}

fn size_of(batch: &Batch) -> usize {
    let requests = 2 * batch.requests.len();
    let records = batch.flows.len() + requests + batch.coverage.len() + batch.losses.len();
    let told = batch.policy_logs.len() + batch.translations.len() + batch.inputs.len();
    (records + told + 1) * RECORD_BYTES
}
