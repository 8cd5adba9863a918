//! Which connection a leg belongs to.
//!
//! TCP whose handshake was seen: a hash of both initial sequence numbers, which pass translation and tunnels unchanged,
//! so every tap gives the same number alone. Half a handshake: the opener's number, an address in common, and time.
//! Everything else: the tuple after NAT, as far as conntrack tells it (of ICMP queries their identifier too), and time. The
//! numbers are the same in whatever order legs arrive, but for exchanges that begin within [`BUCKET_NS`] on one tuple.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

use weir_model::{ConnectionId, Protocol, Tuple};

use super::connection::{Connection, LegSeen};
use super::{FlowKey, JoinOptions};
use crate::owners::is_link_scoped;
use crate::{Translations, Way};

type Connections = HashMap<ConnectionId, Connection, foldhash::fast::FixedState>;

/// A repeated SYN keeps its number for about this long (127 s with Linux's default of six retries).
const HALF_OPEN_NS: i64 = 180_000_000_000;

/// The start of a tuple's time bucket: exchanges on one tuple are told apart by it.
const BUCKET_NS: i64 = 10_000_000_000;

/// The ways that lead to a connection. Forgotten together with it.
#[derive(Debug, Default)]
pub(super) struct Identities {
    flows: HashMap<FlowKey, ConnectionId>,
    opener_numbers: HashMap<u32, Vec<ConnectionId>>,
    tuples: HashMap<Tuple, Vec<ConnectionId>>,
}

fn hash(kind: &str, value: impl Hash) -> ConnectionId {
    // A fixed seed: the number must be the same on every node and in every run.
    ConnectionId::new(foldhash::quality::FixedState::with_seed(0x5745_4952).hash_one((kind, value)))
}

/// What is known already.
pub(super) struct Remembered<'a> {
    pub(super) connections: &'a Connections,
    pub(super) translations: &'a Translations,
    pub(super) options: &'a JoinOptions,
}

impl Identities {
    pub(super) fn of_flow(&self, flow: &FlowKey) -> Option<ConnectionId> {
        self.flows.get(flow).copied()
    }

    pub(super) fn identify(&self, leg: &LegSeen, known: &Remembered<'_>) -> ConnectionId {
        if let Some(id) = self.of_flow(&leg.flow) {
            return id;
        }
        match (leg.isn.fwd, leg.isn.rev) {
            (Some(fwd), rev) => self.by_numbers(leg, fwd, rev, known),
            _ => self.by_tuple(leg, known),
        }
    }

    /// Half a handshake: a connection with the same number, an address or a way in common, not long ago; else a new one. A
    /// whole handshake looks there too, for a leg whose first row had only half of it.
    fn by_numbers(&self, leg: &LegSeen, fwd: u32, rev: Option<u32>, known: &Remembered<'_>) -> ConnectionId {
        let way = known.translations.way(&leg.sighting());
        let fits = |connection: &Connection| {
            (connection.isn.rev.is_none() || rev.is_none() || connection.isn.rev == rev)
                && leg.start_ts.since(connection.first_ts).abs() <= HALF_OPEN_NS
                && (connection.shares_address(&leg.key.tuple) || way.as_ref().is_some_and(|way| is_on(way, connection)))
        };
        let candidates = self.opener_numbers.get(&fwd).into_iter().flatten();
        if let Some(id) = candidates.copied().find(|id| known.connections.get(id).is_some_and(fits)) {
            return id;
        }
        if let Some(rev) = rev {
            return hash("tcp", (fwd, rev));
        }
        let plain = hash("syn", fwd);
        if known.connections.contains_key(&plain) { hash("syn", (fwd, leg.key.tuple)) } else { plain }
    }

    /// The connection on the same way that is nearest in time; else a new one.
    fn by_tuple(&self, leg: &LegSeen, known: &Remembered<'_>) -> ConnectionId {
        let tuple = leg.key.tuple;
        if is_link_scoped(tuple.src_ip) || is_link_scoped(tuple.dst_ip) {
            return hash("link", (&leg.key, leg.start_ts));
        }
        let way = known.translations.way(&leg.sighting());
        let tuples: Vec<Tuple> = way.as_ref().map_or_else(|| vec![tuple], |way| way.tuples().collect());
        let JoinOptions { slack_ns, translations, .. } = known.options;
        let nearest = self.at(&tuples).into_iter().filter_map(|id| {
            let connection = known.connections.get(&id).filter(|known| known.icmp_id == leg.icmp_id)?;
            Some((connection.distance(leg, *slack_ns, translations.clock_slack_ns)?, id))
        });
        if let Some((_, id)) = nearest.min() {
            return id;
        }
        let last = (way.map_or(tuple, |way| way.last()).canonical(), leg.icmp_id);
        let plain = hash("tuple", (last, leg.start_ts.window_start(BUCKET_NS).0));
        if known.connections.contains_key(&plain) { hash("tuple", (last, leg.start_ts)) } else { plain }
    }

    /// The connections that were found by one of these tuples, each once.
    pub(super) fn at(&self, tuples: &[Tuple]) -> Vec<ConnectionId> {
        let lists = tuples.iter().filter_map(|tuple| self.tuples.get(&tuple.canonical()));
        let mut ids: Vec<ConnectionId> = lists.flatten().copied().collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    pub(super) fn learn(&mut self, leg: &LegSeen, id: ConnectionId) {
        self.flows.insert(leg.flow.clone(), id);
        if let Some(isn) = leg.isn.fwd {
            insert(self.opener_numbers.entry(isn).or_default(), id);
        }
        if leg.key.tuple.protocol != Protocol::TCP || leg.isn.fwd.is_none() {
            insert(self.tuples.entry(leg.key.tuple.canonical()).or_default(), id);
        }
    }

    /// The tuples on a connection's way lead to it, also when nobody remembers the translations any more.
    pub(super) fn learn_way(&mut self, connection: &Connection, id: ConnectionId) {
        if let Some(way) = connection.way.as_ref().filter(|_| connection.is_by_tuple()) {
            way.tuples().for_each(|tuple| insert(self.tuples.entry(tuple.canonical()).or_default(), id));
        }
    }

    pub(super) fn forget(&mut self, id: ConnectionId, connection: &Connection) {
        for leg in &connection.legs {
            if self.flows.get(&leg.flow) == Some(&id) {
                self.flows.remove(&leg.flow);
            }
            remove(&mut self.tuples, &leg.key.tuple.canonical(), id);
        }
        for tuple in connection.way.iter().flat_map(Way::tuples) {
            remove(&mut self.tuples, &tuple.canonical(), id);
        }
        if let Some(isn) = connection.isn.fwd {
            remove(&mut self.opener_numbers, &isn, id);
        }
    }
}

fn is_on(way: &Way, connection: &Connection) -> bool {
    connection.legs.iter().any(|leg| way.has(&leg.key.tuple))
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
