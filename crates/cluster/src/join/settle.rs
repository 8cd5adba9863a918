//! What only the whole connection shows: the real client, the backend, the Service, what was rewritten.

use std::sync::Arc;

use weir_model::{Endpoint, EndpointKind, FlowRow, Leg, Nat, Outcome, Service, ServiceMethod};

use super::connection::{Connection, LegSeen};

/// Fills the row's endpoints, Service and NAT columns from all legs that have arrived.
pub(super) fn fill(row: &mut FlowRow, connection: &Connection) {
    let opener = opener_side(connection);
    let server = connection.leg(Leg::Server);
    if let Some(opener) = opener {
        row.seen.src = Arc::clone(&opener.src);
    }
    if let Some(backend) = backend(connection) {
        row.seen.dst = Arc::clone(&backend.dst);
    } else if let Some(told) = outside_by_name(row, connection) {
        row.seen.dst = Arc::clone(told);
    }
    row.seen.service = service(row, connection);
    fill_nat(row, connection, opener, server);
    if let Some(outcome) = told_by_another_leg(row.seen.flow.outcome, connection) {
        row.seen.flow.outcome = outcome;
    }
}

/// The leg that shows the opener as it is: its own veth, else a leg that shows it as a pod or an outside address.
pub(super) fn opener_side(connection: &Connection) -> Option<&LegSeen> {
    connection
        .leg(Leg::Client)
        .or_else(|| connection.best(|leg| leg.src.kind == EndpointKind::Pod))
        .or_else(|| connection.best(|leg| leg.src.kind == EndpointKind::External))
}

/// The leg that shows the other side as a pod.
fn backend(connection: &Connection) -> Option<&LegSeen> {
    connection.leg(Leg::Server).or_else(|| connection.best(|leg| leg.dst.kind == EndpointKind::Pod))
}

/// The other side as the opener's own leg names it, where it is outside and this leg has no name for it: only there the
/// name was resolved.
fn outside_by_name<'a>(row: &FlowRow, connection: &'a Connection) -> Option<&'a Arc<Endpoint>> {
    let told = &connection.leg(Leg::Client)?.dst;
    let own = &row.seen.dst;
    (own.dns_name.is_none() && told.dns_name.is_some() && own.kind == told.kind).then_some(told)
}

/// The Service that was used: as a leg saw its address; what the opener's own leg says where it dialled the other side
/// itself, led by a name or not.
fn service(row: &FlowRow, connection: &Connection) -> Option<Arc<Service>> {
    if let Some(shown) = connection.best(LegSeen::shows_service).and_then(|leg| leg.service.as_ref()) {
        let own = row.seen.service.as_ref();
        if own.is_some_and(|own| own.used == shown.used && own.method == shown.method) {
            return own.cloned();
        }
        return Some(Arc::new(Service { method: Some(ServiceMethod::Join), ..(**shown).clone() }));
    }
    let Some(client) = connection.leg(Leg::Client) else { return row.seen.service.clone() };
    let service = client.service.as_ref()?;
    if service.method == Some(ServiceMethod::Dns) && row.seen.leg != Some(Leg::Client) {
        return Some(Arc::new(Service { method: Some(ServiceMethod::Join), ..(**service).clone() }));
    }
    Some(Arc::clone(service))
}

fn fill_nat(row: &mut FlowRow, connection: &Connection, opener: Option<&LegSeen>, server: Option<&LegSeen>) {
    let differs = |pick: fn(&LegSeen) -> (std::net::IpAddr, u16)| {
        let mut legs = connection.legs.iter().map(pick);
        let first = legs.next();
        legs.any(|leg| Some(leg) != first)
    };
    let src = differs(|leg| (leg.key.tuple.src_ip, leg.key.tuple.src_port));
    let dst = differs(|leg| (leg.key.tuple.dst_ip, leg.key.tuple.dst_port));
    // Both ends were seen: what does not differ was not rewritten.
    let both_ends = connection.leg(Leg::Client).is_some() && server.is_some();
    row.nat = match (src, dst) {
        (true, true) => Some(Nat::Both),
        (true, false) => Some(Nat::Src),
        (false, true) => Some(Nat::Dst),
        (false, false) => both_ends.then_some(Nat::None),
    };
    if let (true, Some(opener)) = (src, opener) {
        row.client = Some((opener.key.tuple.src_ip, opener.key.tuple.src_port));
    }
    if let (true, Some(backend)) = (dst, backend(connection)) {
        row.backend = Some((backend.key.tuple.dst_ip, backend.key.tuple.dst_port));
    }
}

/// A tap that saw one direction, or joined half-way, takes the word of one that saw the answer. One that saw no answer
/// takes it where the opener went on as only one does who has been answered.
pub(super) fn told_by_another_leg(own: Outcome, connection: &Connection) -> Option<Outcome> {
    if own == Outcome::Unanswered {
        let went_on = |leg: &LegSeen| leg.outcome == Outcome::Established && leg.went_on;
        return connection.legs.iter().any(went_on).then_some(Outcome::Established);
    }
    if !matches!(own, Outcome::OneWay | Outcome::HalfSeen) {
        return None;
    }
    let sure = |outcome: &Outcome| matches!(outcome, Outcome::Established | Outcome::Refused | Outcome::Rejected);
    connection.legs.iter().map(|leg| leg.outcome).find(sure)
}
