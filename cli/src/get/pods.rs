//! `weir get pods`.

use std::net::IpAddr;

use anyhow::Result;
use serde::Serialize;
use weir_cluster::objects::{ObjectKind, Pod};
use weir_cluster::{Snapshot, SnapshotOptions};
use weir_model::PodRef;

use super::lines::{Line, list, or_dash, traffic};
use super::seen::{Traffic, Watched, by_pod, watched};
use super::{Asked, objects};

/// What a pod and its workload are found by.
const KINDS: [ObjectKind; 8] = [
    ObjectKind::Node,
    ObjectKind::Pod,
    ObjectKind::ReplicaSet,
    ObjectKind::Deployment,
    ObjectKind::StatefulSet,
    ObjectKind::DaemonSet,
    ObjectKind::Job,
    ObjectKind::CronJob,
];

/// A pod.
#[derive(Debug, Serialize)]
pub(super) struct PodLine {
    namespace: String,
    name: String,
    ips: Vec<IpAddr>,
    node: Option<String>,
    zone: Option<String>,
    workload_kind: Option<String>,
    workload: Option<String>,
    host_network: bool,
    is_over: bool,
    /// How it was watched last; `None` = no agent has said anything of it.
    watched: Option<Watched>,
    #[serde(flatten)]
    traffic: Traffic,
}

impl PodLine {
    /// Its tap, or why it has none.
    fn tapped(&self) -> String {
        match &self.watched {
            Some(Watched { interface: Some(interface), .. }) => interface.clone(),
            Some(Watched { reason: Some(reason), .. }) => format!("no: {reason}"),
            _ if self.host_network => "no: host network".to_owned(),
            _ if self.is_over => "no: it is over".to_owned(),
            _ => "no: no agent watches it".to_owned(),
        }
    }
}

impl Line for PodLine {
    const HEAD: &'static [&'static str] =
        &["NAMESPACE", "NAME", "ADDRESSES", "NODE", "WORKLOAD", "TAP", "FLOWS", "BYTES", "LAST PACKET"];

    fn cells(&self) -> Vec<String> {
        let workload = match (&self.workload_kind, &self.workload) {
            (Some(kind), Some(name)) => format!("{kind}/{name}"),
            _ => "-".to_owned(),
        };
        let known = [
            self.namespace.clone(),
            self.name.clone(),
            list(&self.ips),
            or_dash(self.node.as_deref()),
            workload,
            self.tapped(),
        ];
        known.into_iter().chain(traffic(&self.traffic)).collect()
    }
}

pub(super) async fn read(asked: &Asked<'_>) -> Result<Vec<PodLine>> {
    let objects = objects::read(asked, &KINDS).await?;
    let snapshot = Snapshot::build(&objects, &SnapshotOptions::default());
    let (traffic, watched) = (by_pod(asked).await?, watched(asked).await?);
    let wanted = objects.pods().filter(|pod| asked.is_wanted(&pod.metadata.namespace, &pod.metadata.name));
    let line = |pod: &Pod| {
        let metadata = &pod.metadata;
        let key = (metadata.namespace.to_string(), metadata.name.to_string());
        let named = PodRef { namespace: metadata.namespace.clone(), name: metadata.name.clone() };
        let endpoint = snapshot.pod_named(&named).map(|entry| &entry.endpoint);
        // One without an address of its own has no endpoint: its owner is told as it stands.
        let owner = metadata.controller();
        let of_endpoint = |text: Option<&std::sync::Arc<str>>| text.map(ToString::to_string);
        PodLine {
            ips: pod.ips().collect(),
            node: pod.spec.node_name.as_ref().map(ToString::to_string),
            zone: of_endpoint(endpoint.and_then(|endpoint| endpoint.zone.as_ref())),
            workload_kind: of_endpoint(endpoint.and_then(|endpoint| endpoint.workload_kind.as_ref()))
                .or_else(|| owner.map(|owner| owner.kind.to_string())),
            workload: of_endpoint(endpoint.and_then(|endpoint| endpoint.workload.as_ref()))
                .or_else(|| owner.map(|owner| owner.name.to_string())),
            host_network: pod.spec.host_network,
            is_over: pod.is_over(),
            watched: watched.get(&key).cloned(),
            traffic: traffic.get(&key).copied().unwrap_or_default(),
            namespace: key.0,
            name: key.1,
        }
    };
    Ok(wanted.map(line).collect())
}
