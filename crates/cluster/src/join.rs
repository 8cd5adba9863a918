//! Joining: legs of one connection in, one primary leg and what only the whole connection shows out.
//!
//! Legs arrive in any order, from any node, early or late, and so does what nodes tell of their NAT
//! ([`Joiner::translate`]). [`Joiner::arrive`] gives each leg its connection, [`Joiner::settle`] says what is known of it by
//! now. Which leg is primary follows from rank and coverage, not from a
//! race (see `join/primary.rs`); the first final decision stands. Nothing here reads a clock: the caller says when it is.

mod audit;
mod clocks;
mod connection;
mod conversation;
mod coverage;
mod directions;
mod ends;
mod halves;
mod identity;
mod judge;
mod logs;
mod names;
mod primary;
mod settle;
mod sides;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use weir_model::{ConnectionId, Coverage, FlowId, FlowRow, PolicyLog, Protocol, RunId, Timestamp, Translation, Tuple};

use connection::Connection;
pub use connection::LegKey;
use connection::LegSeen;
pub use conversation::{Arriving, Conversation, Replayed, Talker};
use coverage::CoverageIndex;
use directions::Directions;
use identity::{Identities, Remembered};
use judge::Judged;
use logs::Logs;
pub use names::Names;

use crate::{Known, TranslationOptions, Translations, Way};

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
    /// How far apart two taps' times for one packet may be on one node, in nanoseconds.
    pub slack_ns: i64,
    /// How long before its first and after its last packet a tap still counts as watching, in nanoseconds: what clocks of
    /// two nodes usually differ by.
    pub watch_slack_ns: i64,
    /// What is remembered of NAT, and how far apart the clocks of two nodes may be.
    pub translations: TranslationOptions,
}

impl Default for JoinOptions {
    fn default() -> Self {
        Self {
            max_connections: 200_000,
            remember_ns: 600_000_000_000,
            slack_ns: 2_000_000_000,
            watch_slack_ns: 100_000_000,
            translations: TranslationOptions::default(),
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

/// A leg that may belong to another connection since a node told of its NAT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// What it belongs to now.
    pub arrival: Arrival,
    /// The leg's protocol.
    pub protocol: Protocol,
    /// Its first packet.
    pub start_ts: Timestamp,
    /// Its last packet so far.
    pub last_ts: Timestamp,
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
    directions: Directions,
    logs: Logs,
    translations: Translations,
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
            directions: Directions::default(),
            logs: Logs::default(),
            translations: Translations::new(options.translations),
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

    /// Learns how a node rewrites a connection. Legs that have arrived may belong together now: those that were placed
    /// anew. A connection of which a row is settled for good keeps its legs.
    pub fn translate(&mut self, node: Option<&Arc<str>>, translation: &Translation, now_ns: i64) -> Vec<Moved> {
        self.translations.forget(now_ns.saturating_sub(self.options.remember_ns));
        if !self.translations.learn(node, translation, now_ns) || !translation.rewrites() {
            return Vec::new();
        }
        let ids = self.identities.at(&[translation.original, translation.translated()]);
        let mut legs = Vec::new();
        for id in ids {
            if self.connections.get(&id).is_some_and(Connection::may_move)
                && let Some(connection) = self.connections.remove(&id)
            {
                self.identities.forget(id, &connection);
                legs.extend(connection.legs);
            }
        }
        legs.sort_by(|a, b| (a.start_ts, &a.key).cmp(&(b.start_ts, &b.key)));
        legs.into_iter().map(|leg| self.moved(leg, now_ns)).collect()
    }

    fn moved(&mut self, leg: LegSeen, now_ns: i64) -> Moved {
        let (protocol, start_ts, last_ts) = (leg.key.tuple.protocol, leg.start_ts, leg.last_ts);
        Moved { arrival: self.place(leg, None, now_ns), protocol, start_ts, last_ts }
    }

    /// Gives a leg its connection and learns what the leg shows. Call it once for each row, before [`Joiner::settle`].
    pub fn arrive(&mut self, row: &FlowRow, now_ns: i64) -> Arrival {
        let arrival = self.place(LegSeen::of(row), Some(row), now_ns);
        if let Some(node) = &row.node {
            self.coverage.hear(node, row.seen.flow.last_ts);
        }
        self.forget(now_ns);
        arrival
    }

    fn place(&mut self, leg: LegSeen, row: Option<&FlowRow>, now_ns: i64) -> Arrival {
        let known =
            Remembered { connections: &self.connections, translations: &self.translations, options: &self.options };
        let found = self.identities.identify(&leg, &known);
        let is_known = self.connections.contains_key(&found);
        // What was forgotten is known by the clock of the node that saw it last.
        let latest = self.forgotten_until.plus_ns(self.options.translations.clock_slack_ns);
        let may_be_stored = !is_known && leg.start_ts <= latest;
        let connection = self.connections.entry(found).or_insert_with(|| Connection::new(leg.start_ts));
        if connection.touch(now_ns) {
            self.touched.push_back((now_ns, found));
        }
        self.identities.learn(&leg, found);
        self.coverage.clocks.learn(&leg, connection);
        let flow = leg.flow.clone();
        connection.learn(leg, row);
        halves::learn(connection, &flow, &mut self.directions);
        connection.find_way(&self.translations);
        self.identities.learn_way(connection, found);
        Arrival { connection: found, may_be_stored }
    }

    /// Takes over a decision found in the lake.
    pub fn remember(&mut self, connection: ConnectionId, primary: LegKey) {
        if let Some(known) = self.connections.get_mut(&connection) {
            known.primary.get_or_insert(primary);
        }
    }

    /// Fills the row's connection columns with what its legs show by now, and decides whether it is primary.
    pub fn settle(&mut self, row: &mut FlowRow, names: &dyn Names, finality: Finality) {
        let Some(id) = self.identities.of_flow(&FlowKey::of(row)).or(row.connection) else { return };
        row.connection = Some(id);
        // A leg whose connection was forgotten meanwhile (a cap reached within the wait) stands alone.
        let mut alone = Connection::new(row.seen.flow.start_ts);
        let connection = self.connections.get_mut(&id).unwrap_or_else(|| {
            alone.learn(LegSeen::of(row), None);
            &mut alone
        });
        connection.find_way(&self.translations);
        halves::find(connection, &self.directions);
        let decided = primary::decide(connection, &self.coverage, names);
        row.is_primary = Some(decided.as_ref() == Some(&LegKey::of(row)));
        if finality == Finality::Final {
            connection.is_stored = true;
            if connection.primary.is_none() {
                connection.primary = decided;
            }
        }
        settle::fill(row, connection, names);
        halves::fill(row, connection);
    }

    /// Fills the row's policy columns: what the policies said of its connection when it began, and whether that is what
    /// happened. Call it after [`Joiner::settle`].
    ///
    /// A verdict stands for all later rows once it was final; one that was left open may still be found by later legs.
    pub fn judge(&mut self, row: &mut FlowRow, known: &Known<'_>, finality: Finality) {
        let Some(id) = row.connection else { return };
        let mut alone = Connection::new(row.seen.flow.start_ts);
        let connection = self.connections.get_mut(&id).unwrap_or_else(|| {
            alone.learn(LegSeen::of(row), None);
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
/// belong together: all rows of one connection, each as its tap alone would say it, with the client and backend that
/// connection tracking told where it is behind NAT. Which leg is primary is not decided.
pub fn fill_together(rows: &mut [FlowRow], names: &dyn Names) {
    let Some(first_ts) = rows.iter().map(|row| row.seen.flow.start_ts).min() else { return };
    let mut connection = Connection::new(first_ts);
    for row in &*rows {
        connection.learn(LegSeen::of(row), Some(row));
    }
    let by_leg = |row: &&FlowRow| row.seen.leg.map_or(u8::MAX, |leg| leg as u8);
    connection.way = rows.iter().filter(|row| way_of(row).is_some()).min_by_key(by_leg).and_then(way_of);
    for row in rows {
        settle::fill(row, &connection, names);
    }
}

/// How a connection is rewritten around one of its legs, where its row says so.
fn way_of(row: &FlowRow) -> Option<Way> {
    let seen = row.seen.flow.tuple;
    let (src_ip, src_port) = row.client.unwrap_or((seen.src_ip, seen.src_port));
    let (dst_ip, dst_port) = row.backend.unwrap_or((seen.dst_ip, seen.dst_port));
    let way = Way::new(Tuple { src_ip, src_port, ..seen }, Tuple { dst_ip, dst_port, ..seen });
    (!way.is_straight()).then_some(way)
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
