//! After a start: what the journal holds and the lake does not, put back into the way of a batch.

use std::sync::Arc;

use anyhow::{Context as _, Result};
use tracing::info;
use weir_journal::{Checkpoint, Journal, Position};
use weir_model::Batch;
use weir_proto::decode_stored;

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
    let mut batches = 0_u64;
    for entry in journal.entries_after(from) {
        let (position, bytes) = entry.context("reading the journal")?;
        let batch: Batch = decode_stored(&bytes).with_context(|| format!("reading journal entry {}", position.0))?;
        sequences.note(&batch.node, batch.run, batch.sequence);
        if position.0 > covered {
            let task = Task::Batch { position: position.0, batch: Arc::new(batch) };
            settler.send(task).await.context("the settler stopped")?;
            batches += 1;
        }
    }
    if batches > 0 {
        info!(batches, "replayed the journal");
    }
    Ok(sequences)
}
