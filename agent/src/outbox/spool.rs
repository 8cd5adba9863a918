//! The part of the outbox that lies on disk: the oldest unacked batches, of this run and of those before it. Batches are
//! written behind the last and read from the front; whatever cannot be kept or read is counted.
//!
//! Nothing is synced batch by batch: what was written survives a kill of the process at once, and a crash of the node
//! once the kernel has written it, or its file is full, or the agent has stopped.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use tracing::warn;
use weir_journal::{Journal, JournalError, JournalOptions, OnDamage, Position};
use weir_model::{Batch, LossStage, RunId, Timestamp};
use weir_proto::{decode_stored, encode_stored};

use super::WINDOW;
use super::lost::{Lost, span_of};

/// Unacked batches on disk.
///
/// Cap: the bytes it was opened with. Over it the oldest file goes, a sixteenth of the whole.
#[derive(Debug)]
pub(crate) struct Spool {
    journal: Journal,
    /// The oldest batches, read already; [`WINDOW`] at most. They are sent from here.
    ahead: VecDeque<Ahead>,
    /// Everything up to here was read, or dropped.
    read: Position,
    /// Batches between the last one read and the next are missing.
    is_gap: bool,
    /// The newest packet time of the last batch read, or when the spool was opened.
    newest: Timestamp,
}

/// A batch that was read, or just written.
#[derive(Debug)]
struct Ahead {
    position: Position,
    batch: Arc<Batch>,
    /// It was sent, so the collector may have it: it stays until that is known, whatever happens to its file.
    is_given: bool,
}

/// What comes next on a stream.
pub(super) enum Next {
    /// This batch.
    Batch(Arc<Batch>),
    /// As many as may wait for an ack do so, or another run comes first.
    Later,
    /// Nothing more on disk.
    Nothing,
}

impl Spool {
    /// Opens the spool in `dir`, which is made where it does not exist, and reads all of it once. What is damaged is
    /// counted when it is met.
    pub(crate) fn open(dir: &Path, max_bytes: u64, now: Timestamp) -> Result<Self, JournalError> {
        let segment_bytes = (max_bytes / 16).min(JournalOptions::default().segment_bytes);
        let options = JournalOptions { segment_bytes, max_bytes, on_damage: OnDamage::Skip };
        let (journal, recovered) = Journal::open(dir, &options)?;
        for damage in &recovered.skipped {
            warn!(?damage, "the spool is damaged: what cannot be read is lost");
        }
        if let Some(torn) = &recovered.torn {
            warn!(?torn, "the spool's end was torn");
        }
        // Torn at its end, there is no batch behind which a number is missing.
        let is_gap = recovered.torn.is_some();
        Ok(Self { read: journal.checkpointed(), journal, ahead: VecDeque::new(), is_gap, newest: now })
    }

    /// Whether every batch is acked or lost.
    pub(super) fn is_empty(&self) -> bool {
        self.ahead.is_empty() && self.read >= self.journal.last()
    }

    /// How many batches wait.
    pub(crate) fn len(&self) -> u64 {
        self.journal.last().0.saturating_sub(self.read.0) + self.ahead.len() as u64
    }

    /// Bytes on disk.
    pub(super) fn bytes(&self) -> u64 {
        self.journal.bytes()
    }

    /// The run of the oldest batch.
    pub(super) fn oldest_run(&mut self, lost: &mut Lost) -> Option<RunId> {
        self.fill(lost);
        self.ahead.front().map(|ahead| ahead.batch.run)
    }

    /// The batch of `run` that follows `sequence`.
    pub(super) fn next(&mut self, run: RunId, sequence: u64, lost: &mut Lost) -> Next {
        self.fill(lost);
        let is_next = |batch: &Batch| batch.run == run && batch.sequence > sequence;
        if let Some(ahead) = self.ahead.iter_mut().find(|ahead| is_next(&ahead.batch)) {
            ahead.is_given = true;
            return Next::Batch(Arc::clone(&ahead.batch));
        }
        let is_turn = self.ahead.front().is_none_or(|ahead| ahead.batch.run == run);
        if is_turn && self.read >= self.journal.last() { Next::Nothing } else { Next::Later }
    }

    /// Writes a batch behind all others; may drop the oldest ones for it, if `drops` says so. Else, and where the disk has
    /// no room, the batch is not written and nothing is lost.
    pub(super) fn append(
        &mut self,
        batch: &Arc<Batch>,
        is_given: bool,
        drops: bool,
        lost: &mut Lost,
    ) -> Result<(), JournalError> {
        let bytes = encode_stored(batch);
        let position = loop {
            match self.journal.append(&bytes) {
                Err(JournalError::Full { .. }) if drops && self.drop_oldest(lost)? => {}
                appended => break appended?,
            }
        };
        // It may be on a stream already, and must be found there.
        if self.read.0 + 1 == position.0 && self.ahead.len() < WINDOW {
            self.read = position;
            self.ahead.push_back(Ahead { position, batch: Arc::clone(batch), is_given });
        }
        Ok(())
    }

    /// Drops every batch of `run` up to and including `sequence`: the collector has them.
    pub(super) fn acked(&mut self, run: RunId, sequence: u64, lost: &mut Lost) {
        let is_acked = |batch: &Batch| batch.run == run && batch.sequence <= sequence;
        loop {
            self.fill(lost);
            let before = self.ahead.len();
            while self.ahead.front().is_some_and(|ahead| is_acked(&ahead.batch)) {
                self.ahead.pop_front();
            }
            if self.ahead.len() == before {
                break;
            }
        }
        let end = self.journal.segment_end(Position(self.journal.checkpointed().0 + 1));
        if self.free() >= end && end < self.journal.last() {
            self.trim();
        }
    }

    /// Reads what the agent before this one may have sent, so that it is not counted as lost before the collector has told.
    pub(super) fn begin(&mut self, lost: &mut Lost) {
        self.fill(lost);
        self.ahead.iter_mut().for_each(|ahead| ahead.is_given = true);
    }

    /// A new stream begins, and what was not acked by its begin the collector does not have.
    pub(super) fn resume(&mut self) {
        self.ahead.iter_mut().for_each(|ahead| ahead.is_given = false);
    }

    /// Drops a batch that the collector can never take; `None` = it is not here.
    pub(super) fn take(&mut self, run: RunId, sequence: u64) -> Option<Arc<Batch>> {
        let at = self.ahead.iter().position(|ahead| (ahead.batch.run, ahead.batch.sequence) == (run, sequence))?;
        self.ahead.remove(at).map(|ahead| ahead.batch)
    }

    /// Makes durable what was written.
    pub(super) fn sync(&mut self) -> Result<(), JournalError> {
        self.journal.sync().map(drop)
    }

    /// Up to where nothing is needed any more.
    fn free(&self) -> Position {
        self.ahead.front().map_or(self.read, |ahead| Position(ahead.position.0.saturating_sub(1)))
    }

    /// Notes on disk what is not needed any more. Where that is not done, the collector says so at the next start.
    pub(super) fn trim(&mut self) {
        let free = self.free();
        if free > self.journal.checkpointed()
            && let Err(error) = self.journal.checkpoint(free, b"")
        {
            warn!("the spool is not trimmed: {error}");
        }
    }

    /// Counts as lost what has no file any more and was sent: nobody will be told whether the collector has it.
    pub(super) fn give_up_given(&mut self, lost: &mut Lost) {
        let checkpointed = self.journal.checkpointed();
        while let Some(ahead) = self.ahead.pop_front_if(|ahead| ahead.position <= checkpointed) {
            lost.batch(&ahead.batch, LossStage::Spool);
        }
    }

    /// Drops the oldest file; `false` = there is none that could go. What was sent of it stays in memory.
    fn drop_oldest(&mut self, lost: &mut Lost) -> Result<bool, JournalError> {
        let checkpointed = self.journal.checkpointed();
        let end = self.journal.segment_end(Position(checkpointed.0 + 1));
        if end <= checkpointed {
            return Ok(false);
        }
        self.ahead.retain(|ahead| {
            let stays = ahead.is_given || ahead.position > end;
            if !stays {
                lost.batch(&ahead.batch, LossStage::Spool);
            }
            stays
        });
        while self.read < end {
            for (_, batch) in self.read(WINDOW, end, lost) {
                lost.batch(&batch, LossStage::Spool);
            }
        }
        self.journal.checkpoint(end, b"")?;
        Ok(true)
    }

    /// Reads ahead, many at once.
    fn fill(&mut self, lost: &mut Lost) {
        if self.ahead.len() > WINDOW / 2 {
            return;
        }
        while self.ahead.len() < WINDOW && self.read < self.journal.last() {
            let more = self.read(WINDOW - self.ahead.len(), self.journal.last(), lost);
            let more = more.into_iter().map(|(position, batch)| Ahead { position, batch, is_given: false });
            self.ahead.extend(more);
        }
        if self.is_gap && self.read >= self.journal.last() {
            self.is_gap = false;
            lost.unknown(LossStage::Spool, self.newest, self.newest);
        }
    }

    /// Reads the next batches up to `end`, `most` at most. A number that is missing, and bytes that are no batch, are a loss
    /// between the batches around them.
    fn read(&mut self, most: usize, end: Position, lost: &mut Lost) -> Vec<(Position, Arc<Batch>)> {
        let mut batches = Vec::with_capacity(most);
        let mut unreadable = None;
        for entry in self.journal.entries_after(self.read).take(most) {
            let (position, bytes) = match entry {
                Ok((position, _)) if position > end => break,
                Ok(entry) => entry,
                Err(error) => {
                    unreadable = Some(error);
                    break;
                }
            };
            self.is_gap |= position.0 > self.read.0 + 1;
            self.read = position;
            let Ok(batch) = decode_stored(&bytes) else {
                self.is_gap = true;
                continue;
            };
            if let Some((from, to)) = span_of(&batch) {
                if std::mem::take(&mut self.is_gap) {
                    lost.unknown(LossStage::Spool, self.newest.min(from), from);
                }
                self.newest = to;
            }
            batches.push((position, Arc::new(batch)));
        }
        if let Some(error) = unreadable {
            warn!("the spool is damaged: {error}");
            self.is_gap = true;
            self.read = self.journal.segment_end(Position(self.read.0 + 1));
        } else if batches.is_empty() && self.read < end {
            // Nothing up to `end` is there any more.
            self.is_gap = true;
            self.read = end;
        }
        batches
    }
}

#[cfg(test)]
impl Spool {
    /// What could still be sent.
    pub(super) fn held(&self) -> Vec<Arc<Batch>> {
        let unread = self.journal.entries_after(self.read).map(|entry| decode_stored(&entry.expect("reads").1));
        let unread = unread.map(|batch| Arc::new(batch.expect("a batch")));
        self.ahead.iter().map(|ahead| Arc::clone(&ahead.batch)).chain(unread).collect()
    }
}
