//! Versions of the cluster's objects out of the lake, in the order they were seen in.

use std::path::Path;

use anyhow::{Context as _, Result};
use weir_cluster::objects::{Object, ObjectKey, ObjectKind};
use weir_model::Timestamp;
use weir_model::tables::{OBJECTS, ObjectEvent, ObjectRow};
use weir_store::records;

use crate::query::answer;
use crate::server::Contact;

/// A collector, or a lake's folder.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) server: &'a Contact,
    pub(crate) lake: Option<&'a Path>,
}

/// What became of an object.
pub(crate) enum Event {
    /// It is there, or is now like this.
    Applied(Object),
    /// It is gone.
    Removed(ObjectKey),
}

/// Tells every stored version to `take`, with the time from which on it counts; what has always been so has the first
/// of all times.
pub(crate) async fn each(source: Source<'_>, mut take: impl FnMut(Event, Timestamp)) -> Result<()> {
    let sql =
        "SELECT api_version, kind, namespace, name, event, seen_ts, since_ts, object FROM objects ORDER BY seen_ts";
    for batch in answer(source.server, source.lake, sql).await.context("reading objects")? {
        for row in records(OBJECTS.columns, &batch).iter().filter_map(ObjectRow::read) {
            if let Some(event) = read(&row)? {
                take(event, row.since_ts.unwrap_or(Timestamp(i64::MIN)));
            }
        }
    }
    Ok(())
}

/// `None` = it is of a kind that this version does not keep.
fn read(row: &ObjectRow) -> Result<Option<Event>> {
    let Some(kind) = ObjectKind::find(&row.api_version, &row.kind) else { return Ok(None) };
    match (row.event, &row.object) {
        (ObjectEvent::Applied, Some(text)) => {
            let object = kind.read_json(text);
            Ok(Some(Event::Applied(object.with_context(|| format!("reading {} {}", row.kind, row.name))?)))
        }
        (ObjectEvent::Deleted, _) => {
            let namespace = row.namespace.clone().unwrap_or_default();
            Ok(Some(Event::Removed(ObjectKey { kind, namespace, name: row.name.clone() })))
        }
        (ObjectEvent::Applied, None) => Ok(None),
    }
}
