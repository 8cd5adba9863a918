//! Which connection a leg belongs to.
//!
//! TCP whose handshake was seen: a hash of both initial sequence numbers, which pass translation and tunnels unchanged,
//! so every tap gives the same number alone. Half a handshake: the opener's number, an address in common, and time.
//! Everything else: tuple (of ICMP queries their identifier too) and time. The numbers are the same in whatever order
//! legs arrive, but for exchanges that begin within [`BUCKET_NS`] on one tuple.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use weir_model::{ConnectionId, FlowRow, Protocol, Tuple};

use super::FlowKey;
use super::connection::{Connection, LegKey};
use crate::owners::is_link_scoped;

type Connections = HashMap<ConnectionId, Connection, foldhash::fast::FixedState>;

/// A repeated SYN keeps its number for about this long (127 s with Linux's default of six retries).
const HALF_OPEN_NS: i64 = 180_000_000_000;

/// The start of a tuple's time bucket: exchanges on one tuple are told apart by it.
const BUCKET_NS: i64 = 10_000_000_000;

/// What exchanges without sequence numbers are told apart by, besides time: the tuple in an order of its own, and the
/// identifier of an ICMP query.
type Talk = (Tuple, Option<u16>);

fn talk_of(row: &FlowRow) -> Talk {
    (row.seen.flow.tuple.canonical(), row.seen.flow.icmp_id)
}

/// The ways that lead to a connection. Forgotten together with it.
#[derive(Debug, Default)]
pub(super) struct Identities {
    flows: HashMap<FlowKey, ConnectionId>,
    opener_numbers: HashMap<u32, Vec<ConnectionId>>,
    talks: HashMap<Talk, Vec<ConnectionId>>,
}

fn hash(kind: &str, value: impl Hash) -> ConnectionId {
    // A fixed seed: the number must be the same on every node and in every run.
    ConnectionId::new(foldhash::quality::FixedState::with_seed(0x5745_4952).hash_one((kind, value)))
}

impl Identities {
    pub(super) fn of_flow(&self, row: &FlowRow) -> Option<ConnectionId> {
        self.flows.get(&FlowKey::of(row)).copied()
    }

    pub(super) fn identify(&self, row: &FlowRow, known: &Connections, slack_ns: i64) -> ConnectionId {
        if let Some(id) = self.of_flow(row) {
            return id;
        }
        let isn = row.seen.flow.tcp.as_ref().map(|tcp| tcp.isn).unwrap_or_default();
        match (isn.fwd, isn.rev) {
            (Some(fwd), rev) => self.by_numbers(row, fwd, rev, known),
            _ => self.by_tuple(row, known, slack_ns),
        }
    }

    /// Half a handshake: a connection with the same number, an address in common, not long ago; else a new one. A whole
    /// handshake looks there too, for a leg whose first row had only half of it.
    fn by_numbers(&self, row: &FlowRow, fwd: u32, rev: Option<u32>, known: &Connections) -> ConnectionId {
        let fits = |connection: &Connection| {
            (connection.isn.rev.is_none() || rev.is_none() || connection.isn.rev == rev)
                && row.seen.flow.start_ts.since(connection.first_ts).abs() <= HALF_OPEN_NS
                && connection.shares_address(&row.seen.flow.tuple)
        };
        let candidates = self.opener_numbers.get(&fwd).into_iter().flatten();
        if let Some(id) = candidates.copied().find(|id| known.get(id).is_some_and(fits)) {
            return id;
        }
        if let Some(rev) = rev {
            return hash("tcp", (fwd, rev));
        }
        let plain = hash("syn", fwd);
        if known.contains_key(&plain) { hash("syn", (fwd, row.seen.flow.tuple)) } else { plain }
    }

    fn by_tuple(&self, row: &FlowRow, known: &Connections, slack_ns: i64) -> ConnectionId {
        let flow = &row.seen.flow;
        let bucket = flow.start_ts.window_start(BUCKET_NS).0;
        if is_link_scoped(flow.tuple.src_ip) || is_link_scoped(flow.tuple.dst_ip) {
            let key = LegKey::of(row);
            return hash("link", (key, flow.start_ts));
        }
        let talk = talk_of(row);
        let fits = |connection: &Connection| {
            !connection.has_other_flow_of(row)
                && flow.start_ts <= connection.last_ts.plus_ns(slack_ns)
                && connection.first_ts <= flow.last_ts.plus_ns(slack_ns)
        };
        let candidates = self.talks.get(&talk).into_iter().flatten();
        if let Some(id) = candidates.copied().find(|id| known.get(id).is_some_and(fits)) {
            return id;
        }
        let plain = hash("tuple", (talk, bucket));
        if known.contains_key(&plain) { hash("tuple", (talk, flow.start_ts)) } else { plain }
    }

    pub(super) fn learn(&mut self, row: &FlowRow, id: ConnectionId) {
        let flow = &row.seen.flow;
        self.flows.insert(FlowKey::of(row), id);
        if let Some(isn) = flow.tcp.as_ref().and_then(|tcp| tcp.isn.fwd) {
            insert(self.opener_numbers.entry(isn).or_default(), id);
        }
        if flow.tuple.protocol != Protocol::TCP || flow.tcp.is_none_or(|tcp| tcp.isn.fwd.is_none()) {
            insert(self.talks.entry(talk_of(row)).or_default(), id);
        }
    }

    pub(super) fn forget(&mut self, id: ConnectionId, connection: &Connection) {
        for leg in &connection.legs {
            if self.flows.get(&leg.flow) == Some(&id) {
                self.flows.remove(&leg.flow);
            }
            remove(&mut self.talks, &(leg.key.tuple.canonical(), connection.icmp_id), id);
        }
        if let Some(isn) = connection.isn.fwd {
            remove(&mut self.opener_numbers, &isn, id);
        }
    }
}

fn insert(ids: &mut Vec<ConnectionId>, id: ConnectionId) {
    if !ids.contains(&id) {
        ids.push(id);
    }
}

fn remove<K: Eq + Hash>(map: &mut HashMap<K, Vec<ConnectionId>>, key: &K, id: ConnectionId) {
    if let Some(ids) = map.get_mut(key) {
        ids.retain(|known| *known != id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}
