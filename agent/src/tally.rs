//! What the agent counts of itself as it goes, for `/metrics`. Writers add, the page reads; nobody waits.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use weir_model::{Input, Loss, LossStage, Report};

use crate::contents::Contents;

/// Counts since the start, and how things stand.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    flow_rows: AtomicU64,
    requests: AtomicU64,
    packets: AtomicU64,
    bytes: AtomicU64,
    lost: Mutex<BTreeMap<LossStage, Lost>>,
    inputs: Mutex<BTreeMap<Arc<str>, Input>>,
    unacked_batches: AtomicU64,
    unacked_bytes: AtomicU64,
    spooled_batches: AtomicU64,
    spool_bytes: AtomicU64,
    spool_fails: AtomicBool,
    connects: AtomicU64,
    connected: AtomicBool,
}

/// What was lost at one stage, as far as it was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Packets.
    pub(crate) packets: u64,
    /// Bytes of them.
    pub(crate) bytes: u64,
    /// Rows.
    pub(crate) rows: u64,
}

/// A tally as it stood when it was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Reports of flows that become rows.
    pub(crate) flow_rows: u64,
    /// Requests.
    pub(crate) requests: u64,
    /// Packets in those reports.
    pub(crate) packets: u64,
    /// Bytes of IP packets in them.
    pub(crate) bytes: u64,
    /// Losses by stage.
    pub(crate) lost: BTreeMap<LossStage, Lost>,
    /// Inputs beside the taps, as they stood last.
    pub(crate) inputs: Vec<Input>,
    /// Batches without an ack.
    pub(crate) unacked_batches: u64,
    /// Memory that they take, about.
    pub(crate) unacked_bytes: u64,
    /// Batches on disk.
    pub(crate) spooled_batches: u64,
    /// Bytes of their files.
    pub(crate) spool_bytes: u64,
    /// Whether batches should be written to disk and cannot be.
    pub(crate) spool_fails: bool,
    /// Streams to the collector that were opened.
    pub(crate) connects: u64,
    /// Whether one is open.
    pub(crate) connected: bool,
}

impl Tally {
    /// Counts what is to be sent.
    pub(crate) fn count(&self, contents: &Contents) {
        for flow in contents.flows.iter().map(|seen| &seen.flow).filter(|flow| flow.report != Report::Start) {
            let counters = &flow.counters;
            self.flow_rows.fetch_add(1, Ordering::Relaxed);
            self.packets.fetch_add(counters.fwd.packets + counters.rev.packets, Ordering::Relaxed);
            self.bytes.fetch_add(counters.fwd.bytes + counters.rev.bytes, Ordering::Relaxed);
        }
        self.requests.fetch_add(contents.requests.len() as u64, Ordering::Relaxed);
        contents.losses.iter().for_each(|loss| self.lose(loss));
        let mut inputs = self.inputs.lock().unwrap_or_else(PoisonError::into_inner);
        inputs.extend(contents.inputs.iter().map(|input| (Arc::clone(&input.name), input.clone())));
    }

    /// Counts a loss, once, where it happens.
    pub(crate) fn lose(&self, loss: &Loss) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = lost.entry(loss.stage).or_default();
        sum.packets += loss.packets.unwrap_or(0);
        sum.bytes += loss.bytes.unwrap_or(0);
        sum.rows += loss.rows.unwrap_or(0);
    }

    /// Notes what has no ack.
    pub(crate) fn unacked(&self, batches: usize, bytes: usize) {
        self.unacked_batches.store(batches as u64, Ordering::Relaxed);
        self.unacked_bytes.store(bytes as u64, Ordering::Relaxed);
    }

    /// Notes what is on disk, and whether it can be written.
    pub(crate) fn spool(&self, batches: u64, bytes: u64, works: bool) {
        self.spooled_batches.store(batches, Ordering::Relaxed);
        self.spool_bytes.store(bytes, Ordering::Relaxed);
        self.spool_fails.store(!works, Ordering::Relaxed);
    }

    /// Notes that there should be a spool and is none.
    pub(crate) fn spool_failed(&self) {
        self.spool_fails.store(true, Ordering::Relaxed);
    }

    /// Notes that a stream was opened.
    pub(crate) fn connected(&self) {
        self.connects.fetch_add(1, Ordering::Relaxed);
        self.connected.store(true, Ordering::Relaxed);
    }

    /// Notes that it is over.
    pub(crate) fn disconnected(&self) {
        self.connected.store(false, Ordering::Relaxed);
    }

    /// How things stand.
    pub(crate) fn read(&self) -> Reading {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Reading {
            flow_rows: count(&self.flow_rows),
            requests: count(&self.requests),
            packets: count(&self.packets),
            bytes: count(&self.bytes),
            lost: self.lost.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            inputs: self.inputs.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect(),
            unacked_batches: count(&self.unacked_batches),
            unacked_bytes: count(&self.unacked_bytes),
            spooled_batches: count(&self.spooled_batches),
            spool_bytes: count(&self.spool_bytes),
            spool_fails: self.spool_fails.load(Ordering::Relaxed),
            connects: count(&self.connects),
            connected: self.connected.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_model::Timestamp;

    use super::*;
    use crate::sample;

    fn loss(stage: LossStage, rows: Option<u64>) -> Loss {
        let at = Timestamp(0);
        Loss { stage, interface: None, from_ts: at, to_ts: at, packets: Some(5), bytes: None, rows }
    }

    #[test]
    fn rows_are_counted_with_their_packets_and_reports_of_starts_are_not() {
        let tally = Tally::default();
        let mut started = sample::attributed(2);
        started.flow.report = Report::Start;
        tally.count(&Contents { flows: vec![sample::attributed(1), started], ..Contents::default() });
        let reading = tally.read();
        assert_eq!((reading.flow_rows, reading.packets, reading.bytes), (1, 5, 500));
    }

    #[test]
    fn losses_are_summed_up_by_stage() {
        let tally = Tally::default();
        tally.count(&Contents { losses: vec![loss(LossStage::Kernel, None)], ..Contents::default() });
        tally.lose(&loss(LossStage::Unacked, Some(2)));
        tally.lose(&loss(LossStage::Unacked, Some(3)));
        let lost = tally.read().lost;
        assert_eq!(lost[&LossStage::Kernel], Lost { packets: 5, bytes: 0, rows: 0 });
        assert_eq!(lost[&LossStage::Unacked], Lost { packets: 10, bytes: 0, rows: 5 });
    }
}
