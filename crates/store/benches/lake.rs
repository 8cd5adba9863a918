//! From rows to numbers: commit rate, bytes of a stored row, and the time of two common questions over 1 M rows.
//! `cargo bench -p weir-store [-- ROWS]` prints them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use weir_model::{
    AttributedFlow, ConnectionId, Counters, EndReason, Endpoint, EndpointKind, Flow, FlowId, FlowRow, InitiatorBy, Leg,
    Outcome, PerDirection, Protocol, Report, Service, ServiceMethod, ServiceRef, ServiceType, Tap, TapRole, Tcp,
    TcpFlags, TcpState, Timestamp, Tuple,
};
use weir_store::{Lake, LakeOptions, Order, QueryLimits, Rows};

const ENTRY: usize = 500;
const COMMIT: usize = 50_000;
const TOP: &str =
    "select service_name, sum(coalesce(bytes_fwd, 0) + coalesce(bytes_rev, 0)) b from flows where is_primary
    group by 1 order by b desc limit 5";

/// Numbers that look random and are the same in every run (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Below `count`, small ones far more often.
    fn skewed(&mut self, count: u64) -> u64 {
        let (a, b) = (self.next() % count, self.next() % count);
        a.min(b)
    }
}

/// 400 pods of 40 workloads on 10 nodes, 40 Services.
struct Cluster {
    pods: Vec<Arc<Endpoint>>,
    services: Vec<Arc<Service>>,
    taps: Vec<Arc<Tap>>,
}

impl Cluster {
    fn new() -> Self {
        let pods = (0..400_u64).map(|pod| {
            let workload = pod % 40;
            Arc::new(Endpoint {
                kind: EndpointKind::Pod,
                namespace: Some(format!("team-{}", workload % 8).into()),
                name: Some(format!("app-{workload}-7d9f8b6c5d-{pod:05x}").into()),
                workload_kind: Some("Deployment".into()),
                workload: Some(format!("app-{workload}").into()),
                node: Some(format!("node-{}", pod % 10).into()),
                zone: Some(format!("zone-{}", pod % 3).into()),
                labels: vec![format!("app=app-{workload}").into()],
                dns_name: None,
            })
        });
        let services = (0..40_u64).map(|service| {
            let used = ServiceRef {
                namespace: format!("team-{}", service % 8).into(),
                name: format!("app-{service}").into(),
                service_type: ServiceType::ClusterIp,
                port_name: Some("http".into()),
            };
            Arc::new(Service { used: Some(used), method: Some(ServiceMethod::ClusterIp), candidates: Vec::new() })
        });
        let tap = |pod| Tap { interface: format!("veth{pod:08x}").into(), role: TapRole::Pod, pod: None, sampling: 1 };
        Self {
            pods: pods.collect(),
            services: services.collect(),
            taps: (0..400).map(|pod| Arc::new(tap(pod))).collect(),
        }
    }

    /// Connections of two legs each, one row a leg, in order of packet time.
    fn row(&self, number: u64, numbers: &mut Numbers) -> FlowRow {
        let (connection, leg) = (number / 2, number % 2);
        let mut of_connection = Numbers(connection);
        let (src, dst) = (of_connection.skewed(400) as usize, of_connection.skewed(400) as usize);
        let (id, size, port) = (of_connection.next(), of_connection.skewed(200_000), of_connection.next());
        let time = Timestamp(1_795_377_600_000_000_000 + connection as i64 * 50_000 + leg as i64 * 30_000);
        let last = time.plus_ns((size * 1_000 + numbers.next() % 1_000_000) as i64);
        let tcp = Tcp {
            flags: PerDirection { fwd: TcpFlags(0x1b), rev: TcpFlags(0x1b) },
            state: TcpState::Closed,
            handshake_rtt_us: Some(80 + (numbers.next() % 200) as u32),
            handshake_ack_us: Some(20 + (numbers.next() % 50) as u32),
            retransmits: PerDirection::default(),
            out_of_order: PerDirection::default(),
            zero_window: PerDirection::default(),
            fast_retransmits: PerDirection::default(),
            keep_alives: PerDirection::default(),
            lost_bytes: PerDirection::default(),
            isn: PerDirection::default(),
        };
        let counters = |bytes: u64| Counters { packets: 4 + bytes / 1_400, bytes: 300 + bytes, payload: bytes };
        let flow = Flow {
            id: FlowId::new((src % 10) as u128, number),
            report: Report::End,
            is_first: true,
            tuple: Tuple {
                protocol: Protocol::TCP,
                src_ip: [10, 1, (src / 250) as u8, (src % 250) as u8].into(),
                src_port: 32_768 + (port % 28_000) as u16,
                dst_ip: [10, 1, (dst / 250) as u8, (dst % 250) as u8].into(),
                dst_port: 8_080,
            },
            initiator_by: InitiatorBy::Syn,
            start_ts: time,
            first_ts: time,
            last_ts: last,
            window_start: time.window_start(60_000_000_000),
            counters: PerDirection { fwd: counters(size / 20), rev: counters(size) },
            tcp: Some(tcp),
            outcome: Outcome::Established,
            end_reason: Some(EndReason::Fin),
            vlan: Vec::new(),
            tunnel: Vec::new(),
            icmp: Vec::new(),
            icmp_id: None,
            tracked: None,
        };
        let pick = |list: &[Arc<Endpoint>], at: usize| Arc::clone(&list[at]);
        let mut row = FlowRow::alone(AttributedFlow {
            flow,
            tap: Arc::clone(&self.taps[if leg == 0 { src } else { dst }]),
            leg: Some(if leg == 0 { Leg::Client } else { Leg::Server }),
            src: pick(&self.pods, src),
            dst: pick(&self.pods, dst),
            service: Some(Arc::clone(&self.services[dst % 40])),
        });
        row.cluster = Some("prod".into());
        row.node.clone_from(&self.pods[if leg == 0 { src } else { dst }].node);
        row.connection = Some(ConnectionId::new(id));
        row.is_primary = Some(leg == 0);
        row
    }
}

fn main() {
    let rows = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(1_000_000_usize);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads");
    runtime.block_on(measure(rows));
}

async fn measure(rows: usize) {
    let dir = tempfile::tempdir().expect("a folder");
    let options = LakeOptions { max_age: None, ..LakeOptions::default() };
    let lake = Lake::open(dir.path(), options).await.expect("opens");
    let (cluster, mut numbers) = (Cluster::new(), Numbers(7));
    let (mut putting, mut committing, mut position) = (Duration::ZERO, Duration::ZERO, 0);
    let all: Vec<u64> = (0..rows as u64).collect();
    for chunk in all.chunks(ENTRY) {
        let flows = chunk.iter().map(|number| cluster.row(*number, &mut numbers)).collect();
        let entry = Rows { flows, ..Rows::default() };
        position += 1;
        let began = Instant::now();
        lake.put(position, &entry);
        putting += began.elapsed();
        if lake.tail_rows() >= COMMIT {
            committing += commit(&lake, position).await;
        }
    }
    committing += commit(&lake, position).await;
    let rate = |time: Duration| rows as f64 / time.as_secs_f64();
    println!("put     {:>12.0} rows/s", rate(putting));
    println!("commit  {:>12.0} rows/s (commits of {COMMIT} rows)", rate(committing));
    println!("both    {:>12.0} rows/s", rate(putting + committing));
    report(&lake, "committed").await;
    let began = Instant::now();
    let done = lake.maintain(Timestamp(1_795_400_000_000_000_000)).await.expect("maintains");
    println!("compact {:>12.0} rows/s ({} files to {})", rate(began.elapsed()), done.compacted_files, done.new_files);
    report(&lake, "compacted").await;
}

async fn commit(lake: &Lake, position: u64) -> Duration {
    let began = Instant::now();
    lake.commit(position).await.expect("commits");
    began.elapsed()
}

async fn report(lake: &Lake, state: &str) {
    let size = lake.size().expect("lists");
    println!("{state}: {} files, {:.1} bytes/row", size.files(), size.bytes() as f64 / size.rows().max(1) as f64);
    for round in ["first", "again"] {
        let began = Instant::now();
        let (_, mut batches) = lake.query(TOP, QueryLimits::default()).await.expect("plans");
        let first = batches.next().await.expect("an answer").expect("runs");
        let time = began.elapsed();
        batches.try_collect::<Vec<_>>().await.expect("runs");
        println!("{state}: top 5 services, {round}: {time:.1?} ({} rows)", first.num_rows());
        let began = Instant::now();
        let last = lake.flows(None, Order::Last(20), QueryLimits::default()).await.expect("answers");
        println!("{state}: last {}, {round}: {:.1?}", last.len(), began.elapsed());
    }
}
