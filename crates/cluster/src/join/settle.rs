//! What only the whole connection shows: the real client, the backend, the Service, what was rewritten.

use std::sync::Arc;

use weir_model::{Endpoint, EndpointKind, FlowRow, Leg, Nat, Outcome, Service, ServiceMethod, Tuple};

use super::connection::{Connection, LegSeen};
use super::sides::{self, Side, Socket, destination, source};
use super::{FlowKey, Names};

/// Fills the row's endpoints, Service and NAT columns from all legs that have arrived and from what nodes told of it.
pub(super) fn fill(row: &mut FlowRow, connection: &Connection, names: &dyn Names) {
    let opener = sides::opener(connection, names);
    let backend = sides::backend(connection, names);
    let is_turned = connection.is_turned(&row.seen.flow.tuple);
    let (src, dst) = if is_turned { (&backend, &opener) } else { (&opener, &backend) };
    if let Some((endpoint, _)) = src {
        row.seen.src = Arc::clone(endpoint);
    }
    if let Some((endpoint, _)) = dst {
        row.seen.dst = Arc::clone(endpoint);
    } else if let Some(told) = outside_by_name(row, connection) {
        row.seen.dst = Arc::clone(told);
    }
    row.seen.service = service(row, connection, names);
    fill_nat(row, connection, opener, backend);
    let own = FlowKey::of(row);
    let is_one_way = connection.legs.iter().any(|leg| leg.flow == own && leg.sight.is_one_way);
    if let Some(outcome) = told_by_another_leg(row.seen.flow.outcome, is_one_way, connection) {
        row.seen.flow.outcome = outcome;
    }
}

/// The other side as the opener's own leg names it, where it is outside and this leg has no name for it: only there the
/// name was resolved.
fn outside_by_name<'a>(row: &FlowRow, connection: &'a Connection) -> Option<&'a Arc<Endpoint>> {
    let told = &connection.leg(Leg::Client)?.dst;
    let own = &row.seen.dst;
    (own.dns_name.is_none() && told.dns_name.is_some() && own.kind == told.kind).then_some(told)
}

/// The Service that was used: as a leg or conntrack shows its address; what the opener's own leg says where it dialled the
/// other side itself, led by a name or not.
fn service(row: &FlowRow, connection: &Connection, names: &dyn Names) -> Option<Arc<Service>> {
    let own = row.seen.service.as_ref();
    if let Some(shown) = connection.best_of_all(LegSeen::shows_service).and_then(|leg| leg.service.as_ref()) {
        let is_sure = |method: ServiceMethod| method.is_seen() || method == ServiceMethod::Conntrack;
        if own.is_some_and(|own| own.used == shown.used && own.method.is_some_and(is_sure)) {
            return own.cloned();
        }
        return Some(Arc::new(Service { method: Some(ServiceMethod::Join), ..(**shown).clone() }));
    }
    let told = |tuple: Tuple| names.dialled(&tuple, connection.first_ts);
    if let Some(told) = connection.way.as_ref().and_then(|way| way.tuples().find_map(told)) {
        return Some(told);
    }
    let Some(client) = connection.leg(Leg::Client) else { return own.cloned() };
    let service = client.service.as_ref()?;
    if service.method == Some(ServiceMethod::Dns) && row.seen.leg != Some(Leg::Client) {
        return Some(Arc::new(Service { method: Some(ServiceMethod::Join), ..(**service).clone() }));
    }
    Some(Arc::clone(service))
}

fn fill_nat(row: &mut FlowRow, connection: &Connection, opener: Option<Side>, backend: Option<Side>) {
    let way = connection.way.as_ref();
    let differs = |pick: fn(&Tuple) -> Socket| {
        let mut legs = connection.straight_legs().map(|leg| pick(&leg.key.tuple));
        let first = legs.next();
        legs.any(|leg| Some(leg) != first) || way.is_some_and(|way| pick(&way.first()) != pick(&way.last()))
    };
    let (src, dst) = (differs(source), differs(destination));
    // Both ends were seen: what does not differ was not rewritten. So it is where the opener's node says so of a
    // destination that no other node rewrites.
    let both_ends = connection.leg(Leg::Client).is_some() && connection.leg(Leg::Server).is_some();
    let told = || way.is_some_and(|way| way.is_straight() && row.seen.dst.kind != EndpointKind::Service);
    row.nat = match (src, dst) {
        (true, true) => Some(Nat::Both),
        (true, false) => Some(Nat::Src),
        (false, true) => Some(Nat::Dst),
        (false, false) => (both_ends || told()).then_some(Nat::None),
    };
    if let (true, Some((_, tuple))) = (src, opener) {
        row.client = Some(source(&tuple));
    }
    if let (true, Some((_, tuple))) = (dst, backend) {
        row.backend = Some(destination(&tuple));
    }
}

/// A tap that saw one direction, or joined half-way, takes the word of one that saw the answer. One that saw no answer
/// takes it where the opener went on as only one does who has been answered.
pub(super) fn told_by_another_leg(own: Outcome, is_one_way: bool, connection: &Connection) -> Option<Outcome> {
    if own == Outcome::Unanswered && !is_one_way {
        let went_on = |leg: &LegSeen| leg.outcome == Outcome::Established && leg.went_on;
        return connection.legs.iter().any(went_on).then_some(Outcome::Established);
    }
    if !matches!(own, Outcome::OneWay | Outcome::HalfSeen | Outcome::Unanswered) {
        return None;
    }
    let sure = |outcome: &Outcome| matches!(outcome, Outcome::Established | Outcome::Refused | Outcome::Rejected);
    let told = connection.legs.iter().map(|leg| leg.outcome).find(sure);
    told.or_else(|| (is_one_way && connection.was_seen_both_ways()).then_some(Outcome::Established))
}
