//! Connections to gateways whose requests nobody sees: TLS, and those that were joined half-way.
//!
//! A request to a backend belongs to one of them only where no other can be meant, so all that may be open are kept: from
//! the hello, or a flow's first row, to the flow's end.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use weir_model::tables::RequestRow;
use weir_model::{ConnectionId, Exchange, FlowId, FlowRow, PodRef, Protocol, RouteLeg, Routed, Timestamp};

use super::rank;
use super::seen::Seen;

type FlowKey = (Option<Arc<str>>, FlowId);

/// An ended connection is kept for so much packet time, for requests that are told late.
const ENDED_NS: i64 = 60_000_000_000;

/// Where more are open at a gateway than this, one is only looked for by its client.
const MAX_LOOKED_AT: usize = 1_024;

/// Connections by their flow. Cap: as many as it is made for; the one heard of first goes first.
#[derive(Debug)]
pub(super) struct OpenFronts {
    by_gateway: HashMap<PodRef, Fronts>,
    order: VecDeque<(PodRef, FlowKey)>,
    newest: Timestamp,
    max: usize,
}

#[derive(Debug, Default)]
struct Fronts {
    by_flow: HashMap<FlowKey, OpenFront>,
    by_client: HashMap<IpAddr, Vec<FlowKey>>,
}

/// A connection to a gateway.
#[derive(Clone, Debug)]
pub(super) struct OpenFront {
    pub(super) connection: Option<ConnectionId>,
    /// The rule of its name.
    pub(super) routed: Option<Arc<Routed>>,
    /// When its client hello came; `None` = it was not seen.
    pub(super) hello: Option<Timestamp>,
    rank: u8,
    client: (IpAddr, u16),
    sni: Option<Box<str>>,
    /// It speaks HTTP in the clear: its requests are seen themselves.
    is_plain: bool,
    from: Timestamp,
    to: Option<Timestamp>,
}

impl OpenFronts {
    pub(super) fn new(max: usize) -> Self {
        Self { by_gateway: HashMap::new(), order: VecDeque::new(), newest: Timestamp(i64::MIN), max }
    }

    /// A request on such a connection.
    pub(super) fn hear(&mut self, gateway: &PodRef, row: &RequestRow, routed: &Arc<Routed>) {
        let open = self.entry(gateway, &row.flow);
        match &row.request.exchange {
            Exchange::Tls(tls) => {
                open.hello = Some(row.request.ts);
                open.sni.clone_from(&tls.sni);
                open.routed = Some(Arc::clone(routed));
            }
            Exchange::Http(_) => open.is_plain = true,
            Exchange::Dns(_) => {}
        }
    }

    /// A row of such a connection's flow.
    pub(super) fn learn(&mut self, gateway: &PodRef, row: &FlowRow) {
        if row.seen.flow.tuple.protocol != Protocol::TCP {
            return;
        }
        self.newest = self.newest.max(row.seen.flow.last_ts);
        let open = self.entry(gateway, row);
        if row.seen.flow.is_last() {
            open.to = Some(row.seen.flow.last_ts);
        }
    }

    fn entry(&mut self, gateway: &PodRef, row: &FlowRow) -> &mut OpenFront {
        let key = (row.node.clone(), row.seen.flow.id);
        if !self.by_gateway.get(gateway).is_some_and(|fronts| fronts.by_flow.contains_key(&key)) {
            self.order.push_back((gateway.clone(), key.clone()));
            self.forget();
        }
        let (flow, tuple) = (&row.seen.flow, row.seen.flow.tuple);
        let client = (tuple.src_ip.to_canonical(), tuple.src_port);
        let fronts = self.by_gateway.entry(gateway.clone()).or_default();
        let Fronts { by_flow, by_client } = fronts;
        let open = by_flow.entry(key.clone()).or_insert_with(|| {
            by_client.entry(client.0).or_default().push(key);
            OpenFront {
                connection: None,
                routed: None,
                hello: None,
                rank: rank(row, RouteLeg::Front),
                client,
                sni: None,
                is_plain: false,
                from: flow.start_ts,
                to: None,
            }
        });
        open.connection = row.connection.or(open.connection);
        open
    }

    /// Connections on which the user's request may have come that a request to a backend was made for, those of the best
    /// tap.
    pub(super) fn candidates(&self, back: &Seen, slack_ns: i64) -> Vec<&OpenFront> {
        let Some(fronts) = self.by_gateway.get(&back.gateway) else { return Vec::new() };
        let mut open: Vec<&OpenFront> = match back.forwarded {
            Some((ip, _)) => {
                let flows = fronts.by_client.get(&ip).into_iter().flatten();
                flows.filter_map(|flow| fronts.by_flow.get(flow)).collect()
            }
            None if fronts.by_flow.len() > MAX_LOOKED_AT => return Vec::new(),
            None => fronts.by_flow.values().collect(),
        };
        open.retain(|front| front.may_carry(back, slack_ns));
        let best = open.iter().map(|front| front.rank).min();
        open.retain(|front| Some(front.rank) == best);
        open
    }

    fn forget(&mut self) {
        let old = self.newest.plus_ns(-ENDED_NS);
        while let Some((gateway, key)) = self.order.front() {
            let Some(fronts) = self.by_gateway.get_mut(gateway) else { return };
            let is_over = fronts.by_flow.get(key).is_none_or(|front| front.to.is_some_and(|to| to < old));
            if !is_over && self.order.len() <= self.max {
                return;
            }
            if let Some(front) = fronts.by_flow.remove(key)
                && let Some(flows) = fronts.by_client.get_mut(&front.client.0)
            {
                flows.retain(|flow| flow != key);
                if flows.is_empty() {
                    fronts.by_client.remove(&front.client.0);
                }
            }
            self.order.pop_front();
        }
    }
}

impl OpenFront {
    fn may_carry(&self, back: &Seen, slack_ns: i64) -> bool {
        if self.is_plain {
            return false;
        }
        let port = back.forwarded.and_then(|(_, port)| port);
        let port_differs = port.is_some_and(|port| port != self.client.1);
        // One clock at the gateway's own tap: what ended before the request was made did not carry it.
        let slack_ns = if self.rank == 0 && back.rank == 0 { 0 } else { slack_ns };
        let has_begun = self.from <= back.ts.plus_ns(slack_ns);
        let is_over = self.to.is_some_and(|to| to < back.ts.plus_ns(-slack_ns));
        !port_differs && has_begun && !is_over && !self.leads_elsewhere(back)
    }

    /// Whether its name is that of a rule that does not make such requests.
    fn leads_elsewhere(&self, back: &Seen) -> bool {
        let (Some(sni), Some(routed)) = (&self.sni, &self.routed) else { return false };
        let bare = |host: &'_ str| host.rsplit_once(':').map_or(host, |(bare, _)| bare).to_ascii_lowercase();
        let is_passed_on = back.host.as_deref().is_some_and(|host| bare(host) == sni.to_ascii_lowercase());
        !is_passed_on && !routed.may_be_place_of(&back.routed)
    }
}
