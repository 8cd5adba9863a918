//! The agents that are or were there: who holds a node's name, what came from it, how long it has been silent.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use weir_model::{Batch, Coverage, Input, Loss, LossStage, RunId, Timestamp};
use weir_proto::v1::node_status::State;
use weir_proto::{input_to_wire, loss_to_wire, time_to_wire, v1};

/// All nodes since the collector started. Cheap to share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Nodes {
    nodes: Arc<Mutex<BTreeMap<Arc<str>, Node>>>,
}

/// Who says Hello.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    /// The node.
    pub node: Arc<str>,
    /// The run.
    pub run: RunId,
    /// Version of the agent.
    pub version: String,
    /// Where it connects from.
    pub peer: String,
    /// Its clock minus ours, in microseconds.
    pub clock_offset_us: i64,
}

/// Why a name is not given away.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClaimError {
    /// Another live agent holds it.
    #[error("node {node} is held by another live agent: run {run} from {peer}, connected since {since}")]
    NameTaken {
        /// The node.
        node: Arc<str>,
        /// The run of the agent that holds it.
        run: RunId,
        /// Where that agent connected from.
        peer: String,
        /// Since when.
        since: String,
    },
    /// There are more live agents than a collector takes.
    #[error("more than {MAX_NODES} agents")]
    TooMany,
}

/// A claim on a node's name; the number tells a stream from an earlier one of the same node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim(u64);

#[derive(Debug)]
struct Node {
    caller: Caller,
    claim: Claim,
    connected: bool,
    gone: bool,
    connected_at: Timestamp,
    last_seen_at: Timestamp,
    newest_flow: Option<Timestamp>,
    batches: u64,
    duplicates: u64,
    rows: u64,
    recent: VecDeque<(i64, u64)>,
    /// Interfaces of live taps, [`MAX_TAPS`] at most.
    open_taps: BTreeSet<Arc<str>>,
    /// Spans of capture files.
    recorded_taps: usize,
    losses: BTreeMap<LossStage, Loss>,
    /// Inputs beside taps as the agent last told, [`MAX_INPUTS`] at most.
    inputs: BTreeMap<Arc<str>, Input>,
}

/// The most nodes that are remembered; the longest silent is forgotten first.
const MAX_NODES: usize = 10_000;

/// The most live taps that are counted for a node.
const MAX_TAPS: usize = 10_000;

/// The most inputs beside taps that are remembered of a node.
const MAX_INPUTS: usize = 100;

/// Over how long a rate is measured, in nanoseconds.
const RATE_NS: i64 = 60_000_000_000;

impl Nodes {
    /// Gives the name to the caller, unless another live stream holds it. Also returns the run that held it before, if
    /// it was another one.
    pub(crate) fn claim(
        &self,
        caller: Caller,
        now: Timestamp,
    ) -> Result<(Claim, Option<(RunId, Timestamp)>), ClaimError> {
        let mut nodes = self.lock();
        let mut next = Claim(1);
        let mut former = None;
        if let Some(holder) = nodes.get(&caller.node) {
            if holder.connected {
                return Err(ClaimError::NameTaken {
                    node: Arc::clone(&caller.node),
                    run: holder.caller.run,
                    peer: holder.caller.peer.clone(),
                    since: holder.connected_at.rfc3339(),
                });
            }
            next = Claim(holder.claim.0 + 1);
            if holder.caller.run != caller.run {
                former = Some((holder.caller.run, holder.newest_flow.unwrap_or(holder.last_seen_at)));
            }
        }
        if nodes.len() >= MAX_NODES && !nodes.contains_key(&caller.node) {
            let silent = nodes.values().filter(|node| !node.connected).min_by_key(|node| node.last_seen_at);
            let silent = silent.map(|node| Arc::clone(&node.caller.node)).ok_or(ClaimError::TooMany)?;
            nodes.remove(&silent);
        }
        let node = nodes.entry(Arc::clone(&caller.node)).or_insert_with(|| Node::new(caller.clone(), next, now));
        if node.caller.run != caller.run {
            node.inputs.clear();
        }
        node.caller = caller;
        node.claim = next;
        node.connected = true;
        node.gone = false;
        node.connected_at = now;
        node.last_seen_at = now;
        Ok((next, former))
    }

    /// The stream is over; the name is free.
    pub(crate) fn release(&self, name: &str, claim: Claim, now: Timestamp) {
        if let Some(node) = self.lock().get_mut(name)
            && node.claim == claim
        {
            node.connected = false;
            node.last_seen_at = now;
            node.open_taps.clear();
            node.recorded_taps = 0;
        }
    }

    /// Counts a batch.
    pub(crate) fn count(&self, batch: &Batch, duplicate: bool, now: Timestamp) {
        let mut nodes = self.lock();
        let Some(node) = nodes.get_mut(&batch.node) else { return };
        node.last_seen_at = now;
        node.batches += 1;
        if duplicate {
            node.duplicates += 1;
            return;
        }
        let rows = batch.flows.len() as u64;
        node.rows += rows;
        node.recent.push_back((now.0, rows));
        while node.recent.front().is_some_and(|(at, _)| now.0 - at > RATE_NS) {
            node.recent.pop_front();
        }
        node.newest_flow = node.newest_flow.max(batch.flows.iter().map(|f| f.flow.last_ts).max());
        node.follow_taps(&batch.coverage);
        for input in &batch.inputs {
            if node.inputs.len() < MAX_INPUTS || node.inputs.contains_key(&input.name) {
                node.inputs.insert(Arc::clone(&input.name), input.clone());
            }
        }
        for loss in &batch.losses {
            match node.losses.get_mut(&loss.stage) {
                Some(sum) => add(sum, loss),
                None => drop(node.losses.insert(loss.stage, Loss { interface: None, ..loss.clone() })),
            }
        }
    }

    /// Notes how many taps a node has.
    pub(crate) fn taps(&self, name: &str, coverage: &[Coverage]) {
        if let Some(node) = self.lock().get_mut(name) {
            node.open_taps.clear();
            node.recorded_taps =
                coverage.iter().filter(|span| span.interface.is_some() && span.to_ts.is_some()).count();
            node.follow_taps(coverage);
        }
    }

    /// Nodes that have been silent for longer than `limit_ns` and were not said to be gone yet, with the newest packet
    /// time of their run.
    pub(crate) fn newly_gone(&self, now: Timestamp, limit_ns: i64) -> Vec<(Arc<str>, RunId, Timestamp)> {
        let mut gone = Vec::new();
        for node in self.lock().values_mut() {
            if !node.connected && !node.gone && now.since(node.last_seen_at) > limit_ns {
                node.gone = true;
                let newest = node.newest_flow.unwrap_or(node.last_seen_at);
                gone.push((Arc::clone(&node.caller.node), node.caller.run, newest));
            }
        }
        gone
    }

    /// One node as it stands.
    pub(crate) fn status_of(&self, name: &str, now: Timestamp) -> Option<v1::NodeStatus> {
        self.lock().get(name).map(|node| node.status(now))
    }

    /// Those of `names` of which no agent has connected yet, by name.
    pub(crate) fn absent<'a>(&self, names: impl Iterator<Item = &'a Arc<str>>) -> Vec<v1::NodeStatus> {
        let nodes = self.lock();
        let mut absent: Vec<&Arc<str>> = names.filter(|name| !nodes.contains_key(*name)).collect();
        absent.sort();
        let state = State::Absent.into();
        absent
            .iter()
            .map(|name| v1::NodeStatus { node: name.to_string(), state, ..v1::NodeStatus::default() })
            .collect()
    }

    /// All nodes as they stand, by name.
    pub(crate) fn status(&self, now: Timestamp) -> Vec<v1::NodeStatus> {
        self.lock().values().map(|node| node.status(now)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, Node>> {
        // Counters stay usable whatever happened to the thread that held the lock.
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Node {
    const fn new(caller: Caller, claim: Claim, now: Timestamp) -> Self {
        Self {
            caller,
            claim,
            connected: true,
            gone: false,
            connected_at: now,
            last_seen_at: now,
            newest_flow: None,
            batches: 0,
            duplicates: 0,
            rows: 0,
            recent: VecDeque::new(),
            open_taps: BTreeSet::new(),
            recorded_taps: 0,
            losses: BTreeMap::new(),
            inputs: BTreeMap::new(),
        }
    }

    /// A tap is open from the word that it watches until a span of it is over; one that goes on says so again.
    fn follow_taps(&mut self, coverage: &[Coverage]) {
        for span in coverage {
            let Some(interface) = &span.interface else { continue };
            if span.to_ts.is_some() {
                self.open_taps.remove(interface);
            } else if self.open_taps.len() < MAX_TAPS {
                self.open_taps.insert(Arc::clone(interface));
            }
        }
    }

    const fn state(&self) -> State {
        match (self.connected, self.gone) {
            (true, _) => State::Connected,
            (false, false) => State::Silent,
            (false, true) => State::Gone,
        }
    }

    fn status(&self, now: Timestamp) -> v1::NodeStatus {
        let recent = self.recent.iter().filter(|(at, _)| now.0 - at <= RATE_NS);
        let span = now.since(self.connected_at).clamp(1_000_000_000, RATE_NS);
        v1::NodeStatus {
            node: self.caller.node.to_string(),
            state: self.state().into(),
            run: self.caller.run.0.to_be_bytes().to_vec(),
            version: self.caller.version.clone(),
            peer: self.caller.peer.clone(),
            connected_at: Some(time_to_wire(self.connected_at)),
            last_seen_at: Some(time_to_wire(self.last_seen_at)),
            newest_flow_at: self.newest_flow.map(time_to_wire),
            batches: self.batches,
            duplicate_batches: self.duplicates,
            flow_rows: self.rows,
            flow_rows_per_second: recent.map(|(_, rows)| rows).sum::<u64>() as f64 * 1e9 / span as f64,
            taps: (self.open_taps.len() + self.recorded_taps) as u32,
            losses: self.losses.values().map(loss_to_wire).collect(),
            clock_offset_us: self.caller.clock_offset_us,
            inputs: self.inputs.values().map(input_to_wire).collect(),
        }
    }
}

/// Adds one loss to a sum of losses.
fn add(sum: &mut Loss, loss: &Loss) {
    let plus = |a: Option<u64>, b: Option<u64>| a.zip(b).map(|(a, b)| a + b).or(a).or(b);
    sum.from_ts = sum.from_ts.min(loss.from_ts);
    sum.to_ts = sum.to_ts.max(loss.to_ts);
    sum.packets = plus(sum.packets, loss.packets);
    sum.bytes = plus(sum.bytes, loss.bytes);
    sum.rows = plus(sum.rows, loss.rows);
}
