//! An outbox with a spool, and a collector that remembers: links break, either side is killed, the disk is too small. Every
//! row is in the lake once, or counted as lost once; only what was in memory alone when the agent was killed is neither.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tempfile::TempDir;
use tokio::time::Instant;
use weir_model::{Batch, FlowId, Loss, RunId, Timestamp};

use super::{Bounds, Outbox, Overflow, RECORD_BYTES, Spool};
use crate::contents::Contents;
use crate::sample;

/// Room in memory for this many records in batches of one.
const MEMORY: usize = 12 * 2 * RECORD_BYTES;

#[derive(Clone, Debug)]
enum Step {
    /// This many flows come, a batch each.
    Flows(u8),
    /// The agent dials, where it is not connected.
    Connect,
    /// This many batches are sent.
    Send(u8),
    /// The collector makes this many of those durable.
    Store(u8),
    /// It acks what is durable.
    Ack,
    /// The link is cut.
    Cut,
    /// Two seconds pass.
    Wait,
    /// The agent is stopped in order, and started.
    Restart,
    /// The agent is killed, and started.
    Kill,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..20_u8).prop_map(Step::Flows),
        3 => Just(Step::Connect),
        4 => (1..40_u8).prop_map(Step::Send),
        4 => (1..40_u8).prop_map(Step::Store),
        2 => Just(Step::Ack),
        2 => Just(Step::Cut),
        3 => Just(Step::Wait),
        1 => Just(Step::Restart),
        1 => Just(Step::Kill),
    ]
}

/// A stream as the agent has it.
struct Stream {
    run: RunId,
    sent: u64,
    /// Sent and not yet durable.
    under_way: Vec<Arc<Batch>>,
}

struct World {
    dir: TempDir,
    spool_bytes: u64,
    run: u128,
    outbox: Outbox,
    stream: Option<Stream>,
    /// What is durable at the collector: the highest sequence of each run, and every batch.
    highest: BTreeMap<RunId, u64>,
    lake: Vec<Arc<Batch>>,
    flows: u64,
    /// What was in memory alone when the agent was killed.
    killed: BTreeSet<FlowId>,
    /// Rows at the collector, or lost as it knows, that counted as lost when the agent was stopped, since it had not heard of them.
    unheard: u64,
}

fn outbox(dir: &TempDir, run: u128, spool_bytes: u64) -> Outbox {
    let spool = Spool::open(dir.path(), spool_bytes, Timestamp(0)).expect("the spool opens");
    let bounds = Bounds { memory_bytes: MEMORY, overflow: Overflow::DropOldest };
    Outbox::new("node-a".into(), RunId(run), bounds, Some(spool), Arc::default())
}

impl World {
    fn new(spool_bytes: u64) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        Self {
            outbox: outbox(&dir, 1, spool_bytes),
            dir,
            spool_bytes,
            run: 1,
            stream: None,
            highest: BTreeMap::new(),
            lake: Vec::new(),
            flows: 0,
            killed: BTreeSet::new(),
            unheard: 0,
        }
    }

    async fn take(&mut self, step: &Step) {
        match step {
            Step::Flows(count) => (0..*count).for_each(|_| self.flow()),
            Step::Connect => self.connect(),
            Step::Send(count) => (0..*count).for_each(|_| self.send()),
            Step::Store(count) => (0..*count).for_each(|_| self.store()),
            Step::Ack => self.ack(),
            Step::Cut => self.stream = None,
            Step::Wait => {
                tokio::time::advance(Duration::from_secs(2)).await;
                self.outbox.tend();
            }
            Step::Restart => {
                let before = self.outbox.held();
                self.outbox.put_away();
                let after = self.outbox.held();
                for batch in
                    self.lake.iter().filter(|batch| before.contains(&name(batch)) && !after.contains(&name(batch)))
                {
                    let carried = batch.losses.iter().filter_map(|loss| loss.rows).sum::<u64>();
                    self.unheard += batch.flows.len() as u64 + carried;
                }
                assert_eq!(self.outbox.rows(), 0, "everything is on disk");
                self.start_again();
            }
            Step::Kill => {
                let in_memory = self.outbox.batches.iter().map(|waiting| Arc::clone(&waiting.batch));
                self.killed.extend(in_memory.flat_map(|batch| ids(&batch)));
                self.start_again();
            }
        }
    }

    fn flow(&mut self) {
        self.flows += 1;
        let mut flow = sample::attributed(1);
        flow.flow.id = FlowId(self.flows);
        self.outbox.push(Contents { flows: vec![flow], ..Contents::default() });
    }

    fn connect(&mut self) {
        if self.stream.is_none() {
            let run = self.outbox.sending();
            let durable = self.highest.get(&run).copied().unwrap_or_default();
            self.outbox.resume(run, durable);
            self.stream = Some(Stream { run, sent: durable, under_way: Vec::new() });
        }
    }

    fn send(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        if let Some(batch) = self.outbox.next(stream.run, stream.sent) {
            stream.sent = batch.sequence;
            stream.under_way.push(batch);
        }
    }

    fn store(&mut self) {
        let Some(stream) = &mut self.stream else { return };
        if stream.under_way.is_empty() {
            return;
        }
        let batch = stream.under_way.remove(0);
        let highest = self.highest.entry(batch.run).or_default();
        if batch.sequence > *highest {
            *highest = batch.sequence;
            self.lake.push(batch);
        }
    }

    fn ack(&mut self) {
        let Some(Stream { run, .. }) = self.stream else { return };
        self.outbox.acked(run, self.highest.get(&run).copied().unwrap_or_default());
        if self.outbox.sending() != run {
            self.outbox.trim();
            self.stream = None;
        }
    }

    fn start_again(&mut self) {
        self.stream = None;
        self.run += 1;
        // The lock on the folder goes with the old one.
        let nowhere = Bounds { memory_bytes: MEMORY, overflow: Overflow::Wait };
        self.outbox = Outbox::new("node-a".into(), RunId(0), nowhere, None, Arc::default());
        self.outbox = outbox(&self.dir, self.run, self.spool_bytes);
    }

    /// Lets the collector have everything.
    fn finish(&mut self) {
        for _ in 0..10_000 {
            let losses = self.outbox.take_lost();
            if !losses.is_empty() {
                self.outbox.push(Contents { losses, ..Contents::default() });
            }
            if self.outbox.is_empty() {
                return;
            }
            self.connect();
            self.send();
            self.store();
            self.ack();
        }
        panic!("{} batches are never sent", self.outbox.len());
    }

    fn losses(&self) -> impl Iterator<Item = &Loss> {
        self.lake.iter().flat_map(|batch| &batch.losses)
    }
}

impl Outbox {
    /// What could still be sent.
    fn held(&self) -> BTreeSet<(RunId, u64)> {
        let in_memory = self.batches.iter().map(|waiting| Arc::clone(&waiting.batch));
        let on_disk = self.spool.iter().flat_map(Spool::held);
        in_memory.chain(on_disk).map(|batch| name(&batch)).collect()
    }
}

fn name(batch: &Batch) -> (RunId, u64) {
    (batch.run, batch.sequence)
}

fn ids(batch: &Batch) -> Vec<FlowId> {
    batch.flows.iter().map(|seen| seen.flow.id).collect()
}

/// Lives through the steps on a paused clock.
fn live(spool_bytes: u64, steps: &[Step]) -> World {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let mut world = World::new(spool_bytes);
        for step in steps {
            world.take(step).await;
        }
        world.finish();
        let ids: Vec<FlowId> = world.lake.iter().flat_map(|batch| ids(batch)).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "a row is in the lake twice");
        world
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn whoever_is_killed_every_row_that_was_on_disk_is_in_the_lake_once(steps in prop::collection::vec(step(), 1..80)) {
        let world = live(64 << 20, &steps);
        let stored: BTreeSet<FlowId> = world.lake.iter().flat_map(|batch| ids(batch)).collect();
        let missing: Vec<FlowId> =
            (1..=world.flows).map(FlowId).filter(|id| !stored.contains(id) && !world.killed.contains(id)).collect();
        prop_assert!(missing.is_empty(), "{missing:?}");
        prop_assert_eq!(world.losses().count(), 0, "nothing was dropped");
    }

    #[test]
    fn with_a_spool_that_is_too_small_what_is_stored_and_what_is_lost_add_up(
        steps in prop::collection::vec(step().prop_filter("killed in order", |step| !matches!(step, Step::Kill)), 1..80),
        spool_bytes in 8_000..30_000_u64,
    ) {
        let world = live(spool_bytes, &steps);
        let stored: u64 = world.lake.iter().map(|batch| batch.flows.len() as u64).sum();
        let sum = |count: fn(&Loss) -> Option<u64>| world.losses().filter_map(count).sum::<u64>();
        prop_assert_eq!(stored + sum(|loss| loss.rows), world.flows + world.unheard);
        prop_assert_eq!(sum(|loss| loss.packets), 5 * sum(|loss| loss.rows));
    }
}

/// A spool that never was connected to anything, with this many batches of one flow on disk.
fn filled(spool_bytes: u64, batches: u64) -> World {
    let mut world = World::new(spool_bytes);
    (0..batches).for_each(|_| world.flow());
    world.outbox.put_away();
    world
}

#[test]
fn what_is_damaged_on_disk_is_a_loss_of_unknown_size_and_the_rest_is_sent() {
    let mut world = filled(1 << 20, 2_000);
    let files = || std::fs::read_dir(world.dir.path()).expect("a folder").map(|entry| entry.expect("a file").path());
    let segments: BTreeSet<_> = files().filter(|path| path.extension().is_some_and(|ending| ending == "seg")).collect();
    assert!(segments.len() > 4, "{segments:?}");
    let damaged = segments.iter().nth(2).expect("a third one");
    let mut bytes = std::fs::read(damaged).expect("reads");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    world.start_again();
    world.outbox = Outbox::new("node-a".into(), RunId(0), world.outbox.bounds, None, Arc::default());
    std::fs::write(damaged, bytes).expect("writes");
    world.start_again();
    world.finish();
    let stored = world.lake.iter().map(|batch| batch.flows.len()).sum::<usize>();
    assert!((1_500..2_000).contains(&stored), "{stored}");
    let losses: Vec<&Loss> = world.losses().collect();
    assert_eq!(losses.len(), 1, "{losses:?}");
    assert_eq!((losses[0].stage.name(), losses[0].rows), ("spool", None));
}

#[test]
fn a_former_run_is_sent_under_its_own_name_before_this_one() {
    let mut world = filled(1 << 20, 3);
    world.start_again();
    world.flow();
    assert_eq!(world.outbox.sending(), RunId(1));
    assert_eq!(world.outbox.next(RunId(2), 0), None, "it is not its turn");
    world.finish();
    let order: Vec<(RunId, u64)> = world.lake.iter().map(|batch| (batch.run, batch.sequence)).collect();
    assert_eq!(order, [(RunId(1), 1), (RunId(1), 2), (RunId(1), 3), (RunId(2), 1)]);
}

#[tokio::test(start_paused = true)]
async fn a_batch_goes_to_disk_when_its_ack_does_not_come_and_is_still_the_next_of_its_stream() {
    let mut world = World::new(1 << 20);
    (0..3).for_each(|_| world.flow());
    world.connect();
    world.send();
    assert_eq!((world.outbox.spooled(), world.outbox.due()), (0, Some(Instant::now() + Duration::from_secs(2))));
    world.take(&Step::Wait).await;
    assert_eq!((world.outbox.spooled(), world.outbox.rows(), world.outbox.due()), (3, 0, None));
    world.send();
    world.store();
    world.store();
    world.ack();
    assert_eq!(world.outbox.spooled(), 1);
    world.finish();
    assert_eq!(world.lake.iter().map(|batch| batch.sequence).collect::<Vec<_>>(), [1, 2, 3]);
}

#[test]
fn files_wait_where_the_spool_is_full() {
    let dir = tempfile::tempdir().expect("a folder");
    let bounds = Bounds { memory_bytes: MEMORY, overflow: Overflow::Wait };
    let spool = Spool::open(dir.path(), 4_000, Timestamp(0)).expect("the spool opens");
    let mut outbox = Outbox::new("node-a".into(), RunId(1), bounds, Some(spool), Arc::default());
    let mut pushed = 0;
    while !outbox.must_wait() {
        outbox.push(Contents { flows: vec![sample::attributed(1)], ..Contents::default() });
        pushed += 1;
    }
    assert!(pushed > 15, "{pushed}: more than memory holds");
    let mut sequence = 0;
    while let Some(batch) = outbox.next(RunId(1), sequence) {
        sequence = batch.sequence;
        outbox.acked(RunId(1), sequence);
    }
    assert_eq!((sequence, outbox.take_lost()), (pushed, vec![]));
}
