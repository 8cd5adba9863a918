//! Which request to a backend was made for which user's request: both legs of gateways come in, in any order, and pairs go
//! out, with how each was found.
//!
//! Never by guess: an id that both legs carry, or else the only request or TLS connection that can be meant. Connections
//! to backends are reused, so nothing is said of connections.

mod open;
mod seen;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use weir_model::tables::RequestRow;
use weir_model::{FlowRow, Front, FrontMethod, Leg, PodRef, RouteLeg, Routed, Split, Timestamp};

use crate::route::Flag;
use open::OpenFronts;
use seen::Seen;

/// The bounds of what is paired.
#[derive(Clone, Copy, Debug)]
pub struct PairOptions {
    /// The most requests, and the most connections to gateways, that are remembered; the first ones are forgotten first.
    pub max_requests: usize,
    /// How long a request is remembered, in nanoseconds of the caller's clock.
    pub remember_ns: i64,
    /// How far apart the times of two taps may be, in nanoseconds.
    pub slack_ns: i64,
}

impl Default for PairOptions {
    fn default() -> Self {
        Self { max_requests: 200_000, remember_ns: 60_000_000_000, slack_ns: 100_000_000 }
    }
}

/// Requests at gateways that were seen lately.
#[derive(Debug)]
pub(super) struct Pairs {
    options: PairOptions,
    requests: HashMap<u64, Seen>,
    by_mark: HashMap<(PodRef, RouteLeg, Mark), Marked, foldhash::fast::RandomState>,
    /// Arrival and number.
    order: VecDeque<(i64, u64)>,
    next: u64,
    open: OpenFronts,
}

/// Requests with one mark, by their time: one client may make thousands in the time that they are remembered.
#[derive(Debug, Default)]
struct Marked {
    by_ts: BTreeSet<(Timestamp, u64)>,
    /// How long the one of them took that took longest.
    longest_ns: i64,
}

/// Something that both legs may show.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Mark {
    /// `X-Request-Id`.
    Id(Box<str>),
    /// The trace of `traceparent`.
    Trace(u128),
    /// The client's address: of the front as the gateway sees it, of the back in `X-Forwarded-For`.
    Client(IpAddr),
}

/// A user's request, as it was found for one to a backend.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) front: Front,
    /// The rule that it met.
    pub(super) routed: Option<Arc<Routed>>,
    /// The flow it came on, where it is a request and no connection.
    seen: Option<u64>,
}

impl Pairs {
    /// Remembers nothing yet.
    pub(super) fn new(options: PairOptions) -> Self {
        Self {
            options,
            requests: HashMap::default(),
            by_mark: HashMap::default(),
            order: VecDeque::new(),
            next: 0,
            open: OpenFronts::new(options.max_requests),
        }
    }

    /// A request at a gateway, as one tap saw it, with the rule that it met.
    pub(super) fn arrive(&mut self, gateway: &PodRef, row: &RequestRow, routed: &Arc<Routed>, now_ns: i64) {
        self.forget(now_ns);
        if routed.leg == RouteLeg::Front {
            self.open.hear(gateway, row, routed);
        }
        let Some(mut seen) = Seen::of(gateway, row, routed) else { return };
        let number = self.next;
        seen.number = number;
        self.next += 1;
        for mark in seen.marks() {
            let marked = self.by_mark.entry((gateway.clone(), seen.leg, mark)).or_default();
            marked.by_ts.insert((seen.ts, number));
            marked.longest_ns = marked.longest_ns.max(seen.took_ns());
        }
        self.requests.insert(number, seen);
        self.order.push_back((now_ns, number));
    }

    /// A connection to a gateway, as far as a row of its flow shows.
    pub(super) fn connection(&mut self, gateway: &PodRef, row: &FlowRow) {
        self.open.learn(gateway, row);
    }

    /// The user's request that a gateway's request to a backend was made for.
    pub(super) fn front(&self, gateway: &PodRef, row: &RequestRow, routed: &Arc<Routed>) -> Option<Found> {
        let own = Seen::of(gateway, row, routed)?;
        self.front_of(self.nearest(&own).unwrap_or(&own))
    }

    /// The same request to a backend as it was seen nearest to the gateway, whose clock then is one with the fronts'.
    fn nearest(&self, back: &Seen) -> Option<&Seen> {
        let sightings = self.marked(back, RouteLeg::Back, &Mark::Id(back.id.clone()?));
        let same = sightings.filter(|seen| seen.connection == back.connection && seen.connection.is_some());
        same.min_by_key(|seen| seen.rank).filter(|seen| seen.rank < back.rank)
    }

    fn front_of(&self, back: &Seen) -> Option<Found> {
        if let Some(id) = &back.id {
            let fronts = self.marked(back, RouteLeg::Front, &Mark::Id(id.clone()));
            if let Some(found) = Self::only(fronts) {
                return Some(Self::found(found, back, FrontMethod::RequestId));
            }
        }
        if let Some(trace) = back.trace {
            let fronts = self.marked(back, RouteLeg::Front, &Mark::Trace(trace));
            if let Some(found) = Self::only(fronts.filter(|front| front.may_be(back))) {
                return Some(Self::found(found, back, FrontMethod::TraceParent));
            }
        }
        let client = back.forwarded.map(|(ip, _)| Mark::Client(ip));
        let fronts = client.iter().flat_map(|client| self.marked(back, RouteLeg::Front, client));
        let plain: Vec<_> = fronts.filter(|front| front.may_be(back)).collect();
        let secure = self.open.candidates(back, self.options.slack_ns);
        match (plain.as_slice(), secure.as_slice()) {
            (_, []) => {
                let found = Self::only(plain.into_iter())?;
                Some(Self::found(found, back, FrontMethod::ForwardedFor))
            }
            ([], [only]) => {
                let front = Front {
                    request_id: back.request_id.clone(),
                    connection: only.connection,
                    ts: only.hello?,
                    method: if back.forwarded.is_some() { FrontMethod::ForwardedFor } else { FrontMethod::OnlyOne },
                };
                Some(Found { front, routed: only.routed.clone(), seen: None })
            }
            _ => None,
        }
    }

    /// Where the time of a user's request went, and the rule by which it was passed on.
    pub(super) fn backs(
        &self,
        gateway: &PodRef,
        row: &RequestRow,
        routed: &Arc<Routed>,
    ) -> Option<(Option<Split>, Arc<Routed>)> {
        let front = Seen::of(gateway, row, routed)?;
        let mut backs: Vec<&Seen> = Vec::new();
        for mark in front.marks() {
            // What is found by a surer mark is all there is.
            if !backs.is_empty() {
                break;
            }
            for back in self.marked(&front, RouteLeg::Back, &mark) {
                let is_new = backs.iter().all(|known| !std::ptr::eq(*known, back));
                // Nobody waited for a copy.
                let is_copy = back.routed.flags.contains(&Flag::Mirror.name());
                if is_new && !is_copy && self.front_of(back).is_some_and(|found| self.is_same(&found, &front)) {
                    backs.push(back);
                }
            }
        }
        // Each try once: at the gateway's own tap where it was seen there.
        let best = backs.iter().map(|back| back.rank).min()?;
        backs.retain(|back| back.rank == best);
        let first = backs.first()?;
        let took = backs.iter().try_fold(0_u32, |sum, back| Some(sum.saturating_add(back.latency_us?)));
        let split = took
            .zip(front.latency_us)
            .map(|(backend_us, whole_us)| Split { backend_us, gateway_us: whole_us.saturating_sub(backend_us) });
        Some((split, Arc::clone(&first.routed)))
    }

    /// Whether what was found is a user's request, maybe as another tap saw it.
    fn is_same(&self, found: &Found, front: &Seen) -> bool {
        let Some(seen) = found.seen.and_then(|number| self.requests.get(&number)) else { return false };
        let is_it = seen.flow == front.flow && seen.ts == front.ts;
        let elsewhere = seen.flow != front.flow && seen.id.is_some() && seen.id == front.id;
        seen.connection == front.connection && (is_it || elsewhere)
    }

    /// Requests on a leg of the same gateway that have a mark, at a time that fits.
    fn marked<'a, 'b>(
        &'a self,
        other: &'b Seen,
        leg: RouteLeg,
        mark: &Mark,
    ) -> impl Iterator<Item = &'a Seen> + use<'a, 'b> {
        let slack_ns = self.options.slack_ns;
        let marked = self.by_mark.get(&(other.gateway.clone(), leg, mark.clone()));
        let near = marked.into_iter().flat_map(move |marked| {
            let (before_ns, after_ns) = match leg {
                RouteLeg::Front => (marked.longest_ns, 0),
                RouteLeg::Back => (0, other.took_ns()),
            };
            let from = other.ts.plus_ns(-slack_ns).plus_ns(-before_ns);
            let to = other.ts.plus_ns(slack_ns).plus_ns(after_ns);
            marked.by_ts.range((from, 0)..=(to, u64::MAX))
        });
        near.filter_map(|(_, number)| self.requests.get(number)).filter(move |seen| match leg {
            RouteLeg::Front => seen.spans(other, slack_ns),
            RouteLeg::Back => other.spans(seen, slack_ns),
        })
    }

    /// The only request among several sightings: those of the best tap count, and there must be one.
    fn only<'a>(fronts: impl Iterator<Item = &'a Seen>) -> Option<&'a Seen> {
        let fronts: Vec<_> = fronts.collect();
        let best = fronts.iter().map(|front| front.rank).min()?;
        let mut best = fronts.into_iter().filter(|front| front.rank == best);
        let first = best.next()?;
        best.next().is_none().then_some(first)
    }

    fn found(seen: &Seen, back: &Seen, method: FrontMethod) -> Found {
        let front = Front {
            request_id: seen.request_id.clone().or_else(|| back.request_id.clone()),
            connection: seen.connection,
            ts: seen.ts,
            method,
        };
        Found { front, routed: Some(Arc::clone(&seen.routed)), seen: Some(seen.number) }
    }

    fn forget(&mut self, now_ns: i64) {
        let old = now_ns.saturating_sub(self.options.remember_ns);
        while let Some((arrived, number)) = self.order.front().copied() {
            if arrived > old && self.order.len() < self.options.max_requests {
                return;
            }
            self.order.pop_front();
            let Some(seen) = self.requests.remove(&number) else { continue };
            for mark in seen.marks() {
                let key = (seen.gateway.clone(), seen.leg, mark);
                if let Some(marked) = self.by_mark.get_mut(&key) {
                    marked.by_ts.remove(&(seen.ts, number));
                    if marked.by_ts.is_empty() {
                        self.by_mark.remove(&key);
                    }
                }
            }
        }
    }
}

/// How near a tap is to the gateway: its own veth first.
fn rank(row: &FlowRow, leg: RouteLeg) -> u8 {
    match (leg, row.seen.leg) {
        (RouteLeg::Front, Some(Leg::Server)) | (RouteLeg::Back, Some(Leg::Client)) => 0,
        (_, Some(Leg::Client | Leg::Server)) => 1,
        (_, Some(Leg::Transit)) => 2,
        (_, None) => 3,
    }
}
