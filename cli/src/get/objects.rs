//! The cluster's objects as of a time, out of the table `objects`.

use anyhow::{Context as _, Result};
use weir_cluster::objects::{ObjectKind, Objects};
use weir_model::tables::{OBJECTS, ObjectRow};
use weir_store::{last_objects, records};

use super::Asked;

/// The objects of some kinds that are there.
pub(super) async fn read(asked: &Asked<'_>, kinds: &[ObjectKind]) -> Result<Objects> {
    let names: Vec<_> = kinds.iter().map(|kind| format!("'{}'", kind.name())).collect();
    let columns = "api_version, kind, namespace, name, event, seen_ts, object";
    let of_kinds = format!(" AND event = 'applied' AND kind IN ({})", names.join(", "));
    let mut objects = Objects::default();
    for batch in asked.ask(&(last_objects(columns, asked.at) + &of_kinds), "objects").await? {
        for row in records(OBJECTS.columns, &batch).iter().filter_map(ObjectRow::read) {
            let kind = ObjectKind::find(&row.api_version, &row.kind).filter(|kind| kinds.contains(kind));
            let Some((kind, text)) = kind.zip(row.object.as_deref()) else { continue };
            let object = kind.read_json(text).with_context(|| format!("reading {} {}", row.kind, row.name))?;
            objects.insert(object);
        }
    }
    Ok(objects)
}
