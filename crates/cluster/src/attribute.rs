//! What one tap can say of a flow: its leg, both endpoints and the Service.
//!
//! A flow's report and a snapshot come in, the same report with names comes out. It never turns a flow round, undoes no
//! NAT and evaluates no policy: what only another leg shows is left to the joining of legs.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use weir_model::{AttributedFlow, Endpoint, EndpointKind, Flow, Leg, PodRef, Service, ServiceMethod, Tap, TapRole};

use crate::join::Names as _;
use crate::snapshot::Target;
use crate::{Sighting, Snapshot, Translations};

/// Where the DNS cache of a node listens on every node, unless it was told otherwise.
const NODE_LOCAL_DNS: IpAddr = IpAddr::V4(Ipv4Addr::new(169, 254, 20, 10));

/// Says what one tap can know of a flow.
///
/// - Leg: at a pod's tap `client` where that pod is the source (also where it is both), `server` where it is the
///   destination, else `transit`; at an uplink `transit`; `None` where the tap's pod is not known.
/// - Endpoints: see [`Snapshot`]; of two pods that may have had an address it is the tap's; 169.254.20.10 is the node's
///   own DNS cache, `node-local-dns` on the node of the tap's pod. A destination may be a Service at a node port, a source never is.
/// - Service: by its own address and port; else by EndpointSlices, as [`weir_model::ServiceMethod::EndpointSlice`]
///   where there is one, as candidates where there are several, and only as candidates on the client leg, which shows
///   that the opener dialled the endpoint itself.
pub fn attribute(snapshot: &Snapshot, tap: &Arc<Tap>, flow: Flow) -> AttributedFlow {
    let tuple = flow.tuple;
    let target = snapshot.target(tuple.dst_ip, tuple.dst_port, tuple.protocol);
    let src = snapshot.opener(tuple.src_ip, tuple.src_port, tuple.protocol);
    let src = seen_at(snapshot, tap, tuple.src_ip, src);
    let dst = seen_at(snapshot, tap, tuple.dst_ip, Arc::clone(&target.endpoint));
    let leg = leg(snapshot, tap, &src, &dst);
    let service = service(&target, leg).map(Arc::clone);
    AttributedFlow { flow, tap: Arc::clone(tap), leg, src, dst, service }
}

/// Names the Service that was dialled, where the tap did not see its address but the node's connection tracking tells it.
pub fn name_dialled(snapshot: &Snapshot, seen: &mut AttributedFlow, node: &Arc<str>, translations: &Translations) {
    if seen.service.as_ref().and_then(|service| service.method).is_some_and(ServiceMethod::is_seen) {
        return;
    }
    let Some(way) = translations.way(&Sighting::of(&seen.flow, Some(node))) else { return };
    let told = way.tuples().find_map(|tuple| snapshot.dialled(&tuple, snapshot.at()));
    if told.is_some() {
        seen.service = told;
    }
}

/// Where there is no telling which of some pods has an address, and the tap is at one of them, it is that one: nobody
/// else's packets pass there under it.
fn seen_at(snapshot: &Snapshot, tap: &Tap, ip: IpAddr, endpoint: Arc<Endpoint>) -> Arc<Endpoint> {
    if ip.to_canonical() == NODE_LOCAL_DNS && endpoint.kind == EndpointKind::Unknown {
        return node_local_dns(snapshot, tap);
    }
    let Some(pod) = tap.pod.as_ref().filter(|_| endpoint.kind == EndpointKind::Pod && endpoint.name.is_none()) else {
        return endpoint;
    };
    let here = snapshot.pods_at(ip).into_iter().find(|entry| entry.pod == *pod);
    here.map_or(endpoint, |entry| Arc::clone(&entry.endpoint))
}

/// The cache on the node of the tap's pod: such an address never leaves the node.
fn node_local_dns(snapshot: &Snapshot, tap: &Tap) -> Arc<Endpoint> {
    let pod = tap.pod.as_ref().and_then(|pod| snapshot.pod_named(pod));
    Arc::new(Endpoint {
        kind: EndpointKind::Node,
        name: Some(Arc::from("node-local-dns")),
        node: pod.and_then(|pod| pod.node().cloned()),
        zone: pod.and_then(|pod| pod.endpoint.zone.clone()),
        ..Endpoint::default()
    })
}

fn leg(snapshot: &Snapshot, tap: &Tap, src: &Endpoint, dst: &Endpoint) -> Option<Leg> {
    match (tap.role, &tap.pod) {
        (TapRole::Uplink, _) => Some(Leg::Transit),
        (TapRole::Other, _) | (TapRole::Pod, None) => None,
        (TapRole::Pod, Some(pod)) if is_pod(src, pod) => Some(Leg::Client),
        (TapRole::Pod, Some(pod)) if is_pod(dst, pod) => Some(Leg::Server),
        (TapRole::Pod, Some(pod)) => snapshot.pod_named(pod).map(|_| Leg::Transit),
    }
}

fn is_pod(endpoint: &Endpoint, pod: &PodRef) -> bool {
    endpoint.kind == EndpointKind::Pod
        && endpoint.name.as_ref() == Some(&pod.name)
        && endpoint.namespace.as_ref() == Some(&pod.namespace)
}

fn service<'a>(target: &Target<'a>, leg: Option<Leg>) -> Option<&'a Arc<Service>> {
    match (target.claim, target.naming) {
        (Some(claim), _) => Some(&claim.known),
        (None, Some(naming)) if leg == Some(Leg::Client) => Some(&naming.dialled),
        (None, naming) => naming.map(|naming| &naming.inferred),
    }
}
