//! What was dropped on the way to the collector, until a batch carries it there: batches in, a handful of losses out.

use std::sync::Arc;

use weir_model::{Batch, Counters, Flow, Loss, LossStage, Report, Timestamp};

use crate::tally::Tally;

/// Losses that no batch carries yet, one for each stage and interface: a collector that is away for days leaves a handful
/// of losses, not one for each batch.
#[derive(Debug)]
pub(super) struct Lost {
    losses: Vec<Loss>,
    tally: Arc<Tally>,
}

impl Lost {
    /// None yet. `tally` is told of each.
    pub(super) const fn new(tally: Arc<Tally>) -> Self {
        Self { losses: Vec::new(), tally }
    }

    /// Counts what a dropped batch held as a loss at `stage`, and takes over the losses that it carried.
    pub(super) fn batch(&mut self, batch: &Batch, stage: LossStage) {
        batch.losses.iter().for_each(|carried| self.add(carried));
        if let Some(loss) = loss_of(batch, stage) {
            self.count(&loss);
        }
    }

    /// Counts something whose amount nobody knows.
    pub(super) fn unknown(&mut self, stage: LossStage, from_ts: Timestamp, to_ts: Timestamp) {
        self.count(&Loss { stage, interface: None, from_ts, to_ts, packets: None, bytes: None, rows: None });
    }

    /// All of them, for a batch to carry.
    pub(super) fn take(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.losses)
    }

    fn count(&mut self, loss: &Loss) {
        self.tally.lose(loss);
        self.add(loss);
    }

    fn add(&mut self, loss: &Loss) {
        let same = |known: &&mut Loss| {
            (known.stage, &known.interface, known.rows.is_some()) == (loss.stage, &loss.interface, loss.rows.is_some())
        };
        match self.losses.iter_mut().find(same) {
            Some(known) => known.add(loss),
            None => self.losses.push(loss.clone()),
        }
    }
}

/// The reports of a batch that become rows: a flow's start comes again in its next report.
pub(super) fn stored(batch: &Batch) -> impl Iterator<Item = &Flow> + Clone {
    batch.flows.iter().map(|seen| &seen.flow).filter(|flow| flow.report != Report::Start)
}

/// From the first to the last packet that a batch tells of; `None` = of none.
pub(super) fn span_of(batch: &Batch) -> Option<(Timestamp, Timestamp)> {
    let times = || batch.requests.iter().map(|seen| seen.request.ts);
    let from_ts = stored(batch).map(|flow| flow.first_ts).chain(times()).min()?;
    let to_ts = stored(batch).map(|flow| flow.last_ts).chain(times()).max()?;
    Some((from_ts, to_ts))
}

/// The flows and requests of a batch as a loss.
fn loss_of(batch: &Batch, stage: LossStage) -> Option<Loss> {
    let (from_ts, to_ts) = span_of(batch)?;
    let sum = |count: fn(&Counters) -> u64| {
        stored(batch).map(|flow| count(&flow.counters.fwd) + count(&flow.counters.rev)).sum::<u64>()
    };
    let rows = stored(batch).count() + batch.requests.len();
    let (packets, bytes) = (Some(sum(|counters| counters.packets)), Some(sum(|counters| counters.bytes)));
    Some(Loss { stage, interface: None, from_ts, to_ts, packets, bytes, rows: Some(rows as u64) })
}
