//! The way from one end to the other: names to pods and endpoints, then what the policies say of each pair, rule by rule.

use std::collections::BTreeSet;
use std::net::IpAddr;

use anyhow::{Result, bail};
use serde::Serialize;
use weir_cluster::objects::{Objects, Service, ServicePort};
use weir_cluster::policy::{Connection, NearMiss, Party, PolicyOptions, PolicySet, Refused, SideVerdict};
use weir_cluster::{Backend, Snapshot, SnapshotOptions};
use weir_model::{PodRef, Protocol, ServiceRef, Verdict};

use super::place::{Place, PlaceKind};

/// What is known of the cluster.
pub(super) struct Cluster {
    objects: Objects,
    snapshot: Snapshot,
    policies: PolicySet,
}

/// What was found.
#[derive(Debug, Serialize)]
pub(super) struct Walk {
    /// The Service in between, and what is behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<ServiceFound>,
    /// Every pair of ends.
    pub(super) ways: Vec<Way>,
    /// All pairs together; undecided where they differ.
    pub(super) verdict: &'static str,
}

#[derive(Debug, Serialize)]
pub(super) struct ServiceFound {
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) ready: usize,
    pub(super) not_ready: usize,
}

/// One pair.
#[derive(Debug, Serialize)]
pub(super) struct Way {
    pub(super) src: String,
    pub(super) dst: String,
    pub(super) port: u16,
    pub(super) protocol: String,
    pub(super) verdict: &'static str,
    pub(super) egress: Side,
    pub(super) ingress: Side,
}

/// What is said of one side.
#[derive(Debug, Serialize)]
pub(super) struct Side {
    pub(super) verdict: &'static str,
    pub(super) reason: &'static str,
    pub(super) policies: Vec<String>,
    pub(super) rule: Option<u32>,
    /// The rule that comes nearest to allowing what is denied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nearest: Option<String>,
}

/// One end that is resolved.
#[derive(Clone)]
struct End {
    name: String,
    pod: Option<PodRef>,
    ip: Option<IpAddr>,
    party: Party,
}

/// An end that is connected to.
struct Target {
    end: End,
    port: u16,
    protocol: Protocol,
}

impl Cluster {
    pub(super) fn new(objects: Objects) -> Self {
        let snapshot = Snapshot::build(&objects, &SnapshotOptions::default());
        let policies = PolicySet::build(&objects, PolicyOptions::default());
        Self { objects, snapshot, policies }
    }

    /// Walks every way from one end to the other.
    pub(super) fn walk(&self, src: &Place, dst: &Place, protocol: Protocol) -> Result<Walk> {
        let openers = self.ends(src)?;
        let (service, targets) = if let PlaceKind::Service { namespace, name } = &dst.kind {
            let (found, targets) = self.behind(namespace, name, dst.port.as_deref())?;
            (Some(found), targets)
        } else {
            let Some(port) = dst.port_number() else {
                bail!("the other end needs a port, such as pod/shop/web:8080");
            };
            let target = |end| Target { end, port, protocol };
            (None, self.ends(dst)?.into_iter().map(target).collect())
        };
        let pairs = openers.iter().flat_map(|src| targets.iter().map(move |target| (src, target)));
        let ways: Vec<(Verdict, Way)> = pairs.map(|(src, dst)| self.way(src, dst)).collect();
        let first = ways.first().map(|(verdict, _)| *verdict);
        let verdict = first.filter(|first| ways.iter().all(|(verdict, _)| verdict == first));
        let verdict = verdict.unwrap_or(Verdict::Undecided).name();
        Ok(Walk { service, ways: ways.into_iter().map(|(_, way)| way).collect(), verdict })
    }

    fn way(&self, src: &End, target: &Target) -> (Verdict, Way) {
        let Target { end: dst, port, protocol } = target;
        let (port, protocol) = (*port, *protocol);
        let said =
            self.policies.judge(&Connection { src: src.party, dst: dst.party, protocol, port, dst_dns_name: None });
        let side = |side: &SideVerdict<'_>, peer: &End, is_egress| {
            let (dst, peer_ip) = (dst.pod.as_ref(), peer.ip);
            let refused = Refused { dst, peer: peer.pod.as_ref(), peer_ip, protocol, port, is_egress };
            let is_denied = side.verdict == Verdict::Denied;
            let nearest = is_denied.then(|| NearMiss::nearest(&self.objects, side.policies, &refused)).flatten();
            Side {
                verdict: side.verdict.name(),
                reason: side.reason.name(),
                policies: side.policies.iter().map(ToString::to_string).collect(),
                rule: side.rule,
                nearest: nearest.map(|nearest| nearest.to_string()),
            }
        };
        let way = Way {
            src: src.name.clone(),
            dst: dst.name.clone(),
            port,
            protocol: protocol.to_string(),
            verdict: said.verdict.name(),
            egress: side(&said.egress, dst, true),
            ingress: side(&said.ingress, src, false),
        };
        (said.verdict, way)
    }

    fn ends(&self, place: &Place) -> Result<Vec<End>> {
        match &place.kind {
            PlaceKind::Address(ip) => {
                let pod = self.snapshot.pod(*ip).map(|entry| entry.pod.clone());
                let name = pod.as_ref().map_or_else(|| ip.to_string(), ToString::to_string);
                Ok(vec![End { name, pod, ip: Some(*ip), party: self.policies.party(*ip) }])
            }
            PlaceKind::Node(name) => {
                let Some(party) = self.policies.node(name) else { bail!("no such node: {name}") };
                let object = self.objects.nodes().find(|node| *node.metadata.name == **name);
                let ip = object.and_then(|node| node.ips().next());
                Ok(vec![End { name: format!("node {name}"), pod: None, ip, party }])
            }
            PlaceKind::Pod { namespace, name } => self.pods(namespace, name),
            PlaceKind::Service { namespace, name } => {
                bail!("{namespace}/{name}: a Service opens no connection; name a pod")
            }
        }
    }

    /// The pod of a name, or the pods of a workload of that name.
    fn pods(&self, namespace: &str, name: &str) -> Result<Vec<End>> {
        let of_namespace = || self.objects.pods().filter(|pod| &*pod.metadata.namespace == namespace);
        let end = |pod: &weir_cluster::objects::Pod| {
            let metadata = &pod.metadata;
            let named = PodRef { namespace: metadata.namespace.clone(), name: metadata.name.clone() };
            let party = self.policies.pod(&named.namespace, &named.name)?;
            Some(End { name: named.to_string(), ip: pod.ips().next(), pod: Some(named), party })
        };
        let exact: Vec<End> = of_namespace().filter(|pod| *pod.metadata.name == *name).filter_map(end).collect();
        if !exact.is_empty() {
            return Ok(exact);
        }
        let is_of_workload = |pod: &&weir_cluster::objects::Pod| {
            let named = PodRef { namespace: pod.metadata.namespace.clone(), name: pod.metadata.name.clone() };
            let entry = self.snapshot.pod_named(&named);
            entry.is_some_and(|entry| entry.endpoint.workload.as_deref() == Some(name))
        };
        let owned: Vec<End> = of_namespace().filter(is_of_workload).filter_map(end).collect();
        if owned.is_empty() {
            bail!("no such pod, and no pod of such a workload: {namespace}/{name}");
        }
        Ok(owned)
    }

    /// The endpoints of a Service's port that take traffic.
    fn behind(&self, namespace: &str, name: &str, port: Option<&str>) -> Result<(ServiceFound, Vec<Target>)> {
        let is_it = |service: &&Service| &*service.metadata.namespace == namespace && &*service.metadata.name == name;
        let Some(service) = self.objects.services().find(is_it) else { bail!("no such Service: {namespace}/{name}") };
        let port = chosen(service, port)?;
        let used = ServiceRef {
            namespace: service.metadata.namespace.clone(),
            name: service.metadata.name.clone(),
            service_type: service.service_type(),
            port_name: port.name.clone(),
        };
        // A pod with addresses of both families is one endpoint here.
        let mut seen = BTreeSet::new();
        let mut backends: Vec<&Backend> = self.snapshot.backends(&used).iter().collect();
        backends.retain(|backend| backend.pod.as_ref().is_none_or(|pod| seen.insert((pod.clone(), backend.port))));
        let ready: Vec<&Backend> = backends.iter().copied().filter(|backend| backend.ready).collect();
        let found = ServiceFound {
            name: format!("{namespace}/{name}"),
            port: port.port,
            ready: ready.len(),
            not_ready: backends.len() - ready.len(),
        };
        let end = |backend: &&Backend| {
            let pod = backend.pod.clone();
            let known = pod.as_ref().and_then(|pod| self.policies.pod(&pod.namespace, &pod.name));
            let party = known.map_or_else(|| self.policies.party(backend.ip), |party| party.at(backend.ip));
            let name = pod.as_ref().map_or_else(|| backend.ip.to_string(), ToString::to_string);
            let end = End { name, pod, ip: Some(backend.ip), party };
            Target { end, port: backend.port, protocol: port.protocol }
        };
        Ok((found, ready.iter().map(end).collect()))
    }
}

/// The port by number or name; the only one where none is said.
fn chosen<'a>(service: &'a Service, port: Option<&str>) -> Result<&'a ServicePort> {
    let ports = &service.spec.ports;
    let known = || ports.iter().map(|port| port.port.to_string()).collect::<Vec<_>>().join(", ");
    match (port, ports.as_slice()) {
        (None, [only]) => Ok(only),
        (None, _) => bail!("which of the ports {}?", known()),
        (Some(wanted), _) => {
            let is_it = |port: &&ServicePort| port.name.as_deref() == Some(wanted) || port.port.to_string() == wanted;
            match ports.iter().find(is_it) {
                Some(port) => Ok(port),
                None => bail!("the Service has no port {wanted}, only {}", known()),
            }
        }
    }
}
