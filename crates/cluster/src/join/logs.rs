//! What the nodes' own enforcement logged, until the connections that it is about are judged.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{PolicyLog, Protocol, Timestamp, Tuple};

use super::connection::{Connection, LegSeen};
use crate::Snapshot;
use crate::enforced::Enforced;

/// A repeated SYN keeps its number for about this long.
const HALF_OPEN_NS: i64 = 180_000_000_000;

/// How far from a connection's packets a record without a number may be.
const NEAR_NS: i64 = 2_000_000_000;

/// Records by what leads to a connection: the opener's sequence number, else who sent it. Cap: [`MAX`]; the first that
/// came is forgotten first. Later records of the same packet, sent again, are dropped.
#[derive(Debug, Default)]
pub(super) struct Logs {
    by_number: HashMap<u32, Vec<Line>>,
    by_source: HashMap<Source, Vec<Line>>,
    order: VecDeque<Place>,
}

const MAX: usize = 200_000;

#[derive(Clone, Debug)]
struct Line {
    ts: Timestamp,
    tuple: Tuple,
    enforced: Arc<Enforced>,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    Number(u32),
    Source(Source),
}

/// Who sends. The destination may be rewritten before a packet is logged.
type Source = (Protocol, IpAddr, u16);

const fn source(tuple: &Tuple) -> Source {
    (tuple.protocol, tuple.src_ip, tuple.src_port)
}

impl Logs {
    /// Takes a record in; false where it says nothing that is understood.
    pub(super) fn learn(&mut self, log: &PolicyLog) -> bool {
        let Some(enforced) = Enforced::read(log) else { return false };
        let line = Line { ts: log.ts, tuple: log.tuple, enforced: Arc::new(enforced) };
        let (place, lines) = match log.isn {
            Some(number) => (Place::Number(number), self.by_number.entry(number).or_default()),
            None => (Place::Source(source(&log.tuple)), self.by_source.entry(source(&log.tuple)).or_default()),
        };
        let is_again = |known: &Line| {
            known.enforced == line.enforced
                && known.tuple == line.tuple
                && line.ts.since(known.ts).abs() <= HALF_OPEN_NS
        };
        if !lines.iter().any(is_again) {
            lines.push(line);
            self.order.push_back(place);
        }
        self.forget();
        true
    }

    /// What was decided about a connection, in the order that it was logged in.
    pub(super) fn of(&self, connection: &Connection, snapshot: &Snapshot) -> Vec<Arc<Enforced>> {
        let numbered = connection.isn.fwd.and_then(|number| self.by_number.get(&number)).into_iter().flatten();
        let numbered = numbered.filter(|line| {
            line.ts.since(connection.first_ts).abs() <= HALF_OPEN_NS && connection.shares_address(&line.tuple)
        });
        let sources =
            connection.legs.iter().filter_map(|leg| Some((leg, self.by_source.get(&source(&leg.key.tuple))?)));
        let plain = sources.flat_map(|(leg, lines)| lines.iter().filter(|line| went_to(leg, &line.tuple, snapshot)));
        let plain = plain.filter(|line| {
            line.ts >= connection.first_ts.plus_ns(-NEAR_NS) && line.ts <= connection.last_ts.plus_ns(NEAR_NS)
        });
        let mut found: Vec<&Line> = numbered.chain(plain).collect();
        found.sort_by_key(|line| line.ts);
        let mut decided: Vec<Arc<Enforced>> = found.into_iter().map(|line| Arc::clone(&line.enforced)).collect();
        decided.dedup();
        decided
    }

    fn forget(&mut self) {
        while self.order.len() > MAX {
            let first = |lines: &mut Vec<Line>| {
                lines.remove(0);
                lines.is_empty()
            };
            match self.order.pop_front() {
                Some(Place::Number(number)) if self.by_number.get_mut(&number).is_some_and(first) => {
                    self.by_number.remove(&number);
                }
                Some(Place::Source(source)) if self.by_source.get_mut(&source).is_some_and(first) => {
                    self.by_source.remove(&source);
                }
                _ => {}
            }
        }
    }
}

/// Whether a packet that was logged is one of a leg: to the same destination, or to an endpoint of the Service that it dialled.
fn went_to(leg: &LegSeen, logged: &Tuple, snapshot: &Snapshot) -> bool {
    let tuple = leg.key.tuple;
    let used = leg.service.as_ref().filter(|_| leg.shows_service()).and_then(|service| service.used.as_ref());
    let backends = used.map(|used| snapshot.backends(used)).unwrap_or_default();
    (tuple.dst_ip, tuple.dst_port) == (logged.dst_ip, logged.dst_port)
        || backends.iter().any(|backend| (backend.ip, backend.port) == (logged.dst_ip, logged.dst_port))
}
