//! Joining: legs of one connection in, one primary leg and what only the whole connection shows out.
//!
//! Legs arrive in any order, from any node, early or late. [`Joiner::arrive`] gives each its connection,
//! [`Joiner::settle`] says what is known of it by now. Which leg is primary follows from rank and coverage, not from a
//! race (see `join/primary.rs`); the first final decision stands. Nothing here reads a clock: the caller says when it is.

mod audit;
mod connection;
mod coverage;
mod ends;
mod identity;
mod judge;
mod logs;
mod primary;
mod settle;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use weir_model::{ConnectionId, Coverage, FlowId, FlowRow, PolicyLog, RunId, ServiceRef, Timestamp};

use connection::Connection;
pub use connection::LegKey;
use coverage::CoverageIndex;
use identity::Identities;
use judge::Judged;
use logs::Logs;

use crate::{Known, Snapshot};

/// Which pods a Service's connections may end at.
pub trait Backends {
    /// Every pod behind the Service port; `None` where some backend is no known pod, or the Service is not known.
    fn pods_behind(&self, service: &ServiceRef) -> Option<Vec<weir_model::PodRef>>;
}

/// Knows no Service: every backend may be anywhere.
impl Backends for () {
    fn pods_behind(&self, _: &ServiceRef) -> Option<Vec<weir_model::PodRef>> {
        None
    }
}

impl Backends for Snapshot {
    fn pods_behind(&self, service: &ServiceRef) -> Option<Vec<weir_model::PodRef>> {
        self.backend_pods(service)
    }
}

/// Whether a decision is for an answer now, or for the lake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// As things stand; may come out otherwise when more legs have arrived.
    Provisional,
    /// For good.
    Final,
}

/// The bounds of a [`Joiner`].
#[derive(Clone, Copy, Debug)]
pub struct JoinOptions {
    /// The most connections remembered; the longest untouched are forgotten first.
    pub max_connections: usize,
    /// How long an untouched connection is remembered, in nanoseconds of the caller's clock.
    pub remember_ns: i64,
    /// How far apart two taps' times for one packet may be, in nanoseconds.
    pub slack_ns: i64,
    /// How long before its first and after its last packet a tap still counts as watching, in nanoseconds: what clocks of
    /// two nodes usually differ by.
    pub watch_slack_ns: i64,
}

impl Default for JoinOptions {
    fn default() -> Self {
        Self {
            max_connections: 200_000,
            remember_ns: 600_000_000_000,
            slack_ns: 2_000_000_000,
            watch_slack_ns: 100_000_000,
        }
    }
}

/// What [`Joiner::arrive`] says of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The connection the leg belongs to.
    pub connection: ConnectionId,
    /// The connection may have been decided and forgotten: look it up in the lake, then [`Joiner::remember`].
    pub may_be_stored: bool,
}

/// Remembers connections and decisions.
///
/// Key: [`ConnectionId`], and the flows, sequence numbers and tuples that lead to it. Cap:
/// [`JoinOptions::max_connections`]. Eviction: longest untouched first, and after [`JoinOptions::remember_ns`]. What was
/// forgotten is known by its packet time: only legs that old have to be looked up in the lake.
#[derive(Debug)]
pub struct Joiner {
    options: JoinOptions,
    connections: HashMap<ConnectionId, Connection, foldhash::fast::FixedState>,
    identities: Identities,
    coverage: CoverageIndex,
    logs: Logs,
    touched: VecDeque<(i64, ConnectionId)>,
    /// Nothing that started after this time was forgotten.
    forgotten_until: Timestamp,
}

impl Joiner {
    /// An empty memory. `stored_until` is the newest packet time that the lake already holds, if any: connections that
    /// old may have been decided by an earlier run.
    pub fn new(options: JoinOptions, stored_until: Option<Timestamp>) -> Self {
        Self {
            options,
            connections: HashMap::default(),
            identities: Identities::default(),
            coverage: CoverageIndex::new(options.watch_slack_ns),
            logs: Logs::default(),
            touched: VecDeque::new(),
            forgotten_until: stored_until.unwrap_or(Timestamp(i64::MIN)),
        }
    }

    /// Learns that a tap was or is watching.
    pub fn cover(&mut self, node: &Arc<str>, run: RunId, coverage: &Coverage) {
        self.coverage.cover(node, run, coverage);
    }

    /// An agent's run is over: taps of it that were open are taken as closed at `at`.
    pub fn run_ended(&mut self, node: &str, run: RunId, at: Timestamp) {
        self.coverage.run_ended(node, run, at);
    }

    /// Learns what a node's own enforcement logged. False where the record says nothing that is understood.
    pub fn log(&mut self, log: &PolicyLog) -> bool {
        self.logs.learn(log)
    }

    /// Gives a leg its connection and learns what the leg shows. Call it once for each row, before [`Joiner::settle`].
    pub fn arrive(&mut self, row: &FlowRow, now_ns: i64) -> Arrival {
        let found = self.identities.identify(row, &self.connections, self.options.slack_ns);
        let known = self.connections.contains_key(&found);
        let connection = self.connections.entry(found).or_insert_with(|| Connection::new(row.seen.flow.start_ts));
        if connection.touch(now_ns) {
            self.touched.push_back((now_ns, found));
        }
        connection.learn(row);
        self.identities.learn(row, found);
        if let Some(node) = &row.node {
            self.coverage.hear(node, row.seen.flow.last_ts);
        }
        self.forget(now_ns);
        Arrival { connection: found, may_be_stored: !known && row.seen.flow.start_ts <= self.forgotten_until }
    }

    /// Takes over a decision found in the lake.
    pub fn remember(&mut self, connection: ConnectionId, primary: LegKey) {
        if let Some(known) = self.connections.get_mut(&connection) {
            known.primary.get_or_insert(primary);
        }
    }

    /// Fills the row's connection columns with what its legs show by now, and decides whether it is primary.
    pub fn settle(&mut self, row: &mut FlowRow, backends: &dyn Backends, finality: Finality) {
        let Some(id) = self.identities.of_flow(row).or(row.connection) else { return };
        row.connection = Some(id);
        // A leg whose connection was forgotten meanwhile (a cap reached within the wait) stands alone.
        let mut alone = Connection::new(row.seen.flow.start_ts);
        let connection = self.connections.get_mut(&id).unwrap_or_else(|| {
            alone.learn(row);
            &mut alone
        });
        let decided = primary::decide(connection, &self.coverage, backends);
        row.is_primary = Some(decided.as_ref() == Some(&LegKey::of(row)));
        if finality == Finality::Final && connection.primary.is_none() {
            connection.primary = decided;
        }
        settle::fill(row, connection);
    }

    /// Fills the row's policy columns: what the policies said of its connection when it began, and whether that is what
    /// happened. Call it after [`Joiner::settle`].
    ///
    /// A verdict stands for all later rows once it was final; one that was left open may still be found by later legs.
    pub fn judge(&mut self, row: &mut FlowRow, known: &Known<'_>, finality: Finality) {
        let Some(id) = row.connection else { return };
        let mut alone = Connection::new(row.seen.flow.start_ts);
        let connection = self.connections.get_mut(&id).unwrap_or_else(|| {
            alone.learn(row);
            &mut alone
        });
        let kept = connection.judged.take();
        let is_open = kept.as_ref().is_none_or(Judged::is_open);
        let judged = if is_open {
            Judged::of(connection, known, &self.logs.of(connection, known.snapshot)).or_else(|| kept.clone())
        } else {
            kept.clone()
        };
        connection.judged = if finality == Finality::Final { judged.clone() } else { kept };
        let Some(judged) = judged else { return };
        let (audit, cause) = audit::compare(connection, &judged, &self.coverage);
        row.audit = Some(audit);
        row.cause = cause;
        row.judgement = Some(judged.judgement);
    }

    /// How many connections are remembered.
    pub fn len(&self) -> usize {
        self.connections.len()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    fn forget(&mut self, now_ns: i64) {
        let old = now_ns.saturating_sub(self.options.remember_ns);
        while let Some((touched, id)) = self.touched.front().copied() {
            if touched > old && self.connections.len() <= self.options.max_connections {
                return;
            }
            self.touched.pop_front();
            match self.connections.get_mut(&id) {
                Some(connection) if connection.touched_ns > touched => {
                    self.touched.push_back((connection.touched_ns, id));
                }
                Some(connection) => {
                    self.forgotten_until = self.forgotten_until.max(connection.last_ts);
                    self.identities.forget(id, connection);
                    self.connections.remove(&id);
                }
                None => {}
            }
        }
    }
}

/// Fills in what only the whole connection shows, as [`Joiner::settle`] does, where it is known from elsewhere which rows
/// belong together: all rows of one connection, each as its tap alone would say it. Which leg is primary is not decided.
pub fn fill_together(rows: &mut [FlowRow]) {
    let Some(first_ts) = rows.iter().map(|row| row.seen.flow.start_ts).min() else { return };
    let mut connection = Connection::new(first_ts);
    for row in &*rows {
        connection.learn(row);
    }
    for row in rows {
        settle::fill(row, &connection);
    }
}

/// The flow of one node's agent: what stays the same over all its windows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct FlowKey {
    node: Option<Arc<str>>,
    flow: FlowId,
}

impl FlowKey {
    fn of(row: &FlowRow) -> Self {
        Self { node: row.node.clone(), flow: row.seen.flow.id }
    }
}

#[cfg(test)]
mod tests;
