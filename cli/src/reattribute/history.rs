//! The cluster's objects as they came and went, out of the lake.

use anyhow::{Context as _, Result};
use weir_cluster::objects::{ObjectKey, ObjectKind};
use weir_cluster::{History, Memory, SnapshotOptions};
use weir_model::Timestamp;
use weir_model::tables::{OBJECTS, ObjectEvent, ObjectRow};
use weir_store::records;

use super::Source;
use crate::query::answer;

/// Everything that is stored of objects. Endpoints get the labels called `labels`; none = the usual ones.
pub(super) async fn read(source: Source<'_>, labels: Vec<String>) -> Result<History> {
    let usual = SnapshotOptions { partial: false, ..SnapshotOptions::default() };
    let options = if labels.is_empty() { usual } else { SnapshotOptions { labels, ..usual } };
    let memory = Memory { keep_ns: i64::MAX, max_ended: usize::MAX, ..Memory::default() };
    let mut history = History::remembering(options, memory);
    let sql =
        "SELECT api_version, kind, namespace, name, event, seen_ts, since_ts, object FROM objects ORDER BY seen_ts";
    for batch in answer(source.server, source.lake, sql).await.context("reading objects")? {
        for row in records(OBJECTS.columns, &batch).iter().filter_map(ObjectRow::read) {
            take(&mut history, &row)?;
        }
    }
    Ok(history)
}

fn take(history: &mut History, row: &ObjectRow) -> Result<()> {
    let since = row.since_ts.unwrap_or(Timestamp(i64::MIN));
    // A kind that this version does not keep says nothing to it.
    let Some(kind) = ObjectKind::find(&row.api_version, &row.kind) else { return Ok(()) };
    match (row.event, &row.object) {
        (ObjectEvent::Applied, Some(text)) => {
            let object = kind.read_json(text);
            history.apply(&object.with_context(|| format!("reading {} {}", row.kind, row.name))?, since);
        }
        (ObjectEvent::Deleted, _) => {
            let namespace = row.namespace.clone().unwrap_or_default();
            history.remove(&ObjectKey { kind, namespace, name: row.name.clone() }, since);
        }
        (ObjectEvent::Applied, None) => {}
    }
    Ok(())
}
