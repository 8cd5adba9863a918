//! What the collector tells on `/metrics` and `/readyz`: its status, as figures.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;
use weir_proto::v1;
use weir_service::operations::{Metrics, Operation};
use weir_watch::Knowledge;

use crate::audits::AuditCounts;
use crate::door::Door;
use crate::observer::ObserverService;

/// The collector while it serves.
pub(crate) struct CollectorOperation {
    /// Who knows its status.
    pub(crate) observer: ObserverService,
    /// How connections fared beside their verdicts.
    pub(crate) audits: Arc<AuditCounts>,
    /// Who was let in, and who was not.
    pub(crate) door: Door,
    /// Cancelled when it stops serving.
    pub(crate) stop: CancellationToken,
}

impl Operation for CollectorOperation {
    fn unready(&self) -> Vec<String> {
        if self.stop.is_cancelled() { vec!["stopping".to_owned()] } else { Vec::new() }
    }

    async fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::new("weir_collector");
        match self.observer.status().await {
            Ok(status) => {
                add_status(&mut metrics, &status);
                add_nodes(&mut metrics, &status.nodes);
            }
            Err(error) => warn!("no metrics: {}", error.message()),
        }
        add_audits(&mut metrics, &self.audits);
        self.door.add_to(&mut metrics);
        if let Some((_, knowledge)) = &self.observer.cluster_source {
            add_knowledge(&mut metrics, knowledge);
        }
        metrics
    }
}

fn add_status(metrics: &mut Metrics, status: &v1::ServerStatusResponse) {
    metrics.gauge("journal_bytes", "Size of the journal.", status.journal_bytes as f64);
    let pending = status.journal_pending as f64;
    metrics.gauge("journal_pending_batches", "Batches in the journal that are not in the lake yet.", pending);
    metrics.gauge("uncommitted_rows", "Rows in memory that are not in the lake yet.", status.uncommitted_rows as f64);
    metrics.gauge("tails", "Live tails that are open.", f64::from(status.tails));
    metrics.counter("tail_rows_missed", "Rows that slow readers of live tails missed.", status.tail_rows_missed);
    let of = |table: &v1::TableStatus| vec![("table", table.name.clone())];
    let bytes = status.tables.iter().map(|table| (of(table), table.bytes as f64));
    metrics.gauges("table_bytes", "Size of the files of a table's newest version.", bytes);
    let files = status.tables.iter().map(|table| (of(table), table.files as f64));
    metrics.gauges("table_files", "Files of a table's newest version.", files);
    let rows = status.tables.iter().map(|table| (of(table), table.rows as f64));
    metrics.gauges("table_rows", "Rows of a table's newest version.", rows);
}

fn add_nodes(metrics: &mut Metrics, nodes: &[v1::NodeStatus]) {
    let of = |node: &v1::NodeStatus| vec![("node", node.node.clone())];
    let connected = nodes.iter().map(|node| {
        let is_connected = node.state() == v1::node_status::State::Connected;
        (of(node), f64::from(is_connected))
    });
    metrics.gauges("node_connected", "1 while the node's agent is connected, else 0.", connected);
    let batches = nodes.iter().map(|node| (of(node), node.batches));
    metrics.counters("node_batches", "Batches that came from the node.", batches);
    let rows = nodes.iter().map(|node| (of(node), node.flow_rows));
    metrics.counters("node_flow_rows", "Rows of flows that came from the node.", rows);
    let offsets = nodes.iter().map(|node| (of(node), node.clock_offset_us as f64 / 1e6));
    metrics.gauges(
        "node_clock_offset_seconds",
        "The node's clock minus the collector's, at its last connect.",
        offsets,
    );
    let lost = |count: fn(&v1::Loss) -> Option<u64>| {
        nodes.iter().flat_map(move |node| {
            node.losses.iter().filter_map(move |loss| {
                let labels = vec![("node", node.node.clone()), ("stage", loss.stage.clone())];
                Some((labels, count(loss)?))
            })
        })
    };
    metrics.counters(
        "node_lost_packets",
        "Packets that the node reported as lost, by stage.",
        lost(|loss| loss.packets),
    );
    metrics.counters("node_lost_rows", "Rows that the node reported as lost, by stage.", lost(|loss| loss.rows));
}

fn add_audits(metrics: &mut Metrics, audits: &AuditCounts) {
    let counts = audits.all().map(|(verdict, audit, count)| {
        (vec![("verdict", verdict.name().to_owned()), ("audit", audit.name().to_owned())], count)
    });
    metrics.counters(
        "judged_connections",
        "Connections with a verdict, by it and by whether it is what happened.",
        counts,
    );
}

fn add_knowledge(metrics: &mut Metrics, knowledge: &Knowledge) {
    let (kinds, now) = (knowledge.all(), Instant::now());
    let of = |kind: &weir_watch::Kind| vec![("kind", kind.name().to_owned())];
    let ages = kinds.iter().filter_map(|(kind, known)| Some((of(kind), known.age(now)?.as_secs_f64())));
    metrics.gauges("cluster_age_seconds", "Since the source of the cluster's objects was last heard.", ages);
    let objects = kinds.iter().map(|(kind, known)| (of(kind), known.objects as f64));
    metrics.gauges("cluster_objects", "Objects of the cluster that are known.", objects);
    let failures = kinds.iter().map(|(kind, known)| (of(kind), known.counts.failures));
    metrics.counters("cluster_failures", "Lists and watches of the cluster's objects that failed.", failures);
}
