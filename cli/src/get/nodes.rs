//! `weir get nodes`.

use std::net::IpAddr;

use anyhow::Result;
use serde::Serialize;
use weir_cluster::objects::{Node, ObjectKind};

use super::lines::{Line, list, or_dash, traffic};
use super::seen::{Traffic, by_agent};
use super::{Asked, objects};

/// A node; its traffic is what its agent saw, on every leg.
#[derive(Debug, Serialize)]
pub(super) struct NodeLine {
    name: String,
    ips: Vec<IpAddr>,
    zone: Option<String>,
    pod_cidrs: Vec<String>,
    pods: usize,
    #[serde(flatten)]
    traffic: Traffic,
}

impl Line for NodeLine {
    const HEAD: &'static [&'static str] =
        &["NAME", "ADDRESSES", "ZONE", "POD NETWORKS", "PODS", "FLOWS", "BYTES", "LAST PACKET"];

    fn cells(&self) -> Vec<String> {
        let known = [
            self.name.clone(),
            list(&self.ips),
            or_dash(self.zone.as_deref()),
            list(&self.pod_cidrs),
            self.pods.to_string(),
        ];
        known.into_iter().chain(traffic(&self.traffic)).collect()
    }
}

pub(super) async fn read(asked: &Asked<'_>) -> Result<Vec<NodeLine>> {
    let objects = objects::read(asked, &[ObjectKind::Node, ObjectKind::Pod]).await?;
    let traffic = by_agent(asked).await?;
    let wanted = objects.nodes().filter(|node| asked.name.is_none_or(|name| name == &*node.metadata.name));
    let line = |node: &Node| {
        let name = node.metadata.name.to_string();
        let is_here = |node: Option<&std::sync::Arc<str>>| node.is_some_and(|node| **node == *name);
        NodeLine {
            ips: node.ips().collect(),
            zone: node.zone().map(ToString::to_string),
            pod_cidrs: node.pod_cidrs().map(|cidr| cidr.to_string()).collect(),
            pods: objects.pods().filter(|pod| is_here(pod.spec.node_name.as_ref())).count(),
            traffic: traffic.get(&(String::new(), name.clone())).copied().unwrap_or_default(),
            name,
        }
    };
    Ok(wanted.map(line).collect())
}
