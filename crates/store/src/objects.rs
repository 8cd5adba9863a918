//! Which rows of `objects` hold at a time, as SQL.

use weir_model::Timestamp;
use weir_model::tables::OBJECTS;

/// A query for `columns` of the last row of each object, deletions among them, of those that count at a time; `None` =
/// of all.
pub fn last_objects(columns: &str, at: Option<Timestamp>) -> String {
    let name = OBJECTS.name;
    let until = at.map_or(String::new(), |at| {
        format!(" WHERE since_ts IS NULL OR since_ts <= to_timestamp_micros({})", at.as_micros())
    });
    format!(
        "SELECT {columns} FROM {name} WHERE seen_ts IN \
         (SELECT max(seen_ts) FROM {name}{until} GROUP BY \"cluster\", api_version, kind, namespace, name)"
    )
}
