//! The cluster's objects as they came and went, out of the lake.

use anyhow::Result;
use weir_cluster::{History, Memory, SnapshotOptions};

use crate::stored_objects::{Event, Source, each};

/// Everything that is stored of objects. Endpoints get the labels called `labels`; none = the usual ones.
pub(crate) async fn read(source: Source<'_>, labels: Vec<String>) -> Result<History> {
    let mut history = remembering(labels);
    each(source, |event, since| match event {
        Event::Applied(object) => history.apply(&object, since),
        Event::Removed(key) => history.remove(&key, since),
    })
    .await?;
    Ok(history)
}

/// A history that forgets nothing.
pub(crate) fn remembering(labels: Vec<String>) -> History {
    let usual = SnapshotOptions { partial: false, ..SnapshotOptions::default() };
    let options = if labels.is_empty() { usual } else { SnapshotOptions { labels, ..usual } };
    let memory = Memory { keep_ns: i64::MAX, max_ended: usize::MAX, ..Memory::default() };
    History::remembering(options, memory)
}
