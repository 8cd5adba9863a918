//! What the collector is told: flags, environment, file.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use weir_service::config::{Bytes, Scalar};
use weir_service::telemetry::{LogFormat, LogLevel};

weir_service::settings! {
    /// Settings of `weir-collector`.
    pub struct CollectorSettings {
        /// Address to listen on.
        listen: SocketAddr = "127.0.0.1:4317",
        /// The collector's certificate in PEM, and those between it and its CA; read again when it changes, and on SIGHUP. With TLS, agents show a certificate made out to weir-agent, people one made out to weir-client or a token.
        tls_cert: Option<PathBuf>,
        /// The key of that certificate.
        tls_key: Option<PathBuf>,
        /// The CA that certificates of agents and people must be from.
        tls_ca: Option<PathBuf>,
        /// File of tokens that people may show, a line NAME TOKEN or NAME sha256:DIGEST each; read again when it changes, and on SIGHUP.
        tokens: Option<PathBuf>,
        /// Listen without TLS on an address that is not on this machine alone: whoever reaches it can send flows and read what is said.
        plaintext: bool = "false",
        /// Folder for the lake and the journal.
        data: PathBuf = "./lake",
        /// Where the cluster's objects come from: manifests:DIR (read again when it changes), kube (this pod's API server), kube:KUBECONFIG or kube:KUBECONFIG,context=NAME.
        cluster: Option<String>,
        /// Services, NAMESPACE/NAME, whose pods are gateways beside those that Ingresses, Gateways and labels tell.
        gateways: Vec<ServiceName>,
        /// Name of the cluster, a column of every row.
        cluster_name: Option<String>,
        /// How long rows wait for the other legs of their connection.
        settle: Duration = "2s",
        /// Longest time between two commits to the lake.
        commit_interval: Duration = "10s",
        /// Rows that are committed without waiting any longer.
        commit_rows: u64 = "100000",
        /// Age of packets after which whole hours are dropped from the lake.
        retention_age: Duration = "30d",
        /// Size of the lake above which the oldest hours are dropped.
        retention_bytes: Bytes = "100GiB",
        /// How long files that were replaced or dropped are kept for readers.
        keep_replaced: Duration = "24h",
        /// How often old files are compacted and dropped.
        maintenance: Duration = "5m",
        /// Size of the journal above which no more batches are taken.
        journal_bytes: Bytes = "4GiB",
        /// Memory that one query may use.
        query_memory: Bytes = "512MiB",
        /// Time that one query may take.
        query_time: Duration = "60s",
        /// Rows that one query may answer.
        query_rows: u64 = "10000000",
        /// Silence after which an agent is taken to be gone, with what it had not sent.
        node_gone_after: Duration = "1h",
        /// Most names that an agent's stream may use, 16 to 65536.
        dictionary_cap: u64 = "65536",
        /// Address on which /metrics, /healthz and /readyz are answered; nothing listens without it.
        metrics_listen: Option<SocketAddr>,
        /// How long a stop may take.
        grace: Duration = "20s",
        /// How log lines look.
        log_format: LogFormat = "text",
        /// What is logged: a level, or levels of parts.
        log_level: LogLevel = "warn,weir_collector=info,weir_service=info,buoyant_kernel=off",
    }
}

/// A Service, by namespace and name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceName {
    /// Its namespace.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

impl Scalar for ServiceName {
    const EXPECTED: &'static str = "NAMESPACE/NAME of a Service";

    fn parse(text: &str) -> Option<Self> {
        let (namespace, name) = text.split_once('/')?;
        let is_name = |name: &str| !name.is_empty() && !name.contains('/');
        (is_name(namespace) && is_name(name)).then(|| Self { namespace: namespace.into(), name: name.into() })
    }
}
