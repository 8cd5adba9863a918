//! Who is on either side of a connection, by its legs and by what nodes tell of its NAT.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Endpoint, EndpointKind, Leg, Tuple};

use super::Names;
use super::connection::{Connection, LegSeen};

/// One side of a connection: who, and the tuple that shows it.
pub(super) type Side = (Arc<Endpoint>, Tuple);

/// An address and a port.
pub(super) type Socket = (IpAddr, u16);

pub(super) const fn source(tuple: &Tuple) -> Socket {
    (tuple.src_ip, tuple.src_port)
}

pub(super) const fn destination(tuple: &Tuple) -> Socket {
    (tuple.dst_ip, tuple.dst_port)
}

/// The opener as it is: at its own veth, as conntrack has it, or at a leg that shows it as a pod or an outside address.
pub(super) fn opener(connection: &Connection, names: &dyn Names) -> Option<Side> {
    let shown = || opener_leg(connection).map(opener_of);
    connection.leg(Leg::Client).map(opener_of).or_else(|| told_opener(connection, names)).or_else(shown)
}

/// The leg that shows the opener as it is: its own veth, else a leg that shows it as a pod or an outside address.
pub(super) fn opener_leg(connection: &Connection) -> Option<&LegSeen> {
    connection
        .leg(Leg::Client)
        .or_else(|| connection.best(|leg| leg.src.kind == EndpointKind::Pod))
        .or_else(|| connection.best(|leg| leg.src.kind == EndpointKind::External))
}

/// The other side as it is: at its own veth, as conntrack has it, or at a leg that shows it as a pod.
pub(super) fn backend(connection: &Connection, names: &dyn Names) -> Option<Side> {
    let shown = || connection.best(|leg| leg.dst.kind == EndpointKind::Pod).map(backend_of);
    connection.leg(Leg::Server).map(backend_of).or_else(|| told_backend(connection, names)).or_else(shown)
}

/// The opener behind SNAT, as conntrack has it.
fn told_opener(connection: &Connection, names: &dyn Names) -> Option<Side> {
    let way = connection.way.as_ref().filter(|way| source(&way.first()) != source(&way.last()))?;
    let endpoint = names.opener(&way.first(), connection.first_ts);
    matches!(endpoint.kind, EndpointKind::Pod | EndpointKind::External).then(|| (endpoint, way.first()))
}

/// The backend behind DNAT, as conntrack has it.
pub(super) fn told_backend(connection: &Connection, names: &dyn Names) -> Option<Side> {
    let way = connection.way.as_ref().filter(|way| destination(&way.first()) != destination(&way.last()))?;
    let endpoint = names.reached(&way.last(), connection.first_ts);
    let is_somebody = !matches!(endpoint.kind, EndpointKind::Service | EndpointKind::Unknown);
    is_somebody.then(|| (endpoint, way.last()))
}

fn opener_of(leg: &LegSeen) -> Side {
    (Arc::clone(&leg.src), leg.key.tuple)
}

fn backend_of(leg: &LegSeen) -> Side {
    (Arc::clone(&leg.dst), leg.key.tuple)
}
