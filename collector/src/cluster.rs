//! The cluster's objects, for the joining of legs.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result};
use tracing::info;
use weir_cluster::objects::Objects;
use weir_cluster::{Snapshot, SnapshotOptions, manifests};
use weir_service::exit::{HintExt as _, Usage};

/// What is known of the cluster.
pub(crate) struct Cluster {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) objects: usize,
}

impl Cluster {
    /// Reads the objects that `source` (`manifests:DIR`) names; without one nothing is known.
    pub(crate) fn load(source: Option<&str>) -> Result<Self> {
        let options = SnapshotOptions { partial: source.is_none(), ..SnapshotOptions::default() };
        let Some(source) = source else {
            return Ok(Self { snapshot: Arc::new(Snapshot::build(&Objects::default(), &options)), objects: 0 });
        };
        let Some(dir) = source.strip_prefix("manifests:") else {
            return Err(Usage(format!("cluster '{source}' is no source of objects"))).hint("write manifests:DIR");
        };
        let loaded =
            manifests::load(Path::new(dir)).with_context(|| format!("reading the cluster's objects from {dir}"))?;
        for note in &loaded.notes {
            info!("{note}");
        }
        info!(objects = loaded.objects.len(), "cluster known");
        let snapshot = Arc::new(Snapshot::build(&loaded.objects, &options));
        Ok(Self { snapshot, objects: loaded.objects.len() })
    }
}
