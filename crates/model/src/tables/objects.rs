//! The `objects` table.

use std::sync::Arc;

use crate::flow::names;
use crate::{Record, Timestamp};

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectEvent {
    /// It is there, or is now like this.
    Applied,
    /// It is gone.
    Deleted,
}

names!(ObjectEvent { Applied = "applied", Deleted = "deleted" });

/// One row of `objects`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectRow {
    /// The cluster's name, as configured at the collector.
    pub cluster: Option<Arc<str>>,
    /// Group and version, `apps/v1`.
    pub api_version: Arc<str>,
    /// The kind, `Deployment`.
    pub kind: Arc<str>,
    /// The namespace; `None` for kinds without one.
    pub namespace: Option<Arc<str>>,
    /// The name.
    pub name: Arc<str>,
    /// `metadata.uid`.
    pub uid: Option<Arc<str>>,
    /// `metadata.resourceVersion`.
    pub resource_version: Option<Arc<str>>,
    /// What became of it.
    pub event: ObjectEvent,
    /// When the collector saw it. No two rows have the same time.
    pub seen_ts: Timestamp,
    /// From when on it counts; `None` = it has always been so.
    pub since_ts: Option<Timestamp>,
    /// `metadata.creationTimestamp`.
    pub created_ts: Option<Timestamp>,
    /// `metadata.deletionTimestamp`.
    pub deleted_ts: Option<Timestamp>,
    /// What is kept of the object, as JSON; `None` = it is gone.
    pub object: Option<Arc<str>>,
}

/// Calls `$with! { name: type, group, documentation, value; ... }` with the columns of `objects` in order.
#[macro_export]
macro_rules! object_columns {
    ($with:ident $($prefix:tt)*) => { $with! { $($prefix)*
        cluster: Text, Tap, "Name of the cluster, as configured at the collector. Null = none configured.",
            |r| r.cluster.as_ref().into();
        api_version: Text, Object, "Group and version of the kind, as in apiVersion.",
            |r| (&r.api_version).into();
        kind: Text, Object, "The kind: Pod, Service, EndpointSlice, Node, NetworkPolicy, ...",
            |r| (&r.kind).into();
        namespace: Text, Object, "Namespace. Null = the kind has none.",
            |r| r.namespace.as_ref().into();
        name: Text, Object, "Name.",
            |r| (&r.name).into();
        uid: Text, Object, "The object's UID, which tells it from others of its name. Null = it has none (a manifest).",
            |r| r.uid.as_ref().into();
        resource_version: Text, Object, "The version that the API server gave this state of the object. Null = it has none (a manifest).",
            |r| r.resource_version.as_ref().into();
        event: Text, Object, "What became of it: applied (it is there, or is now like this), deleted.",
            |r| r.event.name().into();
        seen_ts: Time, Time, "When the collector saw it (its own clock). No two rows have the same time, so this is their order.",
            |r| r.seen_ts.into();
        since_ts: Time, Time, "From when on it counts. Null = it has always been so: what a folder of manifests said when it was first read.",
            |r| r.since_ts.into();
        created_ts: Time, Time, "When the API server took the object in. Null = it does not say.",
            |r| r.created_ts.into();
        deleted_ts: Time, Time, "When its deletion was asked for; it may live on for its grace period. Null = it was not.",
            |r| r.deleted_ts.into();
        object: Text, Object, "What is kept of the object, as one line of JSON in the form of a manifest. Null = it is gone.",
            |r| r.object.as_ref().into();
    } };
}

use super::define_table;
object_columns!(define_table OBJECTS: ObjectRow, "objects",
    "One version of one of the cluster's objects, or its end, once; the last version of what lives on outlasts its hour.";);

impl ObjectRow {
    /// The row that a record stands for; `None` where a value that every row has is missing.
    pub fn read(record: &Record) -> Option<Self> {
        let text = |name| record.get(name).as_text().map(Arc::from);
        let time = |name| record.get(name).as_time();
        Some(Self {
            cluster: text("cluster"),
            api_version: text("api_version")?,
            kind: text("kind")?,
            namespace: text("namespace"),
            name: text("name")?,
            uid: text("uid"),
            resource_version: text("resource_version"),
            event: ObjectEvent::parse(record.get("event").as_text()?)?,
            seen_ts: time("seen_ts")?,
            since_ts: time("since_ts"),
            created_ts: time("created_ts"),
            deleted_ts: time("deleted_ts"),
            object: text("object"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_read_from_its_record() {
        let row = ObjectRow {
            cluster: Some("c".into()),
            api_version: "v1".into(),
            kind: "Pod".into(),
            namespace: Some("shop".into()),
            name: "web".into(),
            uid: Some("u".into()),
            resource_version: Some("7".into()),
            event: ObjectEvent::Applied,
            seen_ts: Timestamp(1_000),
            since_ts: Some(Timestamp(2_000)),
            created_ts: Some(Timestamp(3_000)),
            deleted_ts: Some(Timestamp(4_000)),
            object: Some("{}".into()),
        };
        assert_eq!(ObjectRow::read(&OBJECTS.record(&row)), Some(row.clone()));
        let gone = ObjectRow { namespace: None, uid: None, object: None, event: ObjectEvent::Deleted, ..row };
        assert_eq!(ObjectRow::read(&OBJECTS.record(&gone)), Some(gone));
    }
}
