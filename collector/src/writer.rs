//! The journal's one writer: batches and changes of objects in, durable before they are acked, then on to the settler. A
//! thread of its own.

use std::collections::HashSet;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tonic::Status;
use tracing::{debug, error, warn};
use weir_journal::{Journal, JournalError, Position};
use weir_model::tables::ObjectRow;
use weir_model::{Batch, RunId};
use weir_proto::{encode_objects, encode_stored};

use crate::sequences::Sequences;
use crate::settler::{self, Task};

/// The most batches that share one write to disk.
const GROUP: usize = 256;

/// What the writer is asked to do.
pub(crate) enum Order {
    /// Make a batch durable.
    Append {
        /// The batch.
        batch: Arc<Batch>,
        /// Told when it is durable.
        done: oneshot::Sender<Result<Written, Status>>,
    },
    /// Make changes of objects durable.
    Record {
        /// The changes, in order.
        changes: Arc<[ObjectRow]>,
        /// Told when they are durable.
        done: oneshot::Sender<Result<Written, Status>>,
    },
    /// Say how far a run has come.
    Highest {
        /// The node.
        node: Arc<str>,
        /// The run.
        run: RunId,
        /// Told the highest durable sequence; 0 = none.
        done: oneshot::Sender<u64>,
    },
    /// Forget what the lake has.
    Checkpoint {
        /// Every entry up to here is committed to every table.
        position: Position,
    },
    /// Say how large the journal is.
    Size {
        /// Told the bytes on disk and the last position.
        done: oneshot::Sender<(u64, Position)>,
    },
}

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is in the journal now.
    New,
    /// It was there already.
    Duplicate,
}

/// Owns the journal.
pub(crate) struct Writer {
    journal: Journal,
    sequences: Sequences,
    settler: settler::Sender,
    /// Runs of which a batch found no room: what comes behind it on the same stream must not be taken before it, or it
    /// would be a duplicate when it comes again.
    refused: HashSet<(Arc<str>, RunId)>,
}

/// What waits to be durable, and then goes to the settler; `None` = it was there already.
type Waiting = (Option<Task>, oneshot::Sender<Result<Written, Status>>);

impl Writer {
    /// Takes over an open journal.
    pub(crate) fn new(journal: Journal, sequences: Sequences, settler: settler::Sender) -> Self {
        Self { journal, sequences, settler, refused: HashSet::new() }
    }

    /// Works until nobody can ask any more, or the journal fails: then nothing more is acked.
    pub(crate) fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        let mut group = Vec::with_capacity(GROUP);
        while orders.blocking_recv_many(&mut group, GROUP) > 0 {
            if let Err(failed) = self.write(&mut group) {
                error!("the journal failed, nothing more is taken: {failed}");
                return;
            }
        }
        debug!("journal closed");
    }

    fn write(&mut self, group: &mut Vec<Order>) -> Result<(), JournalError> {
        let mut waiting: Vec<Waiting> = Vec::new();
        for order in group.drain(..) {
            match order {
                Order::Append { batch, done } if self.refused.contains(&run_of(&batch)) => {
                    let _ = done.send(Err(Status::resource_exhausted("the journal had no room for an earlier batch")));
                }
                Order::Append { batch, done } => match self.append(&batch) {
                    Ok(position) => {
                        let task = position.map(|position| Task::Batch { position: position.0, batch });
                        waiting.push((task, done));
                    }
                    // Room comes back when the lake has committed more; until then agents keep what they have.
                    Err(full @ (JournalError::Full { .. } | JournalError::NoSpace { .. })) => {
                        warn!(node = %batch.node, sequence = batch.sequence, "batch refused: {full}");
                        self.refused.insert(run_of(&batch));
                        let _ = done.send(Err(Status::resource_exhausted(full.to_string())));
                    }
                    Err(failed) => return Err(failed),
                },
                Order::Record { changes, done } => match self.journal.append(&encode_objects(&changes)) {
                    Ok(position) => waiting.push((Some(Task::Objects { position: position.0, changes }), done)),
                    Err(
                        full @ (JournalError::Full { .. }
                        | JournalError::NoSpace { .. }
                        | JournalError::TooLarge { .. }),
                    ) => {
                        let _ = done.send(Err(Status::resource_exhausted(full.to_string())));
                    }
                    Err(failed) => return Err(failed),
                },
                Order::Highest { node, run, done } => {
                    // What was appended just now counts only when it is durable.
                    self.finish(&mut waiting)?;
                    let _ = done.send(self.sequences.highest(&node, run));
                    // A new stream begins, behind everything of the old one.
                    self.refused.remove(&(node, run));
                }
                // The next one covers more. Where the journal itself failed, the next write says so.
                Order::Checkpoint { position } => {
                    if let Err(failed) = self.journal.checkpoint(position, &self.sequences.to_bytes()) {
                        warn!("the journal is not trimmed: {failed}");
                    }
                }
                Order::Size { done } => {
                    let _ = done.send((self.journal.bytes(), self.journal.last()));
                }
            }
        }
        self.finish(&mut waiting)
    }

    /// The position of a new batch; `None` for one that is there already.
    fn append(&mut self, batch: &Batch) -> Result<Option<Position>, JournalError> {
        if self.sequences.holds(&batch.node, batch.run, batch.sequence) {
            return Ok(None);
        }
        let position = self.journal.append(&encode_stored(batch))?;
        self.sequences.note(&batch.node, batch.run, batch.sequence);
        Ok(Some(position))
    }

    /// Makes the group durable, acks it, and passes it on.
    fn finish(&mut self, waiting: &mut Vec<Waiting>) -> Result<(), JournalError> {
        if waiting.iter().any(|(task, _)| task.is_some()) {
            self.journal.sync()?;
        }
        for (task, done) in waiting.drain(..) {
            // An agent that is gone needs no ack.
            let _ = done.send(Ok(if task.is_some() { Written::New } else { Written::Duplicate }));
            if let Some(task) = task
                && self.settler.blocking_send(task).is_err()
            {
                debug!("the settler has stopped: the rest waits in the journal");
            }
        }
        Ok(())
    }
}

fn run_of(batch: &Batch) -> (Arc<str>, RunId) {
    (Arc::clone(&batch.node), batch.run)
}
