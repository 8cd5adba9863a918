//! What the agent is told: flags, environment, file.

use std::time::Duration;

use weir_service::config::Bytes;
use weir_service::telemetry::{LogFormat, LogLevel};

weir_service::settings! {
    /// Settings of `weir-agent`.
    pub struct AgentSettings {
        /// Name of this node, as the cluster calls it.
        node_name: String,
        /// Tap to open, repeated: iface:NAME or file:PATTERN, then ,role=pod|uplink|other and ,pod=NAMESPACE/NAME; found out where left out.
        tap: Vec<String>,
        /// Where the cluster's objects come from: manifests:DIR. Without it every endpoint is unknown.
        cluster: Option<String>,
        /// Labels of pods that flows carry.
        labels: Vec<String> = "app,app.kubernetes.io/name",
        /// Address of the collector.
        collector: String = "http://127.0.0.1:4317",
        /// Span of packet time that one row of a flow covers; a part of an hour.
        window: Duration = "60s",
        /// Tell tails of flows when they begin, not only when a row is ready.
        report_start: bool = "false",
        /// Bytes of each live frame that are looked at.
        snap_len: Bytes = "256B",
        /// Ring buffer of each live tap.
        ring_bytes: Bytes = "8MiB",
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
        /// Most names that a stream holds, 16 to 65536.
        dictionary_cap: u64 = "65536",
        /// How long a stop may take.
        grace: Duration = "10s",
        /// How log lines look.
        log_format: LogFormat = "text",
        /// What is logged: a level, or levels of parts.
        log_level: LogLevel = "info",
    }
}
