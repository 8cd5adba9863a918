//! `weir get namespaces`.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;
use weir_cluster::objects::{Namespace, ObjectKind, ObjectMeta};

use super::lines::{Line, traffic};
use super::seen::{Traffic, by_namespace};
use super::{Asked, objects};

/// A namespace.
#[derive(Debug, Serialize)]
pub(super) struct NamespaceLine {
    name: String,
    labels: BTreeMap<String, String>,
    pods: usize,
    services: usize,
    #[serde(flatten)]
    traffic: Traffic,
}

impl Line for NamespaceLine {
    const HEAD: &'static [&'static str] = &["NAME", "PODS", "SERVICES", "FLOWS", "BYTES", "LAST PACKET"];

    fn cells(&self) -> Vec<String> {
        let known = [self.name.clone(), self.pods.to_string(), self.services.to_string()];
        known.into_iter().chain(traffic(&self.traffic)).collect()
    }
}

pub(super) async fn read(asked: &Asked<'_>) -> Result<Vec<NamespaceLine>> {
    let kinds = [ObjectKind::Namespace, ObjectKind::Pod, ObjectKind::Service];
    let objects = objects::read(asked, &kinds).await?;
    let traffic = by_namespace(asked).await?;
    let line = |namespace: &Namespace| {
        let name = namespace.metadata.name.to_string();
        let is_in = |metadata: &ObjectMeta| *metadata.namespace == *name;
        NamespaceLine {
            labels: namespace.metadata.labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect(),
            pods: objects.pods().filter(|pod| is_in(&pod.metadata)).count(),
            services: objects.services().filter(|service| is_in(&service.metadata)).count(),
            traffic: traffic.get(&(name.clone(), name.clone())).copied().unwrap_or_default(),
            name,
        }
    };
    let wanted = |namespace: &&Namespace| {
        let name = &*namespace.metadata.name;
        asked.is_wanted(name, name)
    };
    Ok(objects.namespaces().filter(wanted).map(line).collect())
}
