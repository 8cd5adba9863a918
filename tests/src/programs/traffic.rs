//! Batches that say of themselves which they are: the same node, run and number give the same batch again.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{
    AttributedFlow, AttributedRequest, Batch, Counters, Coverage, EndReason, Endpoint, EndpointKind, Exchange, Flow,
    FlowId, Http, InitiatorBy, Leg, Loss, LossStage, Outcome, PerDirection, PodRef, Protocol, Report, Request, RunId,
    Service, ServiceMethod, ServiceRef, ServiceType, Tap, TapRole, Tcp, TcpFlags, TcpState, Timestamp, Tuple,
};

/// Where packet time begins, 2026-01-01T10:00:00Z: an hour that is over, so that its files are compacted.
pub const BEGIN: Timestamp = Timestamp::from_parts(1_767_261_600, 0);

/// What one run of one node's agent sends.
#[derive(Clone)]
pub struct Traffic {
    node: Arc<str>,
    run: RunId,
    flows: usize,
    moved_seconds: u64,
    tap: Arc<Tap>,
    src: Arc<Endpoint>,
    shops: Vec<(Arc<Endpoint>, Arc<Service>)>,
}

impl Traffic {
    /// Batches of `flows` flows (below 1000), a request of the first of them, one loss and one span of coverage each.
    pub fn new(node: &str, run: u128, flows: usize) -> Self {
        let pod = PodRef { namespace: "shop".into(), name: "client-0".into() };
        let tap = Tap { interface: "veth0".into(), role: TapRole::Pod, pod: Some(pod), sampling: 1 };
        let shops = ["cart", "stock", "web"].map(|name| (Arc::new(pod_endpoint(name)), Arc::new(service(name))));
        Self {
            node: node.into(),
            run: RunId(run),
            flows,
            moved_seconds: 0,
            tap: Arc::new(tap),
            src: Arc::new(pod_endpoint("client")),
            shops: shops.into(),
        }
    }

    /// From now on, flows begin this much later than they would from the beginning.
    pub const fn move_by(&mut self, seconds: u64) {
        self.moved_seconds = seconds;
    }

    /// The node.
    pub fn node(&self) -> &str {
        &self.node
    }

    /// The run.
    pub const fn run(&self) -> RunId {
        self.run
    }

    /// The batch with this number. Its loss counts `sequence` packets and its coverage begins `sequence` seconds after
    /// the first, so that rows of every table lead back to it.
    pub fn batch(&self, sequence: u64) -> Batch {
        let since = BEGIN.plus_ns(sequence as i64 * 1_000_000_000);
        Batch {
            node: Arc::clone(&self.node),
            run: self.run,
            sequence,
            flows: (0..self.flows as u64).map(|index| self.flow(sequence * 1_000 + index)).collect(),
            requests: (self.flows > 0).then(|| self.request(sequence)).into_iter().collect(),
            coverage: vec![Coverage {
                interface: Some("eth0".into()),
                role: TapRole::Uplink,
                pod: None,
                from_ts: since,
                to_ts: Some(since.plus_ns(1_000_000_000)),
                reason: None,
            }],
            losses: vec![Loss {
                stage: LossStage::Kernel,
                interface: Some("eth0".into()),
                from_ts: BEGIN,
                to_ts: BEGIN,
                packets: Some(sequence),
                bytes: None,
                rows: None,
            }],
            policy_logs: Vec::new(),
            translations: Vec::new(),
            inputs: Vec::new(),
        }
    }

    /// The request in the batch with this number; its id is run and number.
    fn request(&self, sequence: u64) -> AttributedRequest {
        let mut carrier = self.flow(sequence * 1_000);
        carrier.flow.report = Report::Start;
        let exchange = Exchange::Http(Http {
            method: Some("GET".into()),
            path: Some("/".into()),
            status: Some(200),
            request_id: Some(format!("{}/{sequence}", self.run).into()),
            ..Http::default()
        });
        let ts = carrier.flow.first_ts;
        let request = Request { ts, first_byte_us: Some(7), latency_us: Some(9), exchange };
        AttributedRequest { flow: Arc::new(carrier), request }
    }

    /// Flows in a batch.
    pub const fn flows(&self) -> usize {
        self.flows
    }

    /// The id of the flow with this number in the run.
    pub const fn id_of(&self, count: u64) -> u64 {
        FlowId::new(self.run.0, count).0
    }

    /// The batch that a flow's id belongs to.
    pub const fn sequence_of(id: u64) -> u64 {
        (id & ((1 << 40) - 1)) / 1_000
    }

    /// The flow with this number in the run: `sequence * 1000` and up in a batch.
    pub fn flow(&self, count: u64) -> AttributedFlow {
        let first_ts = BEGIN.plus_ns(self.moved_seconds as i64 * 1_000_000_000 + count as i64 * 1_000);
        let (dst, service) = &self.shops[count as usize % self.shops.len()];
        let forward = Counters { packets: 3 + count % 7, bytes: 100 + count % 1_000, payload: count % 900 };
        let back = Counters { packets: 2, bytes: 80 + count % 13, payload: count % 11 };
        // Different in both directions and in every run, so that no two flows are taken for legs of one connection.
        let numbers = mixed(count ^ (self.run.0 as u64).rotate_left(40));
        AttributedFlow {
            flow: Flow {
                id: FlowId::new(self.run.0, count),
                report: Report::End,
                is_first: true,
                tuple: Tuple {
                    protocol: Protocol::TCP,
                    src_ip: IpAddr::from([10, 1, 0, 5]),
                    src_port: 1_024 + (count % 60_000) as u16,
                    dst_ip: IpAddr::from([10, 2, 0, (count % 3) as u8]),
                    dst_port: 8_080,
                },
                initiator_by: InitiatorBy::Syn,
                start_ts: first_ts,
                first_ts,
                last_ts: first_ts.plus_ns(20_000),
                window_start: first_ts.window_start(60_000_000_000),
                counters: PerDirection { fwd: forward, rev: back },
                tcp: Some(Tcp {
                    flags: PerDirection { fwd: TcpFlags(27), rev: TcpFlags(27) },
                    state: TcpState::Closed,
                    handshake_rtt_us: Some(40),
                    handshake_ack_us: Some(9),
                    retransmits: PerDirection::default(),
                    out_of_order: PerDirection::default(),
                    zero_window: PerDirection::default(),
                    fast_retransmits: PerDirection::default(),
                    keep_alives: PerDirection::default(),
                    lost_bytes: PerDirection::default(),
                    isn: PerDirection { fwd: Some(numbers as u32), rev: Some((numbers >> 32) as u32) },
                }),
                outcome: Outcome::Established,
                end_reason: Some(EndReason::Fin),
                vlan: Vec::new(),
                tunnel: Vec::new(),
                icmp: Vec::new(),
                icmp_id: None,
                tracked: None,
            },
            tap: Arc::clone(&self.tap),
            leg: Some(Leg::Client),
            src: Arc::clone(&self.src),
            dst: Arc::clone(dst),
            service: Some(Arc::clone(service)),
        }
    }
}

fn pod_endpoint(name: &str) -> Endpoint {
    Endpoint {
        kind: EndpointKind::Pod,
        namespace: Some("shop".into()),
        name: Some(format!("{name}-0").into()),
        workload_kind: Some("Deployment".into()),
        workload: Some(name.into()),
        ..Endpoint::default()
    }
}

fn service(name: &str) -> Service {
    let used = ServiceRef {
        namespace: "shop".into(),
        name: name.into(),
        service_type: ServiceType::ClusterIp,
        port_name: Some("http".into()),
    };
    Service { used: Some(used), method: Some(ServiceMethod::ClusterIp), candidates: Vec::new() }
}

/// Steele, Lea and Flood's `SplitMix64` finaliser: one number out of another, without collisions.
pub(super) const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
