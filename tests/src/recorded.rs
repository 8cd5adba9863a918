//! The two-node recording replayed through the real programs, and its rows as the collector answers them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use serde::Deserialize;

use crate::examples;
use crate::programs::{Collector, Program, Source, sql};
use crate::truth::Event;

/// One row of `flows`, as far as tests look at it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(default)]
pub struct Row {
    /// The tap's node.
    pub node: String,
    /// The tap.
    pub interface: String,
    /// The connection.
    pub connection_id: i64,
    /// client, server, transit.
    pub leg: Option<String>,
    /// Whether it stands for its connection.
    pub is_primary: Option<bool>,
    /// `tcp`, ...
    pub protocol: String,
    /// As the tap saw it.
    pub src_ip: IpAddr,
    /// As the tap saw it.
    pub src_port: Option<u16>,
    /// As the tap saw it.
    pub dst_ip: IpAddr,
    /// As the tap saw it.
    pub dst_port: Option<u16>,
    /// IP bytes of both directions.
    pub bytes: i64,
    /// Payload bytes of both directions.
    pub payload: i64,
    /// Packets of both directions.
    pub packets: i64,
    /// What the opener is.
    pub src_kind: String,
    /// `namespace/name` of the opener.
    pub src: Option<String>,
    /// What the other side is.
    pub dst_kind: String,
    /// `namespace/name` of the other side.
    pub dst: Option<String>,
    /// Before SNAT.
    pub client_ip: Option<IpAddr>,
    /// After DNAT.
    pub backend_ip: Option<IpAddr>,
    /// none, dst, src, both.
    pub nat: Option<String>,
    /// `namespace/name` of the Service that was used.
    pub service: Option<String>,
    /// What came of it.
    pub outcome: String,
    /// What the policies said.
    pub verdict: Option<String>,
    /// How that is known.
    pub evidence: Option<String>,
    /// Whether it is what happened.
    pub audit: Option<String>,
    /// Why it failed.
    pub cause: Option<String>,
    /// Whether the opener's node had an entry for it.
    pub tracked: Option<bool>,
    /// What the policies of the opener said.
    pub egress_verdict: Option<String>,
    /// Those policies.
    pub egress_policies: Vec<String>,
    /// What the policies of the other side said.
    pub ingress_verdict: Option<String>,
    /// Those policies.
    pub ingress_policies: Vec<String>,
}

impl Default for Row {
    fn default() -> Self {
        let nowhere = IpAddr::from([0, 0, 0, 0]);
        Self {
            node: String::new(),
            interface: String::new(),
            connection_id: 0,
            leg: None,
            is_primary: None,
            protocol: String::new(),
            src_ip: nowhere,
            src_port: None,
            dst_ip: nowhere,
            dst_port: None,
            bytes: 0,
            payload: 0,
            packets: 0,
            src_kind: String::new(),
            src: None,
            dst_kind: String::new(),
            dst: None,
            client_ip: None,
            backend_ip: None,
            nat: None,
            service: None,
            outcome: String::new(),
            verdict: None,
            evidence: None,
            audit: None,
            cause: None,
            tracked: None,
            egress_verdict: None,
            egress_policies: Vec::new(),
            ingress_verdict: None,
            ingress_policies: Vec::new(),
        }
    }
}

impl Row {
    /// Whether its addresses are those that the event's client dialled from and to.
    pub fn is_of(&self, event: &Event) -> bool {
        (self.src_ip, self.src_port) == (event.client.ip, Some(event.client.port))
            && (self.dst_ip, self.dst_port) == (event.dst.ip, Some(event.dst.port))
    }

    /// The policies behind a denial, of both directions.
    pub fn denied_by(&self) -> Vec<&str> {
        let sides = [(&self.egress_verdict, &self.egress_policies), (&self.ingress_verdict, &self.ingress_policies)];
        let denying = sides.into_iter().filter(|(verdict, _)| verdict.as_deref() == Some("denied"));
        denying.flat_map(|(_, policies)| policies).map(String::as_str).collect()
    }
}

const ROWS: &str = "select node, interface, connection_id, leg, is_primary, protocol, src_ip, src_port, dst_ip, dst_port, \
    bytes_fwd + bytes_rev bytes, payload_fwd + payload_rev payload, packets_fwd + packets_rev packets, src_kind, \
    src_namespace || '/' || src_name src, dst_kind, dst_namespace || '/' || dst_name dst, client_ip, backend_ip, nat, \
    service_namespace || '/' || service_name service, outcome, verdict, evidence, audit, cause, tracked, \
    egress_verdict, egress_policies, ingress_verdict, ingress_policies \
    from flows order by start_ts, node, interface, flow_id, first_ts";

/// Every row that the collector has.
pub fn rows(collector: &Collector) -> Vec<Row> {
    rows_of(Source::Server(collector.url()))
}

/// Every row that there is.
pub fn rows_of(source: Source<'_>) -> Vec<Row> {
    let rows = sql(source, ROWS);
    let read = |row| serde_json::from_value(row).unwrap_or_else(|error| panic!("no row: {error}"));
    rows.into_iter().map(read).collect()
}

/// A collector that knows the recorded cluster.
pub fn collector(mode: &str, data: &Path, flags: &[&str]) -> Collector {
    collector_of(&examples::lab_capture().join(mode), data, flags)
}

/// A collector that knows the cluster of a recording anywhere.
pub fn collector_of(recording: &Path, data: &Path, flags: &[&str]) -> Collector {
    let cluster = cluster(recording);
    let mut all = vec!["--cluster", &cluster];
    all.extend(flags);
    Collector::start(data, &all)
}

/// Starts an agent that replays what was recorded on one node. It ends by itself.
pub fn agent(mode: &str, node: &'static str, collector: &str, flags: &[&str]) -> Program {
    agent_of(&examples::lab_capture().join(mode), node, collector, flags)
}

/// The same of a recording anywhere.
pub fn agent_of(recording: &Path, node: &'static str, collector: &str, flags: &[&str]) -> Program {
    let folder = recording.display();
    let (pods, uplink) =
        (format!("file:{folder}/*/{node}.veth-*.pcap"), format!("file:{folder}/*/{node}.eth0.pcap,role=uplink"));
    let cluster = cluster(recording);
    let mut args = vec!["--node-name", node, "--tap", &pods, "--tap", &uplink, "--cluster", &cluster];
    args.extend(["--collector", collector]);
    args.extend(flags);
    Program::start("weir-agent", &args)
}

fn cluster(recording: &Path) -> String {
    format!("manifests:{}", recording.join("manifests").display())
}

/// The one primary row of each connection that has one; panics where a connection has two.
pub fn primaries(rows: &[Row]) -> BTreeMap<i64, &Row> {
    let mut primaries = BTreeMap::new();
    for row in rows.iter().filter(|row| row.is_primary == Some(true)) {
        if let Some(other) = primaries.insert(row.connection_id, row) {
            let same_leg = other.interface == row.interface && other.src_ip == row.src_ip && other.dst_ip == row.dst_ip;
            assert!(same_leg, "two primary legs: {other:#?} {row:#?}");
        }
    }
    primaries
}
