//! `weir get services`.

use std::collections::{BTreeMap, HashMap};

use anyhow::Result;
use serde::Serialize;
use weir_cluster::objects::{ObjectKind, Service, ServicePort, SliceEndpoint, TargetPort};

use super::lines::{Line, list, traffic};
use super::seen::{Traffic, by_service};
use super::{Asked, objects};

/// A Service.
#[derive(Debug, Serialize)]
pub(super) struct ServiceLine {
    namespace: String,
    name: String,
    #[serde(rename = "type")]
    service_type: &'static str,
    cluster_ips: Vec<String>,
    external_ips: Vec<String>,
    ports: Vec<String>,
    endpoints_ready: usize,
    endpoints: usize,
    #[serde(flatten)]
    traffic: Traffic,
}

impl Line for ServiceLine {
    const HEAD: &'static [&'static str] =
        &["NAMESPACE", "NAME", "TYPE", "ADDRESSES", "PORTS", "READY", "FLOWS", "BYTES", "LAST PACKET"];

    fn cells(&self) -> Vec<String> {
        let addresses: Vec<&String> = self.cluster_ips.iter().chain(&self.external_ips).collect();
        let known = [
            self.namespace.clone(),
            self.name.clone(),
            self.service_type.to_owned(),
            list(&addresses),
            list(&self.ports),
            format!("{}/{}", self.endpoints_ready, self.endpoints),
        ];
        known.into_iter().chain(traffic(&self.traffic)).collect()
    }
}

pub(super) async fn read(asked: &Asked<'_>) -> Result<Vec<ServiceLine>> {
    let objects = objects::read(asked, &[ObjectKind::Service, ObjectKind::EndpointSlice]).await?;
    let traffic = by_service(asked).await?;
    // Whether each is ready: one pod is one endpoint, in however many families it has addresses.
    let mut endpoints: HashMap<(String, String), BTreeMap<String, bool>> = HashMap::new();
    for slice in objects.endpoint_slices() {
        let Some(service) = slice.service() else { continue };
        let known = endpoints.entry((slice.metadata.namespace.to_string(), service.to_string())).or_default();
        for endpoint in &slice.endpoints {
            *known.entry(target(endpoint)).or_default() |= endpoint.conditions.is_ready();
        }
    }
    let wanted = objects.services().filter(|service| {
        let metadata = &service.metadata;
        asked.is_wanted(&metadata.namespace, &metadata.name)
    });
    let line = |service: &Service| {
        let key = (service.metadata.namespace.to_string(), service.metadata.name.to_string());
        let endpoints: Vec<bool> = endpoints.get(&key).into_iter().flat_map(BTreeMap::values).copied().collect();
        ServiceLine {
            service_type: service.service_type().name(),
            cluster_ips: service.cluster_ips().map(|ip| ip.to_string()).collect(),
            external_ips: service.load_balancer_ips().chain(service.external_ips()).map(|ip| ip.to_string()).collect(),
            ports: service.spec.ports.iter().map(port).collect(),
            endpoints_ready: endpoints.iter().filter(|is_ready| **is_ready).count(),
            endpoints: endpoints.len(),
            traffic: traffic.get(&key).copied().unwrap_or_default(),
            namespace: key.0,
            name: key.1,
        }
    };
    Ok(wanted.map(line).collect())
}

/// What tells an endpoint from others: the object behind it, else its addresses.
fn target(endpoint: &SliceEndpoint) -> String {
    let named = endpoint.target_ref.as_ref().and_then(|target| target.name.as_ref());
    named.map_or_else(|| format!("{:?}", endpoint.addresses), ToString::to_string)
}

/// `http:80->8080/tcp`, with the node port as `80:30080`.
fn port(port: &ServicePort) -> String {
    let name = port.name.as_ref().map_or(String::new(), |name| format!("{name}:"));
    let node_port = port.node_port.map_or(String::new(), |number| format!(":{number}"));
    let target = match &port.target_port {
        Some(TargetPort::Number(number)) if *number != port.port => format!("->{number}"),
        Some(TargetPort::Name(name)) => format!("->{name}"),
        Some(TargetPort::Number(_)) | None => String::new(),
    };
    let protocol = port.protocol.name().unwrap_or("?");
    format!("{name}{}{node_port}{target}/{protocol}", port.port)
}
