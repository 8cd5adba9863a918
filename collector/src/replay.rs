//! After a start: what the journal holds and the lake does not, put back into the way that it came.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tracing::info;
use weir_journal::{Checkpoint, Journal, Position};
use weir_proto::{Entry, decode_entry};

use crate::sequences::Sequences;
use crate::settler::{self, Task};

/// Sends every entry behind `covered` to the settler, and returns the sequences that the journal holds. `covered` = the
/// position that every table of the lake has.
pub(crate) async fn replay(
    journal: &Journal,
    checkpoint: Option<&Checkpoint>,
    covered: u64,
    settler: &settler::Sender,
) -> Result<Sequences> {
    let mut sequences = match checkpoint {
        Some(checkpoint) => Sequences::from_bytes(&checkpoint.data)?,
        None => Sequences::default(),
    };
    let from = checkpoint.map_or(Position(0), |checkpoint| checkpoint.position);
    let mut entries = 0_u64;
    for entry in journal.entries_after(from) {
        let (Position(position), bytes) = entry.context("reading the journal")?;
        let task = match decode_entry(&bytes).with_context(|| format!("reading journal entry {position}"))? {
            Entry::Batch(batch) => {
                sequences.note(&batch.node, batch.run, batch.sequence);
                Task::Batch { position, batch: Arc::new(batch) }
            }
            Entry::Objects(changes) => Task::Objects { position, changes: changes.into() },
        };
        if position > covered {
            settler.send(task).await.context("the settler stopped")?;
            entries += 1;
        }
    }
    if entries > 0 {
        info!(entries, "replayed the journal");
    }
    Ok(sequences)
}
