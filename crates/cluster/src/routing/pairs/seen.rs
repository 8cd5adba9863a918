//! A request at a gateway, cut down to what tells which others belong to it.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::tables::RequestRow;
use weir_model::{ConnectionId, Exchange, FlowId, HttpMarks, PodRef, RouteLeg, Routed, Timestamp};

use super::{Mark, rank};

/// A request that nobody answered is taken to be open for so long.
const UNANSWERED_NS: i64 = 60_000_000_000;

/// A sighting at one tap of an HTTP request, or of a client hello that a gateway passed on.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Its number among those that are remembered.
    pub(super) number: u64,
    pub(super) gateway: PodRef,
    pub(super) leg: RouteLeg,
    pub(super) rank: u8,
    pub(super) flow: (Option<Arc<str>>, FlowId),
    pub(super) connection: Option<ConnectionId>,
    pub(super) ts: Timestamp,
    end: Timestamp,
    pub(super) latency_us: Option<u32>,
    /// `X-Request-Id`.
    pub(super) id: Option<Box<str>>,
    /// What is told as its id.
    pub(super) request_id: Option<Box<str>>,
    pub(super) trace: Option<u128>,
    /// The client's address and port.
    client: (IpAddr, u16),
    /// The same as the gateway told it to the backend.
    pub(super) forwarded: Option<(IpAddr, Option<u16>)>,
    method: Option<Box<str>>,
    pub(super) host: Option<Box<str>>,
    path: Option<Box<str>>,
    pub(super) routed: Arc<Routed>,
}

impl Seen {
    pub(super) fn of(gateway: &PodRef, row: &RequestRow, routed: &Arc<Routed>) -> Option<Self> {
        let said = Said::of(&row.request.exchange, routed.leg)?;
        let (leg, ts, tuple) = (routed.leg, row.request.ts, row.flow.seen.flow.tuple);
        let latency_ns = row.request.latency_us.map_or(UNANSWERED_NS, |latency_us| i64::from(latency_us) * 1_000);
        Some(Self {
            number: 0,
            gateway: gateway.clone(),
            leg,
            rank: rank(&row.flow, leg),
            flow: (row.flow.node.clone(), row.flow.seen.flow.id),
            connection: row.flow.connection,
            ts,
            end: ts.plus_ns(latency_ns),
            latency_us: row.request.latency_us,
            id: said.request_id.clone().filter(|id| !is_trace(id, said.marks.trace)),
            request_id: said.request_id,
            trace: said.marks.trace,
            client: (tuple.src_ip.to_canonical(), tuple.src_port),
            forwarded: said.marks.forwarded_for,
            method: said.method,
            host: said.host,
            path: said.path,
            routed: Arc::clone(routed),
        })
    }

    /// How long it was open.
    pub(super) const fn took_ns(&self) -> i64 {
        self.end.0.saturating_sub(self.ts.0)
    }

    /// By what it is found.
    pub(super) fn marks(&self) -> impl Iterator<Item = Mark> + use<> {
        let client = match self.leg {
            RouteLeg::Front => Some(self.client.0),
            RouteLeg::Back => self.forwarded.map(|(ip, _)| ip),
        };
        let id = self.id.clone().map(Mark::Id);
        id.into_iter().chain(self.trace.map(Mark::Trace)).chain(client.map(Mark::Client))
    }

    /// Whether another request was made while this one waited for its answer. `slack_ns` is for two clocks; the gateway's
    /// own tap has one.
    pub(super) fn spans(&self, other: &Self, slack_ns: i64) -> bool {
        let slack_ns = if self.rank == 0 && other.rank == 0 { 0 } else { slack_ns };
        self.ts <= other.ts.plus_ns(slack_ns) && other.ts <= self.end.plus_ns(slack_ns)
    }

    /// Whether a request to a backend may have been made for this one, by what both say.
    pub(super) fn may_be(&self, back: &Self) -> bool {
        let differ = self.id.is_some() && back.id.is_some() && self.id != back.id;
        let port_differs = back.forwarded.and_then(|(_, port)| port).is_some_and(|port| port != self.client.1);
        let is_passed_on = self.host == back.host && self.path == back.path;
        !differ
            && !port_differs
            && self.method == back.method
            && (is_passed_on || self.routed.agrees_on_place(&back.routed))
    }
}

/// What an exchange says that both legs may.
#[derive(Default)]
struct Said {
    request_id: Option<Box<str>>,
    marks: HttpMarks,
    method: Option<Box<str>>,
    host: Option<Box<str>>,
    path: Option<Box<str>>,
}

impl Said {
    /// `None` = nothing to go by. Hellos to a gateway are connections, which are kept by themselves.
    fn of(exchange: &Exchange, leg: RouteLeg) -> Option<Self> {
        match exchange {
            Exchange::Http(http) => http.method.is_some().then(|| Self {
                request_id: http.request_id.clone(),
                marks: http.marks.as_deref().copied().unwrap_or_default(),
                method: http.method.clone(),
                host: http.host.clone(),
                path: http.path.clone(),
            }),
            Exchange::Tls(tls) if leg == RouteLeg::Back => {
                Some(Self { host: Some(tls.sni.clone()?), ..Self::default() })
            }
            Exchange::Tls(_) | Exchange::Dns(_) => None,
        }
    }
}

/// Whether an id is a trace's context, told for want of an id.
fn is_trace(id: &str, trace: Option<u128>) -> bool {
    trace.is_some_and(|trace| id.contains(&format!("-{trace:032x}-")))
}
