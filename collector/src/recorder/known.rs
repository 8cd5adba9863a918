//! Which version of each object the table has, so that none is written twice: as large as the cluster, about 200 bytes an
//! object.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures::TryStreamExt as _;
use weir_cluster::objects::{ObjectKey, ObjectKind, ObjectMeta};
use weir_model::Timestamp;
use weir_model::tables::{OBJECTS, ObjectEvent, ObjectRow};
use weir_store::{Lake, QueryLimits, last_objects, records};

/// What tells one version of an object from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Revision {
    /// UID, as the API server gave it.
    pub(super) uid: Option<Arc<str>>,
    /// Revision, as the API server gave it.
    pub(super) resource_version: Option<Arc<str>>,
    /// Where it gave none: what the object says.
    digest: Option<u64>,
}

impl Revision {
    pub(super) fn of(metadata: &ObjectMeta, text: &str) -> Self {
        Self::new(metadata.uid.clone(), metadata.resource_version.clone(), text)
    }

    fn new(uid: Option<Arc<str>>, resource_version: Option<Arc<str>>, text: &str) -> Self {
        let digest = resource_version.is_none().then(|| {
            let mut hasher = DefaultHasher::new();
            text.hash(&mut hasher);
            hasher.finish()
        });
        Self { uid, resource_version, digest }
    }
}

/// The last version of each object that lives.
#[derive(Debug, Default)]
pub(super) struct Known {
    versions: BTreeMap<ObjectKey, Revision>,
    /// Objects that earlier runs left and this one was not told yet.
    left: BTreeSet<ObjectKey>,
    /// The time of the last row.
    last: Timestamp,
}

impl Known {
    /// What the lake has of a cluster.
    pub(super) async fn read(lake: &Lake, cluster: Option<&str>) -> Result<Self> {
        let columns = "\"cluster\", api_version, kind, namespace, name, uid, resource_version, event, seen_ts, \
                       CASE WHEN resource_version IS NULL THEN object END AS object";
        let limits = QueryLimits { memory_bytes: 1 << 30, time: Duration::from_mins(10), rows: usize::MAX };
        let (_, mut batches) = lake.query(&last_objects(columns, None), limits).await?;
        let mut known = Self::default();
        while let Some(batch) = batches.try_next().await? {
            for row in records(OBJECTS.columns, &batch).iter().filter_map(ObjectRow::read) {
                if row.cluster.as_deref() == cluster {
                    known.take(row);
                } else {
                    known.last = known.last.max(row.seen_ts);
                }
            }
        }
        Ok(known)
    }

    /// Takes a row over that is in the lake, later than those before it. A kind that this version does not keep any more is
    /// left as it is.
    pub(super) fn take(&mut self, row: ObjectRow) {
        self.last = self.last.max(row.seen_ts);
        let namespace = row.namespace.unwrap_or_default();
        let Some(key) = ObjectKey::find(&row.api_version, &row.kind, &namespace, &row.name) else { return };
        if row.event == ObjectEvent::Deleted {
            self.remove(&key);
            return;
        }
        let version = Revision::new(row.uid, row.resource_version, row.object.as_deref().unwrap_or_default());
        self.left.insert(key.clone());
        self.versions.insert(key, version);
    }

    /// An object is told: notes its version and returns the one before.
    pub(super) fn tell(&mut self, key: &ObjectKey, version: &Revision) -> Option<Revision> {
        self.left.remove(key);
        self.versions.insert(key.clone(), version.clone())
    }

    /// An object is gone; returns its last version.
    pub(super) fn remove(&mut self, key: &ObjectKey) -> Option<Revision> {
        self.left.remove(key);
        self.versions.remove(key)
    }

    /// Every object of a kind has been told: returns those that were not.
    pub(super) fn complete(&mut self, kind: ObjectKind) -> Vec<ObjectKey> {
        self.left.iter().filter(|key| key.kind == kind).cloned().collect()
    }

    /// The time of the next row, of what was seen at a time: later than that of every row before it.
    pub(super) fn next_time(&mut self, at: Timestamp) -> Timestamp {
        const MICROSECOND: i64 = 1_000;
        self.last = self.last.plus_ns(MICROSECOND).max(at);
        self.last
    }
}
