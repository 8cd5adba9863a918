//! A made-up cluster of 10,000 pods, 2,000 Services and 20,000 endpoints: what an index costs to build, to
//! hold and to change, and what naming one flow costs; the first three also for 150,000 pods.
//!
//! `cargo bench -p weir-cluster`; divan prints times for each call and what each call allocates (none on a hit).

#[path = "made_up/cluster.rs"]
mod cluster;

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};

use divan::{AllocProfiler, Bencher};
use weir_cluster::objects::{Object, ObjectKey, ObjectKind};
use weir_cluster::{History, Snapshot, SnapshotOptions, attribute};
use weir_model::{
    AttributedFlow, Counters, Endpoint, Flow, FlowId, InitiatorBy, Outcome, PerDirection, PodRef, Protocol, Report,
    Tap, TapRole, Timestamp, Tuple,
};

use cluster::{MadeUp, cluster_ip, mix, node_ip, read};

#[global_allocator]
static ALLOC: AllocProfiler = AllocProfiler::system();

/// 10,000 pods, 2,000 Services, 20,000 endpoints.
const USUAL: MadeUp = MadeUp { pods: 10_000 };
const LARGE: MadeUp = MadeUp { pods: 150_000 };
/// Different flows.
const FLOWS: u32 = 4_096;

static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| history(USUAL).latest());

fn main() {
    divan::main();
}

fn objects(size: MadeUp) -> Vec<Object> {
    size.texts().iter().map(|(kind, text)| read(*kind, text)).collect()
}

fn history(size: MadeUp) -> History {
    listed(size.texts().iter().map(|(kind, text)| read(*kind, text)))
}

/// As an agent learns of a cluster: everything is listed, then it is whole.
fn listed<O: std::borrow::Borrow<Object>>(objects: impl IntoIterator<Item = O>) -> History {
    let mut history = History::new(SnapshotOptions { partial: true, ..SnapshotOptions::default() });
    for object in objects {
        history.apply(object.borrow(), SEEN);
    }
    for kind in [ObjectKind::Node, ObjectKind::Pod, ObjectKind::Service, ObjectKind::EndpointSlice] {
        history.complete(kind);
    }
    history
}

/// 2026-01-06.
const SEEN: Timestamp = Timestamp(1_767_657_600_000_000_000);

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
        Dialled::Pod => (USUAL.pod_ip(number % USUAL.pods), 8080),
        Dialled::ClusterIp => (cluster_ip(number % USUAL.services()), 80),
        Dialled::NodePort => (node_ip(number % USUAL.nodes()), 30_000 + (number % (USUAL.services() / 10)) as u16 * 10),
        Dialled::External => (Ipv4Addr::from(0x0808_0000 | (number & 0xffff)).into(), 443),
    };
    let src_ip = USUAL.pod_ip(mix(number) % USUAL.pods);
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
        icmp_id: None,
        tracked: None,
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

/// The whole index out of objects that are there.
#[divan::bench(sample_count = 10, sample_size = 1, args = [USUAL, LARGE])]
fn build(bencher: Bencher<'_, '_>, size: MadeUp) {
    let objects = objects(size);
    bencher.bench_local(|| listed(&objects));
}

/// The same as a list brings it: each object is read, taken in and dropped. What this allocates at most is what the
/// index holds.
#[divan::bench(sample_count = 5, sample_size = 1, args = [USUAL, LARGE])]
fn read_and_build(bencher: Bencher<'_, '_>, size: MadeUp) {
    let texts = size.texts();
    bencher.bench_local(|| listed(texts.iter().map(|(kind, text)| read(*kind, text))));
}

/// A pod is gone and another one has its address: two changes, and a snapshot after each that is still held at the next.
#[divan::bench(sample_count = 50, sample_size = 20, args = [USUAL, LARGE])]
fn pod_replaced(bencher: Bencher<'_, '_>, size: MadeUp) {
    let mut history = history(size);
    let mut turn = 0;
    let mut held = history.latest();
    let pods: Vec<[(Object, ObjectKey); 2]> = (0..1_000)
        .map(|pod| {
            [0, 1].map(|generation| {
                let object = read(ObjectKind::Pod, &size.pod_text(pod * (size.pods / 1_000), generation));
                let key = object.key();
                (object, key)
            })
        })
        .collect();
    bencher.bench_local(|| {
        turn += 1;
        let seen = SEEN.plus_ns(i64::from(turn) * 1_000_000_000);
        let pair = &pods[mix(turn) as usize % pods.len()];
        history.remove(&pair[turn as usize % 2].1, seen);
        held = history.latest();
        history.apply(&pair[(turn as usize + 1) % 2].0, seen);
        held = history.latest();
        held.at()
    });
}
