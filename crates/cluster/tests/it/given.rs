//! Clusters written as YAML, flows written as tuples.

use std::sync::Arc;

use weir_cluster::manifests;
use weir_cluster::objects::Objects;
use weir_cluster::{Snapshot, SnapshotOptions};
use weir_model::{
    Counters, Endpoint, Flow, FlowId, InitiatorBy, Outcome, PerDirection, PodRef, Protocol, Report, ServiceRef, Tap,
    TapRole, Timestamp, Tuple,
};

pub(crate) fn objects(yaml: &str) -> Objects {
    manifests::parse(yaml, "given.yaml").unwrap_or_else(|error| panic!("{error}")).objects
}

pub(crate) fn snapshot(yaml: &str) -> Snapshot {
    Snapshot::build(&objects(yaml), &SnapshotOptions::default())
}

pub(crate) fn partial(yaml: &str) -> Snapshot {
    Snapshot::build(&objects(yaml), &SnapshotOptions { partial: true, ..SnapshotOptions::default() })
}

/// A pod of namespace `shop`, started at the given minute of an hour.
pub(crate) fn pod(name: &str, ip: &str, node: &str, minute: u8) -> String {
    format!(
        "---\napiVersion: v1\nkind: Pod\nmetadata: {{name: {name}, namespace: shop, labels: {{app: {name}}}}}\n\
         spec: {{nodeName: {node}}}\n\
         status: {{phase: Running, podIP: '{ip}', startTime: '2026-01-05T08:{minute:02}:00Z'}}\n"
    )
}

pub(crate) fn node(name: &str, ip: &str, cidr: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Node\nmetadata: {{name: {name}, labels: {{topology.kubernetes.io/zone: z-{name}}}}}\n\
         spec: {{podCIDR: '{cidr}'}}\nstatus: {{addresses: [{{type: InternalIP, address: '{ip}'}}]}}\n"
    )
}

/// A Service of namespace `shop` with the given specification.
pub(crate) fn service(name: &str, spec: &str) -> String {
    format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: shop}}\nspec: {{{spec}}}\n")
}

/// An IPv4 slice of a Service of namespace `shop`: ports and endpoints as YAML flow sequences.
pub(crate) fn slice(name: &str, service: &str, ports: &str, endpoints: &str) -> String {
    format!(
        "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n\
         metadata: {{name: {name}, namespace: shop, labels: {{kubernetes.io/service-name: {service}}}}}\n\
         ports: {ports}\nendpoints: {endpoints}\n"
    )
}

pub(crate) fn endpoint(snapshot: &Snapshot, ip: &str, port: u16) -> Arc<Endpoint> {
    snapshot.endpoint(ip.parse().expect("an address"), port, Protocol::TCP)
}

/// `kind namespace/name` of an endpoint, `-` for what it lacks.
pub(crate) fn said(endpoint: &Endpoint) -> String {
    let text = |field: &Option<Arc<str>>| field.as_deref().unwrap_or("-").to_owned();
    format!("{} {}/{}", endpoint.kind.name(), text(&endpoint.namespace), text(&endpoint.name))
}

/// `namespace/name:port` of a Service.
pub(crate) fn port_of(service: &ServiceRef) -> String {
    format!("{}/{}:{}", service.namespace, service.name, service.port_name.as_deref().unwrap_or("-"))
}

pub(crate) fn tap(role: TapRole, pod: Option<&str>) -> Arc<Tap> {
    let pod = pod.and_then(|pod| pod.split_once('/'));
    let pod = pod.map(|(namespace, name)| PodRef { namespace: namespace.into(), name: name.into() });
    Arc::new(Tap { interface: "veth1".into(), role, pod, sampling: 1 })
}

/// The first report of a flow.
pub(crate) fn flow(src: (&str, u16), dst: (&str, u16), protocol: Protocol) -> Flow {
    let time = Timestamp(0);
    Flow {
        id: FlowId(1),
        report: Report::Window,
        is_first: true,
        tuple: Tuple {
            protocol,
            src_ip: src.0.parse().expect("an address"),
            src_port: src.1,
            dst_ip: dst.0.parse().expect("an address"),
            dst_port: dst.1,
        },
        initiator_by: InitiatorBy::Syn,
        start_ts: time,
        first_ts: time,
        last_ts: time,
        window_start: time,
        counters: PerDirection { fwd: Counters { packets: 1, bytes: 60, payload: 0 }, rev: Counters::default() },
        tcp: None,
        outcome: Outcome::Unanswered,
        end_reason: None,
        vlan: Vec::new(),
        tunnel: Vec::new(),
        icmp: Vec::new(),
        icmp_id: None,
        tracked: None,
    }
}
