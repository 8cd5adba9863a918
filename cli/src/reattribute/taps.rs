//! Whose tap an interface was, and when: from `coverage`.

use std::collections::HashMap;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use weir_model::tables::COVERAGE;
use weir_model::{PodRef, Record, Tap, TapRole, Timestamp};
use weir_store::records;

use crate::query::answer;
use crate::stored_objects::Source;

/// A node and an interface of it.
type TapKey = (Arc<str>, Arc<str>);

/// Interfaces of nodes with their spans, in order.
#[derive(Debug, Default)]
pub(super) struct Taps {
    spans: HashMap<TapKey, Vec<Span>>,
}

/// From when to when an interface was a tap.
#[derive(Debug)]
struct Span {
    from_ts: Timestamp,
    to_ts: Timestamp,
    tap: Arc<Tap>,
}

impl Taps {
    pub(super) async fn read(source: Source<'_>) -> Result<Self> {
        let sql = "SELECT node, interface, role, namespace, name, min(from_ts) AS from_ts, max(to_ts) AS to_ts FROM coverage \
                   WHERE interface IS NOT NULL GROUP BY node, run, interface, role, namespace, name ORDER BY from_ts";
        let mut taps = Self::default();
        for batch in answer(source.server, source.lake, sql).await.context("reading which taps there were")? {
            for (key, span) in records(COVERAGE.columns, &batch).iter().filter_map(span) {
                taps.spans.entry(key).or_default().push(span);
            }
        }
        Ok(taps)
    }

    /// The tap that an interface of a node was at a time: of spans that do not hold it the one before, as an open tap's last
    /// span is not stored yet, else the first.
    pub(super) fn find(&self, node: &Arc<str>, interface: &Arc<str>, at: Timestamp) -> Option<&Arc<Tap>> {
        let spans = self.spans.get(&(Arc::clone(node), Arc::clone(interface)))?;
        let within = spans.iter().rev().find(|span| span.from_ts <= at && at <= span.to_ts);
        let before = || spans.iter().rev().find(|span| span.from_ts <= at);
        within.or_else(before).or_else(|| spans.first()).map(|span| &span.tap)
    }
}

fn span(record: &Record) -> Option<(TapKey, Span)> {
    let text = |name| record.get(name).as_text().map(Arc::<str>::from);
    let time = |name| record.get(name).as_time();
    let interface = text("interface")?;
    let role = TapRole::parse(record.get("role").as_text()?)?;
    let pod = text("namespace").zip(text("name")).map(|(namespace, name)| PodRef { namespace, name });
    let tap = Arc::new(Tap { interface: Arc::clone(&interface), role, pod, sampling: 1 });
    Some(((text("node")?, interface), Span { from_ts: time("from_ts")?, to_ts: time("to_ts")?, tap }))
}
