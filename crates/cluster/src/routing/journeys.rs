//! The way of requests through gateways: joined rows of flows and requests come in, in any order; filled in go out the rule
//! that each met, the user's request that a request to a backend was made for, and where its time went.
//!
//! Call [`Journeys::arrive`] once with every batch of rows, then [`Journeys::settle`] whenever they are to be told.

use std::sync::Arc;

use weir_model::tables::RequestRow;
use weir_model::{Exchange, FlowRow, PodRef, RouteLeg, RouteMethod, Routed, ServiceMethod};

use super::agreed::Agreed;
use super::pairs::{PairOptions, Pairs};
use super::{Met, Routing};
use crate::Timeline;
use crate::join::Finality;

/// Remembers requests at gateways, and the rules of their flows.
#[derive(Debug)]
pub struct Journeys {
    pairs: Pairs,
    agreed: Agreed,
}

impl Journeys {
    /// Remembers nothing yet.
    pub fn new(options: PairOptions) -> Self {
        Self { agreed: Agreed::new(options.max_requests), pairs: Pairs::new(options) }
    }

    /// Learns of rows whose connections are joined as far as they are known.
    pub fn arrive(&mut self, flows: &[FlowRow], requests: &[RequestRow], known: &Timeline<Routing>, now_ns: i64) {
        for row in flows {
            if let Some(gateway) = front_of(row, known) {
                self.pairs.connection(&gateway, row);
            }
        }
        for row in requests {
            let Some((met, Some(gateway))) = meet(row, known) else { continue };
            self.pairs.arrive(&gateway, row, &met.routed, now_ns);
        }
    }

    /// Fills rows with what is known by now. Flows are told of the requests that were settled before, and of these.
    pub fn settle(
        &mut self,
        flows: &mut [FlowRow],
        requests: &mut [RequestRow],
        known: &Timeline<Routing>,
        finality: Finality,
    ) {
        for row in requests {
            let Some((mut met, gateway)) = meet(row, known) else { continue };
            if let Some(gateway) = gateway {
                self.join(&gateway, row, &mut met);
            }
            if is_whole(&row.request.exchange) {
                self.agreed.hear(&row.flow, row.request.ts, &met, finality == Finality::Final);
            } else {
                let unknown = Arc::new(Routed::unknown(met.routed.leg));
                let unknown = Met { routed: unknown, service: None };
                self.agreed.hear(&row.flow, row.request.ts, &unknown, finality == Finality::Final);
            }
            fill(&mut row.flow, &met.routed, met.service.as_ref());
        }
        for row in flows {
            if let Some((routed, service)) = self.agreed.of(row) {
                let (routed, service) = (Arc::clone(routed), service.cloned());
                fill(row, &routed, service.as_ref());
            }
        }
    }

    /// Joins both legs of a request; where only one of them tells the rule, the other takes it.
    fn join(&self, gateway: &PodRef, row: &mut RequestRow, met: &mut Met) {
        let other = match met.routed.leg {
            RouteLeg::Back => self.pairs.front(gateway, row, &met.routed).and_then(|found| {
                row.front = Some(found.front);
                found.routed
            }),
            RouteLeg::Front => self.pairs.backs(gateway, row, &met.routed).map(|(split, routed)| {
                row.split = split;
                routed
            }),
        };
        if let Some(other) = other.filter(|other| is_among(&met.routed, other)) {
            let own = &met.routed;
            let (leg, method, flags) = (own.leg, Some(RouteMethod::Join), own.flags.clone());
            let service = own.service.clone().or_else(|| other.service.clone());
            met.routed = Arc::new(Routed { leg, method, flags, service, ..(*other).clone() });
        }
    }
}

/// Whether the other leg's rule is one of those that this leg leaves open.
fn is_among(own: &Routed, other: &Routed) -> bool {
    let Some(place) = other.place.as_ref().filter(|_| other.is_sure() && !own.candidates.is_empty()) else {
        return false;
    };
    // A name in a hello says nothing of a path, so it is no rule that an exact answer could be taken from.
    other.method != Some(RouteMethod::Sni) && own.candidates.iter().any(|candidate| **candidate == *place.text())
}

/// The rule of a request, and its gateway where it is known which pod.
fn meet(row: &RequestRow, known: &Timeline<Routing>) -> Option<(Met, Option<PodRef>)> {
    let routing = known.at(row.request.ts)?.1;
    let met = routing.meet(&row.flow, &row.request)?;
    Some((met, routing.side(&row.flow)?.pod))
}

fn front_of(row: &FlowRow, known: &Timeline<Routing>) -> Option<PodRef> {
    let side = known.at(row.seen.flow.start_ts)?.1.side(row)?;
    side.pod.filter(|_| side.leg == RouteLeg::Front)
}

/// Whether requests like this one show all that the flow carried: an HTTP request without a path is the only one of its
/// flow that is told of.
fn is_whole(exchange: &Exchange) -> bool {
    exchange.http().is_none_or(|http| http.path.is_some())
}

/// Puts a rule into a row. The backend's Service is named by it where no address names it.
fn fill(row: &mut FlowRow, routed: &Arc<Routed>, service: Option<&Arc<weir_model::Service>>) {
    row.route = Some(Arc::clone(routed));
    let is_inferred =
        row.seen.service.as_ref().is_none_or(|known| {
            matches!(known.method, None | Some(ServiceMethod::EndpointSlice | ServiceMethod::Route))
        });
    if let Some(service) = service.filter(|_| is_inferred) {
        row.seen.service = Some(Arc::clone(service));
    }
}
