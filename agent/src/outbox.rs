//! Batches that the collector has not acked: numbered, kept in order, bounded.

use std::collections::VecDeque;
use std::sync::Arc;

use weir_model::{Batch, Counters, Flow, Loss, LossStage, Report, RunId};

use crate::contents::Contents;
use crate::tally::Tally;

/// What one record takes in memory, about: for the cap, which is in bytes.
const RECORD_BYTES: usize = 320;

/// Unacked batches of one run, oldest first.
///
/// Cap: `cap_bytes`. What comes when it is full is the caller's choice: [`Outbox::is_full`] to wait, or
/// [`Outbox::push`] all the same, which drops the oldest batches and counts them as a loss in the next batch.
#[derive(Debug)]
pub(crate) struct Outbox {
    node: Arc<str>,
    run: RunId,
    next_sequence: u64,
    batches: VecDeque<Arc<Batch>>,
    bytes: usize,
    cap_bytes: usize,
    /// What dropped batches held and carried, one entry for each stage and interface.
    lost: Vec<Loss>,
    tally: Arc<Tally>,
}

impl Outbox {
    /// Empty. `tally` is told how much it holds and what it drops.
    pub(crate) const fn new(node: Arc<str>, run: RunId, cap_bytes: usize, tally: Arc<Tally>) -> Self {
        Self { node, run, next_sequence: 1, batches: VecDeque::new(), bytes: 0, cap_bytes, lost: Vec::new(), tally }
    }

    /// Whether another batch would push the oldest out.
    pub(crate) const fn is_full(&self) -> bool {
        self.bytes >= self.cap_bytes
    }

    /// Whether everything was acked.
    pub(crate) fn is_empty(&self) -> bool {
        self.batches.is_empty()
    }

    /// How many batches wait.
    pub(crate) fn len(&self) -> usize {
        self.batches.len()
    }

    /// Takes the contents of one batch and numbers it.
    pub(crate) fn push(&mut self, contents: Contents) {
        while self.is_full() {
            let Some(oldest) = self.batches.pop_front() else { break };
            self.bytes -= size_of(&oldest);
            self.lose(&oldest);
        }
        let mut losses = std::mem::take(&mut self.lost);
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
        };
        self.next_sequence += 1;
        self.bytes += size_of(&batch);
        self.batches.push_back(Arc::new(batch));
        self.tell();
    }

    /// The first batch after `sequence`, if there is one.
    pub(crate) fn after(&self, sequence: u64) -> Option<&Arc<Batch>> {
        let at = self.batches.partition_point(|batch| batch.sequence <= sequence);
        self.batches.get(at)
    }

    /// Drops every batch up to and including `sequence`: it is on the collector's disk.
    pub(crate) fn acked(&mut self, sequence: u64) {
        while let Some(batch) = self.batches.front()
            && batch.sequence <= sequence
        {
            self.bytes -= size_of(batch);
            self.batches.pop_front();
        }
        self.tell();
    }

    /// Drops the one batch that the collector can never take, and counts the loss.
    pub(crate) fn refused(&mut self, sequence: u64) {
        if let Ok(at) = self.batches.binary_search_by_key(&sequence, |batch| batch.sequence)
            && let Some(batch) = self.batches.remove(at)
        {
            self.bytes -= size_of(&batch);
            self.lose(&batch);
            self.tell();
        }
    }

    fn tell(&self) {
        self.tally.unacked(self.batches.len(), self.bytes);
    }

    /// Rows in batches that were not acked.
    pub(crate) fn rows(&self) -> usize {
        let rows = |batch: &Arc<Batch>| {
            stored(batch).count() + batch.requests.len() + batch.coverage.len() + batch.losses.len()
        };
        self.batches.iter().map(rows).sum()
    }

    /// Losses that no batch carries yet.
    pub(crate) fn take_lost(&mut self) -> Vec<Loss> {
        std::mem::take(&mut self.lost)
    }

    /// Counts what a dropped batch held as a loss, and takes over the losses that it carried. Sums them up, so that a
    /// collector that is away for days leaves a handful of losses and not one for each batch.
    fn lose(&mut self, batch: &Batch) {
        let dropped = loss_of(batch);
        if let Some(loss) = &dropped {
            self.tally.lose(loss);
        }
        for loss in batch.losses.iter().cloned().chain(dropped) {
            let same = |known: &&mut Loss| known.stage == loss.stage && known.interface == loss.interface;
            match self.lost.iter_mut().find(same) {
                Some(known) => add(known, &loss),
                None => self.lost.push(loss),
            }
        }
    }
}

fn size_of(batch: &Batch) -> usize {
    let requests = 2 * batch.requests.len();
    let records = batch.flows.len() + requests + batch.coverage.len() + batch.losses.len();
    let told = batch.policy_logs.len() + batch.translations.len();
    (records + told + 1) * RECORD_BYTES
}

/// The reports that become rows: a flow's start comes again in its next report.
fn stored(batch: &Batch) -> impl Iterator<Item = &Flow> + Clone {
    batch.flows.iter().map(|seen| &seen.flow).filter(|flow| flow.report != Report::Start)
}

/// The flows and requests of a batch as a loss.
fn loss_of(batch: &Batch) -> Option<Loss> {
    let flows = stored(batch);
    let times = || batch.requests.iter().map(|seen| seen.request.ts);
    let sum = |count: fn(&Counters) -> u64| {
        flows.clone().map(|flow| count(&flow.counters.fwd) + count(&flow.counters.rev)).sum::<u64>()
    };
    Some(Loss {
        stage: LossStage::Unacked,
        interface: None,
        from_ts: flows.clone().map(|flow| flow.first_ts).chain(times()).min()?,
        to_ts: flows.clone().map(|flow| flow.last_ts).chain(times()).max()?,
        packets: Some(sum(|counters| counters.packets)),
        bytes: Some(sum(|counters| counters.bytes)),
        rows: Some((flows.clone().count() + batch.requests.len()) as u64),
    })
}

/// Adds a loss of the same stage and interface. A count that one of them does not know is not known of both.
fn add(known: &mut Loss, more: &Loss) {
    let sum = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
    known.from_ts = known.from_ts.min(more.from_ts);
    known.to_ts = known.to_ts.max(more.to_ts);
    known.packets = sum(known.packets, more.packets);
    known.bytes = sum(known.bytes, more.bytes);
    known.rows = sum(known.rows, more.rows);
}

#[cfg(test)]
mod tests {
    use weir_model::Timestamp;

    use super::*;
    use crate::sample;

    /// Room for `records` records in batches of one.
    fn outbox(records: usize) -> Outbox {
        Outbox::new("node-a".into(), RunId(7), records * 2 * RECORD_BYTES, Arc::default())
    }

    fn one_flow(count: u8) -> Contents {
        Contents { flows: vec![sample::attributed(count)], ..Contents::default() }
    }

    fn sequences(outbox: &Outbox) -> Vec<u64> {
        outbox.batches.iter().map(|batch| batch.sequence).collect()
    }

    /// What `counts` flows of the sample come to, first to last.
    fn lost(first: u8, last: u8) -> Loss {
        let flows = u64::from(last - first) + 1;
        Loss {
            stage: LossStage::Unacked,
            interface: None,
            from_ts: Timestamp::from_parts(10, i64::from(first)),
            to_ts: Timestamp::from_parts(10, i64::from(last) + 1_000),
            packets: Some(5 * flows),
            bytes: Some(500 * flows),
            rows: Some(flows),
        }
    }

    fn carried(outbox: &Outbox, sequence: u64) -> &[Loss] {
        &outbox.after(sequence - 1).expect("a batch").losses
    }

    #[test]
    fn numbers_batches_in_order_and_drops_what_is_acked() {
        let mut outbox = outbox(10);
        (1..=4).for_each(|count| outbox.push(one_flow(count)));
        assert_eq!(sequences(&outbox), [1, 2, 3, 4]);
        let batch = outbox.after(0).expect("a batch");
        assert_eq!((&*batch.node, batch.run), ("node-a", RunId(7)));
        assert_eq!(batch.flows, [sample::attributed(1)]);
        outbox.acked(2);
        assert_eq!(sequences(&outbox), [3, 4]);
        outbox.acked(1);
        assert_eq!((outbox.len(), outbox.rows()), (2, 2), "an old ack changes nothing");
        assert_eq!(outbox.after(3).map(|batch| batch.sequence), Some(4));
        assert_eq!(outbox.after(4), None);
        outbox.acked(u64::MAX);
        assert!(outbox.is_empty());
        assert_eq!((outbox.bytes, outbox.take_lost()), (0, vec![]));
    }

    #[test]
    fn numbers_go_on_after_everything_was_acked() {
        let mut outbox = outbox(10);
        outbox.push(one_flow(1));
        outbox.acked(1);
        outbox.push(one_flow(2));
        assert_eq!(sequences(&outbox), [2]);
    }

    #[test]
    fn the_oldest_batch_makes_room_and_the_next_batch_carries_its_loss() {
        let mut outbox = outbox(3);
        (1..=3).for_each(|count| outbox.push(one_flow(count)));
        assert!(outbox.is_full());
        outbox.push(one_flow(4));
        assert_eq!(sequences(&outbox), [2, 3, 4]);
        assert_eq!(carried(&outbox, 4), [lost(1, 1)]);
        assert_eq!(outbox.take_lost(), [], "it is carried once");
    }

    #[test]
    fn losses_of_a_dropped_batch_are_passed_on_and_summed_up() {
        let mut outbox = outbox(3);
        let kernel = |packets| Loss {
            stage: LossStage::Kernel,
            interface: Some("eth0".into()),
            bytes: None,
            packets: Some(packets),
            rows: None,
            ..lost(1, 1)
        };
        outbox.push(Contents { losses: vec![kernel(5), kernel(6)], ..one_flow(1) });
        for count in 2..=100 {
            outbox.push(one_flow(count));
        }
        assert!(outbox.bytes <= outbox.cap_bytes + size_of(&outbox.batches[0]), "{} bytes", outbox.bytes);
        let mut losses: Vec<Loss> = outbox.batches.iter().flat_map(|batch| batch.losses.clone()).collect();
        losses.extend(outbox.take_lost());
        let of = |stage| losses.iter().filter(move |loss| loss.stage == stage);
        assert_eq!(of(LossStage::Kernel).map(|loss| loss.packets).collect::<Vec<_>>(), [Some(11)]);
        let rows = of(LossStage::Unacked).filter_map(|loss| loss.rows).sum::<u64>();
        let kept = outbox.batches.iter().map(|batch| batch.flows.len() as u64).sum::<u64>();
        assert_eq!(rows + kept, 100, "every row is kept or counted once");
        let bytes = of(LossStage::Unacked).filter_map(|loss| loss.bytes).sum::<u64>();
        assert_eq!(bytes, rows * 500);
    }

    #[test]
    fn a_refused_batch_is_a_loss_and_the_others_stay() {
        let mut outbox = outbox(10);
        (1..=3).for_each(|count| outbox.push(one_flow(count)));
        outbox.refused(2);
        assert_eq!(sequences(&outbox), [1, 3]);
        outbox.refused(2);
        outbox.refused(9);
        outbox.push(one_flow(4));
        assert_eq!(carried(&outbox, 4), [lost(2, 2)]);
    }

    #[test]
    fn the_start_of_a_flow_is_no_row() {
        let mut outbox = outbox(10);
        let mut started = one_flow(1);
        started.flows[0].flow.report = Report::Start;
        started.flows.push(sample::attributed(2));
        outbox.push(started);
        assert_eq!(outbox.rows(), 1);
        outbox.refused(1);
        assert_eq!(outbox.take_lost(), [lost(2, 2)]);
    }
}
