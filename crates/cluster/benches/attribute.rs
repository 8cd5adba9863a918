//! A made-up cluster of 10,000 pods, 2,000 Services and 20,000 endpoints: what a snapshot costs to build and to hold,
//! and what naming one flow costs.
//!
//! `cargo bench -p weir-cluster`; divan prints times for each call and what each call allocates (none on a hit).

use std::fmt::Write as _;
use std::hint::black_box;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use divan::{AllocProfiler, Bencher};
use weir_cluster::objects::Objects;
use weir_cluster::{Snapshot, SnapshotOptions, attribute, manifests};
use weir_model::{
    AttributedFlow, Counters, Endpoint, Flow, FlowId, InitiatorBy, Outcome, PerDirection, PodRef, Protocol, Report,
    Tap, TapRole, Timestamp, Tuple,
};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

const NODES: u32 = 200;
const PODS: u32 = 10_000;
const SERVICES: u32 = 2_000;
const ENDPOINTS_PER_SERVICE: u32 = 10;
/// Different flows.
const FLOWS: u32 = 4_096;

static OBJECTS: LazyLock<Objects> = LazyLock::new(objects);
static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| Snapshot::build(&OBJECTS, &SnapshotOptions::default()));

fn main() {
    println!("{} objects, {} pods, {} Services", OBJECTS.len(), OBJECTS.pods().count(), OBJECTS.services().count());
    divan::main();
}

fn pod_ip(pod: u32) -> IpAddr {
    let (node, slot) = (pod % NODES, pod / NODES);
    Ipv4Addr::new(10, 1, node as u8, 2 + slot as u8).into()
}

fn node_ip(node: u32) -> IpAddr {
    Ipv4Addr::new(172, 16, 0, 1 + node as u8).into()
}

fn cluster_ip(service: u32) -> IpAddr {
    Ipv4Addr::new(10, 96, (service >> 8) as u8, service as u8).into()
}

fn backend(service: u32, index: u32) -> u32 {
    (service * ENDPOINTS_PER_SERVICE + index) % PODS
}

/// Numbers that look random and are the same on every run.
fn mix(seed: u32) -> u32 {
    let x = (seed ^ 0x9e37_79b9).wrapping_mul(0x85eb_ca6b);
    (x ^ (x >> 13)).wrapping_mul(0xc2b2_ae35) ^ (x >> 7)
}

fn objects() -> Objects {
    let mut text = String::new();
    for node in 0..NODES {
        write!(
            text,
            r#"{{"apiVersion":"v1","kind":"Node","metadata":{{"name":"node-{node}","labels":{{"topology.kubernetes.io/zone":"zone-{}"}}}},"spec":{{"podCIDR":"10.1.{node}.0/24"}},"status":{{"addresses":[{{"type":"InternalIP","address":"{}"}}]}}}}"#,
            node % 3,
            node_ip(node)
        )
        .expect("into text");
    }
    for pod in 0..PODS {
        let app = pod / ENDPOINTS_PER_SERVICE;
        write!(
            text,
            r#"{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"app-{app}-7d4b9c6f5d-{pod:05}","namespace":"team-{}","labels":{{"app":"app-{app}","pod-template-hash":"7d4b9c6f5d"}},"ownerReferences":[{{"kind":"ReplicaSet","name":"app-{app}-7d4b9c6f5d","controller":true}}]}},"spec":{{"nodeName":"node-{}"}},"status":{{"phase":"Running","podIP":"{}","startTime":"2026-01-05T08:00:00Z"}}}}"#,
            app % 50,
            pod % NODES,
            pod_ip(pod)
        )
        .expect("into text");
    }
    for service in 0..SERVICES {
        let namespace = (service % (PODS / ENDPOINTS_PER_SERVICE)) % 50;
        let (kind, node_port) = match service % 10 {
            0 => ("NodePort", format!(r#","nodePort":{}"#, 30_000 + service)),
            _ => ("ClusterIP", String::new()),
        };
        write!(
            text,
            r#"{{"apiVersion":"v1","kind":"Service","metadata":{{"name":"svc-{service}","namespace":"team-{namespace}"}},"spec":{{"type":"{kind}","clusterIP":"{}","ports":[{{"name":"http","port":80{node_port}}}]}}}}"#,
            cluster_ip(service)
        )
        .expect("into text");
        let endpoints: Vec<String> = (0..ENDPOINTS_PER_SERVICE)
            .map(|index| format!(r#"{{"addresses":["{}"]}}"#, pod_ip(backend(service, index))))
            .collect();
        write!(
            text,
            r#"{{"apiVersion":"discovery.k8s.io/v1","kind":"EndpointSlice","addressType":"IPv4","metadata":{{"name":"svc-{service}-1","namespace":"team-{namespace}","labels":{{"kubernetes.io/service-name":"svc-{service}"}}}},"ports":[{{"name":"http","port":8080}}],"endpoints":[{}]}}"#,
            endpoints.join(",")
        )
        .expect("into text");
    }
    manifests::parse(&text, "made-up.json").unwrap_or_else(|error| panic!("{error}")).objects
}

#[derive(Clone, Copy, Debug)]
enum Dialled {
    Pod,
    ClusterIp,
    NodePort,
    External,
}

fn flow(seed: u32, dialled: Dialled) -> Flow {
    let number = mix(seed);
    let (dst_ip, dst_port) = match dialled {
        Dialled::Pod => (pod_ip(number % PODS), 8080),
        Dialled::ClusterIp => (cluster_ip(number % SERVICES), 80),
        Dialled::NodePort => (node_ip(number % NODES), 30_000 + (number % (SERVICES / 10)) as u16 * 10),
        Dialled::External => (Ipv4Addr::from(0x0808_0000 | (number & 0xffff)).into(), 443),
    };
    let src_ip = pod_ip(mix(number) % PODS);
    let time = Timestamp(0);
    Flow {
        id: FlowId(u64::from(seed)),
        report: Report::Window,
        is_first: true,
        tuple: Tuple { protocol: Protocol::TCP, src_ip, src_port: 40_000, dst_ip, dst_port },
        initiator_by: InitiatorBy::Syn,
        start_ts: time,
        first_ts: time,
        last_ts: time,
        window_start: time,
        counters: PerDirection { fwd: Counters::default(), rev: Counters::default() },
        tcp: None,
        outcome: Outcome::Established,
        end_reason: None,
        vlan: Vec::new(),
        tunnel: Vec::new(),
        icmp: Vec::new(),
    }
}

/// The tap of a flow's source, so that every flow is on its client leg.
fn tap(flow: &Flow) -> Arc<Tap> {
    let pod: Option<PodRef> = SNAPSHOT.pod(flow.tuple.src_ip).map(|entry| entry.pod.clone());
    Arc::new(Tap { interface: Arc::from("veth1"), role: TapRole::Pod, pod, sampling: 1 })
}

/// One flow: a copy of it made, attributed and dropped. Flows are spread over the whole cluster, so look-ups miss the
/// nearer caches.
#[divan::bench(sample_size = 16_384, args = [Dialled::Pod, Dialled::ClusterIp, Dialled::NodePort, Dialled::External])]
fn one_flow(bencher: Bencher<'_, '_>, dialled: Dialled) {
    let flows = flows(dialled);
    let mut next = flows.iter().cycle();
    bencher.bench_local(|| {
        if let Some((tap, flow)) = next.next() {
            drop(black_box(attribute(&SNAPSHOT, black_box(tap), flow.clone())));
        }
    });
}

/// What of that is not attribution: the copy and the shell of the answer.
#[divan::bench(sample_size = 16_384)]
fn one_flow_unattributed(bencher: Bencher<'_, '_>) {
    let flows = flows(Dialled::Pod);
    let unknown = Arc::new(Endpoint::default());
    let mut next = flows.iter().cycle();
    bencher.bench_local(|| {
        if let Some((tap, flow)) = next.next() {
            let (src, dst) = (Arc::clone(&unknown), Arc::clone(&unknown));
            let flow = flow.clone();
            drop(black_box(AttributedFlow {
                flow,
                tap: Arc::clone(black_box(tap)),
                leg: None,
                src,
                dst,
                service: None,
            }));
        }
    });
}

fn flows(dialled: Dialled) -> Vec<(Arc<Tap>, Flow)> {
    (0..FLOWS).map(|seed| flow(seed, dialled)).map(|flow| (tap(&flow), flow)).collect()
}

/// The whole index; what it allocates at most is what it takes to hold and build.
#[divan::bench(sample_count = 20)]
fn build_snapshot() -> Snapshot {
    Snapshot::build(&OBJECTS, &SnapshotOptions::default())
}
