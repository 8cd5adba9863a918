//! What the agent tells on `/metrics` and `/readyz`.

use std::sync::Arc;

use tokio::sync::mpsc::WeakSender;
use tokio::time::Instant;
use weir_service::operations::{Metrics, Operation};
use weir_service::shutdown::Shutdown;
use weir_watch::Knowledge;

use crate::event::Event;
use crate::live::Rings;
use crate::tally::{Lost, Reading, Tally};

/// The agent while it runs.
pub(crate) struct AgentOperation {
    /// What it counts.
    pub(crate) tally: Arc<Tally>,
    /// The queue between capture and sending.
    pub(crate) queue: WeakSender<Event>,
    /// The memory of the rings.
    pub(crate) rings: Arc<Rings>,
    /// How well the cluster is known; `None` = there is no source.
    pub(crate) knowledge: Option<Knowledge>,
    /// The stop.
    pub(crate) shutdown: Shutdown,
}

impl Operation for AgentOperation {
    /// An agent without a collector is ready: it captures, and keeps what it may.
    fn unready(&self) -> Vec<String> {
        if self.shutdown.has_started() { vec!["stopping".to_owned()] } else { Vec::new() }
    }

    async fn metrics(&self) -> Metrics {
        let mut metrics = Metrics::new("weir_agent");
        let queued = self.queue.upgrade().map_or(0, |queue| queue.max_capacity() - queue.capacity());
        metrics.gauge("queued_reports", "Reports that wait between capture and sending.", queued as f64);
        metrics.gauge("ring_bytes", "Memory of the ring buffers of live taps.", self.rings.used() as f64);
        add_tally(&mut metrics, &self.tally.read());
        if let Some(knowledge) = &self.knowledge {
            add_knowledge(&mut metrics, knowledge);
        }
        metrics
    }
}

fn add_tally(metrics: &mut Metrics, tally: &Reading) {
    metrics.counter("flow_rows", "Rows of flows handed to the sender.", tally.flow_rows);
    metrics.counter("requests", "Requests handed to the sender.", tally.requests);
    metrics.counter("packets", "Packets in those rows.", tally.packets);
    metrics.counter("bytes", "Bytes of IP packets in those rows.", tally.bytes);
    let lost = |count: fn(&Lost) -> u64| {
        tally.lost.iter().map(move |(stage, lost)| (vec![("stage", stage.name().to_owned())], count(lost)))
    };
    metrics.counters(
        "lost_packets",
        "Packets that no row has, by the stage that lost them.",
        lost(|lost| lost.packets),
    );
    metrics.counters("lost_bytes", "Bytes of lost packets, where the stage knows them.", lost(|lost| lost.bytes));
    metrics.counters("lost_rows", "Rows that the collector never gets.", lost(|lost| lost.rows));
    let heard = tally
        .inputs
        .iter()
        .map(|input| (vec![("input", input.name.to_string())], f64::from(u8::from(input.problem.is_none()))));
    metrics.gauges("input_heard", "1 where an input beside the taps is heard, else 0 (the log says why).", heard);
    metrics.gauge(
        "unacked_batches",
        "Batches in memory that the collector has not acked.",
        tally.unacked_batches as f64,
    );
    metrics.gauge("unacked_bytes", "Memory that those batches take, about.", tally.unacked_bytes as f64);
    metrics.gauge("spooled_batches", "Batches on disk that the collector has not acked.", tally.spooled_batches as f64);
    metrics.gauge("spool_bytes", "Size of the spool.", tally.spool_bytes as f64);
    metrics.gauge(
        "spool_fails",
        "1 while batches should be written to the spool and cannot be, else 0.",
        f64::from(tally.spool_fails),
    );
    metrics.gauge("connected", "1 while a stream to the collector is open, else 0.", f64::from(tally.connected));
    metrics.counter("connects", "Streams to the collector that were opened.", tally.connects);
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
