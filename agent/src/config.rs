//! What the agent is told: flags, environment, file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use weir_cluster::{NamedNetworkError, ResolvedLimits, SnapshotOptions};
use weir_flow::L7Level;
use weir_service::config::{Bytes, Scalar};
use weir_service::telemetry::{LogFormat, LogLevel};
use weir_service::tls::{Dial, DialError, DialFiles};

weir_service::settings! {
    /// Settings of `weir-agent`.
    pub struct AgentSettings {
        /// Name of this node, as the cluster calls it.
        node_name: String,
        /// What to watch, repeated: pods (the host ends of all pods' veths, as they come and go), uplink (the interfaces of default routes), or iface:NAME or file:PATTERN, then ,role=pod|uplink|other and ,pod=NAMESPACE/NAME; found out where left out.
        tap: Vec<String> = "pods",
        /// Where the cluster's objects come from: manifests:DIR (read again when it changes), kube (this pod's API server), kube:KUBECONFIG or kube:KUBECONFIG,context=NAME. Without it every endpoint is unknown.
        cluster: Option<String>,
        /// Captures of the packet filter's log (NFLOG), repeated: file:PATTERN. What policies decided, as the cluster itself enforced it.
        nflog: Vec<String>,
        /// Group of the packet filter's log that is read live, repeated: 1 and 2 are Calico's, 100 is kube-router's. A group has one reader, so none is read unless it is named.
        nflog_group: Vec<u16>,
        /// Put two chains of nftables around everybody's filters that log new connections, to see which this node drops, with any CNI that forwards through netfilter. Needs the program nft; the table weir-observer is removed when the agent stops.
        observe_nft: bool = "false",
        /// Undo NAT with what this node's connection tracking tells: auto (the kernel's for live taps, NODE.conntrack.txt beside them for capture files) or off.
        conntrack: ConntrackUse = "auto",
        /// How often the whole table of the kernel's connection tracking is read, beside what it tells by itself; 0s = at the start only.
        conntrack_dump: Duration = "60s",
        /// Labels of pods that flows carry.
        labels: Vec<String> = "app,app.kubernetes.io/name",
        /// Domain of the cluster's DNS names.
        cluster_domain: String = "cluster.local",
        /// Names of networks outside the cluster, repeated: CIDR=NAME, such as 10.0.0.0/8=corp; the longest that fits counts.
        cidr_name: Vec<String>,
        /// How long a report waits where nobody is known to have an address of its flow, counted from the flow's start: the cluster may be about to tell. Only with an API server; 0s = not at all.
        hold_unknown: Duration = "2s",
        /// Address of the collector, https://HOST:PORT or http://HOST:PORT.
        collector: String = "http://127.0.0.1:4317",
        /// The CA that the collector's certificate must be from; the files for TLS are read at each connect.
        tls_ca: Option<PathBuf>,
        /// This agent's certificate in PEM, made out to weir-agent, or to NODE.weir-agent for one node alone.
        tls_cert: Option<PathBuf>,
        /// The key of that certificate.
        tls_key: Option<PathBuf>,
        /// The name that the collector's certificate must be made out to, in place of the host in the address.
        tls_name: Option<String>,
        /// Speak without TLS beyond this machine: flows can be read and changed on the way.
        plaintext: bool = "false",
        /// Span of packet time that one row of a flow covers; a part of an hour.
        window: Duration = "60s",
        /// Tell tails of flows when they begin, not only when a row is ready.
        report_start: bool = "false",
        /// What is read above the transport layer: off, names (DNS, TLS, first HTTP request of a connection), full (all).
        l7: L7 = "full",
        /// Keep query strings and user info of HTTP requests, which may hold secrets.
        keep_queries: bool = "false",
        /// Most memory for what each tap reads above the transport layer.
        l7_bytes: Bytes = "16MiB",
        /// Most memory for the names that pods resolved; an eighth of it for each pod.
        resolved_bytes: Bytes = "8MiB",
        /// How much longer than a DNS answer says its name counts, since clients keep addresses.
        resolved_grace: Duration = "5m",
        /// UDP ports that carry VXLAN.
        vxlan_ports: Vec<u16> = "4789,8472",
        /// Bytes of each live frame that are looked at; where left out, 256 without l7, else 2048.
        snap_len: Option<Bytes>,
        /// Threads that live taps share.
        capture_threads: u64 = "2",
        /// Memory of the ring buffers of all live taps together.
        ring_bytes: Bytes = "64MiB",
        /// Most flows in the table of each tap.
        max_flows: u64 = "200000",
        /// Most memory for the flow table of each tap.
        max_flow_bytes: Bytes = "64MiB",
        /// Reports that wait between capture and sending.
        queue: u64 = "8192",
        /// Most records in a batch.
        batch_records: u64 = "500",
        /// How long a batch waits for more records.
        batch_age: Duration = "200ms",
        /// Most memory for batches that the collector has not acked.
        unacked_bytes: Bytes = "64MiB",
        /// Folder for batches that the collector has not acked for 2 s; it must outlive the agent's process. Without it they wait in memory alone.
        spool_dir: Option<PathBuf>,
        /// Most bytes in that folder, at least 1MiB; beyond it the oldest batches are dropped and counted, or capture files wait.
        spool_bytes: Bytes = "1GiB",
        /// Most names that a stream holds, 16 to 65536.
        dictionary_cap: u64 = "65536",
        /// Address on which /metrics, /healthz and /readyz are answered; nothing listens without it.
        metrics_listen: Option<SocketAddr>,
        /// How long a stop may take.
        grace: Duration = "10s",
        /// How log lines look.
        log_format: LogFormat = "text",
        /// What is logged: a level, or levels of parts.
        log_level: LogLevel = "info",
    }
}

impl AgentSettings {
    /// What is said of the cluster's objects.
    pub(crate) fn snapshot_options(&self) -> Result<SnapshotOptions, NamedNetworkError> {
        Ok(SnapshotOptions {
            labels: self.labels.clone(),
            domain: self.cluster_domain.trim_matches('.').to_ascii_lowercase(),
            networks: self.cidr_name.iter().map(|text| text.parse()).collect::<Result<_, _>>()?,
            ..SnapshotOptions::default()
        })
    }

    /// The way to the collector.
    pub(crate) fn dial(&self) -> Result<Dial, DialError> {
        let files = DialFiles {
            ca: self.tls_ca.clone(),
            cert: self.tls_cert.clone(),
            key: self.tls_key.clone(),
            name: self.tls_name.clone(),
            plaintext: self.plaintext,
        };
        Dial::new(&self.collector, files)
    }

    /// How old a flow of an unknown address is when it is named, at least. A folder is never behind.
    pub(crate) fn hold(&self) -> Duration {
        let is_told = self.cluster.as_deref().is_some_and(|place| !place.starts_with("manifests:"));
        if is_told { self.hold_unknown } else { Duration::ZERO }
    }

    /// How much is remembered of what pods resolve: of one asker never more than an eighth.
    pub(crate) fn resolved_limits(&self) -> ResolvedLimits {
        let max_bytes = self.resolved_bytes.0 as usize;
        let grace_ns = i64::try_from(self.resolved_grace.as_nanos()).unwrap_or(i64::MAX);
        ResolvedLimits { max_bytes, max_bytes_each: max_bytes / 8, grace_ns, ..ResolvedLimits::default() }
    }
}

/// Whether connection tracking is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConntrackUse {
    /// Where it can be.
    Auto,
    /// Not at all.
    Off,
}

impl Scalar for ConntrackUse {
    const EXPECTED: &'static str = "auto or off";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "off" => Some(Self::Off),
            _ => None,
        }
    }
}

/// How much is read above the transport layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct L7(pub L7Level);

impl Scalar for L7 {
    const EXPECTED: &'static str = "off, names or full";

    fn parse(text: &str) -> Option<Self> {
        L7Level::ALL.into_iter().find(|level| level.name() == text).map(Self)
    }
}

impl L7 {
    /// How many bytes of a live frame have to be looked at: headers, or most heads of messages too. What is cut is a gap in
    /// what a flow says, never a wrong request.
    pub const fn snap_len(self) -> u32 {
        match self.0 {
            L7Level::Off => 256,
            L7Level::Names | L7Level::Full => 2_048,
        }
    }
}
