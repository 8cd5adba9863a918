//! Services: their addresses and ports, and who has one that several claim.
//!
//! A target port is never resolved here: EndpointSlices hold the number, joined to the Service's port by its name.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Endpoint, EndpointKind, Service, ServiceMethod, ServiceRef, ServiceType, Timestamp};

use super::{Ended, History, Name, is_of, name_of};
use crate::objects::{self, ObjectKey};
use crate::snapshot::{At, Claim, Holders, NamedService, Port, PortName, Rank, Socket, Steps, candidates, name_key};

/// What is kept of a Service that is there.
#[derive(Debug)]
pub(super) struct ServiceFacts {
    service_type: ServiceType,
    endpoint: Arc<Endpoint>,
    /// Addresses that are its alone, at whatever port.
    addresses: Vec<IpAddr>,
    sockets: Vec<Socket>,
    node_ports: Vec<Port>,
    ports: Vec<Arc<PortName>>,
}

impl ServiceFacts {
    pub(super) const fn service_type(&self) -> ServiceType {
        self.service_type
    }

    pub(super) fn has_port(&self, port: &PortName) -> bool {
        self.ports.iter().any(|own| **own == *port)
    }
}

/// A Service that claims an address and port, or a port on every node.
#[derive(Clone, Debug)]
pub(super) struct Claimant {
    service: ServiceRef,
    method: ServiceMethod,
    endpoint: Arc<Endpoint>,
    local_only: bool,
}

impl History {
    pub(super) fn put_service(&mut self, service: &objects::Service, key: &ObjectKey, seen: Timestamp) {
        let name: Name = (self.names.name(&key.namespace), self.names.name(&key.name));
        let before = self.services.remove(&name);
        let made = if before.is_none() { service.metadata.creation_timestamp } else { None };
        self.unclaim(&name, before.as_ref());
        let facts = self.claim(service, &name);
        for ip in &facts.addresses {
            let from = self.early(seen, made);
            let claim = |holders: &mut Holders| holders.claim(Rank::Service, &facts.endpoint, from);
            self.index.holders.update(&(*ip).into(), claim, |_| false);
        }
        let empty = ServiceFacts {
            service_type: facts.service_type,
            endpoint: Arc::clone(&facts.endpoint),
            addresses: Vec::new(),
            sockets: Vec::new(),
            node_ports: Vec::new(),
            ports: Vec::new(),
        };
        let type_is_news = before.as_ref().is_none_or(|before| before.service_type != facts.service_type);
        let before = before.unwrap_or(empty);
        self.release_service(&before, &facts.addresses, seen);
        for socket in before.sockets.iter().chain(&facts.sockets) {
            self.settle_socket(*socket, seen, made);
        }
        for port in before.node_ports.iter().chain(&facts.node_ports) {
            self.settle_node_port(*port, seen, made);
        }
        self.settle_name(&name, named_service(service, &name), seen, made);
        let ports: Vec<_> = before.ports.iter().chain(&facts.ports).cloned().collect();
        self.services.insert(name.clone(), facts);
        for port in ports {
            self.collect_backends(&port);
        }
        if type_is_news {
            self.name_endpoints_of(&name, seen);
        }
    }

    pub(super) fn remove_service(&mut self, key: &ObjectKey, seen: Timestamp) {
        let name = name_of(key);
        let Some(facts) = self.services.remove(&name) else { return };
        self.unclaim(&name, Some(&facts));
        self.release_service(&facts, &[], seen);
        for socket in &facts.sockets {
            self.settle_socket(*socket, seen, None);
        }
        for port in &facts.node_ports {
            self.settle_node_port(*port, seen, None);
        }
        self.settle_name(&name, None, seen, None);
        for port in &facts.ports {
            self.collect_backends(port);
        }
        self.name_endpoints_of(&name, seen);
    }

    fn unclaim(&mut self, name: &Name, facts: Option<&ServiceFacts>) {
        let Some(facts) = facts else { return };
        for socket in &facts.sockets {
            if let Some(claimants) = self.claimants.get_mut(socket) {
                claimants.retain(|claimant| !is_of(&claimant.service, name));
                if claimants.is_empty() {
                    self.claimants.remove(socket);
                }
            }
        }
        for port in &facts.node_ports {
            if let Some(claimants) = self.node_port_claimants.get_mut(port) {
                claimants.retain(|claimant| !is_of(&claimant.service, name));
                if claimants.is_empty() {
                    self.node_port_claimants.remove(port);
                }
            }
        }
    }

    fn claim(&mut self, service: &objects::Service, name: &Name) -> ServiceFacts {
        let endpoint = Arc::new(Endpoint {
            kind: EndpointKind::Service,
            namespace: Some(Arc::clone(&name.0)),
            name: Some(Arc::clone(&name.1)),
            ..Endpoint::default()
        });
        let addresses: Vec<(IpAddr, ServiceMethod)> = service
            .cluster_ips()
            .map(|ip| (ip, ServiceMethod::ClusterIp))
            .chain(service.load_balancer_ips().map(|ip| (ip, ServiceMethod::LoadBalancer)))
            .chain(service.external_ips().map(|ip| (ip, ServiceMethod::ExternalIp)))
            .filter(|(ip, _)| !ip.is_unspecified())
            .collect();
        // An external address need not be the Service's alone: only its ports are claimed.
        let alone = addresses.iter().filter(|(_, method)| *method != ServiceMethod::ExternalIp);
        let mut facts = ServiceFacts {
            service_type: service.service_type(),
            endpoint: Arc::clone(&endpoint),
            addresses: alone.map(|(ip, _)| *ip).collect(),
            sockets: Vec::new(),
            node_ports: Vec::new(),
            ports: Vec::new(),
        };
        for port in &service.spec.ports {
            let port_name = port.name.as_ref().map(|port| self.names.name(port));
            let port_name = Arc::new(PortName::new(&name.0, &name.1, port_name.as_ref()));
            let named = port_name.typed(facts.service_type);
            facts.ports.push(port_name);
            for (ip, method) in &addresses {
                let socket = Socket::new(*ip, port.port, port.protocol);
                let local_only = service.is_local_only(*method);
                let endpoint = Arc::clone(&endpoint);
                let claimant = Claimant { service: named.clone(), method: *method, endpoint, local_only };
                add(self.claimants.entry(socket).or_default(), claimant);
                facts.sockets.push(socket);
            }
            if let Some(number) = port.node_port.filter(|_| service.has_node_ports()) {
                let port = Port::new(number, port.protocol);
                let method = ServiceMethod::NodePort;
                let local_only = service.is_local_only(method);
                let claimant = Claimant { service: named, method, endpoint: Arc::clone(&endpoint), local_only };
                add(self.node_port_claimants.entry(port).or_default(), claimant);
                facts.node_ports.push(port);
            }
        }
        facts.addresses.shrink_to_fit();
        facts.sockets.shrink_to_fit();
        facts.node_ports.shrink_to_fit();
        facts.ports.shrink_to_fit();
        facts
    }

    fn release_service(&mut self, facts: &ServiceFacts, kept: &[IpAddr], to: Timestamp) {
        for ip in facts.addresses.iter().filter(|ip| !kept.contains(ip)) {
            let release = |holders: &mut Holders| holders.release(Rank::Service, &facts.endpoint, to);
            self.index.holders.update(&(*ip).into(), release, |_| false);
            self.ended.push_back((to, Ended::Address((*ip).into())));
        }
    }

    fn settle_socket(&mut self, socket: Socket, seen: Timestamp, made: Option<Timestamp>) {
        let claim = self.claimants.get(&socket).and_then(|claimants| settle(claimants, &self.index.several));
        let claim = claim.map(|claim| self.claims.share(claim));
        let news = self.news(seen, made);
        let mut has_ended = false;
        let step = |at: &mut At| has_ended = at.claim.tell(news, claim);
        self.index.sockets.update(&socket, step, At::is_empty);
        if has_ended {
            self.ended.push_back((seen, Ended::Socket(socket)));
        }
    }

    fn settle_node_port(&mut self, port: Port, seen: Timestamp, made: Option<Timestamp>) {
        let claim = self.node_port_claimants.get(&port).and_then(|claimants| settle(claimants, &self.index.several));
        let claim = claim.map(|claim| self.claims.share(claim));
        let news = self.news(seen, made);
        let mut has_ended = false;
        let step = |steps: &mut Steps<Arc<Claim>>| has_ended = steps.tell(news, claim);
        self.index.node_ports.update(&port, step, Steps::is_empty);
        if has_ended {
            self.ended.push_back((seen, Ended::NodePort(port)));
        }
    }

    fn settle_name(&mut self, name: &Name, now: Option<NamedService>, seen: Timestamp, made: Option<Timestamp>) {
        let key: Arc<str> = name_key(&name.0, &name.1).into();
        if now.is_none() && self.index.named.get(&*key).is_none() {
            return;
        }
        let news = self.news(seen, made);
        let mut has_ended = false;
        let step = |steps: &mut Steps<Arc<NamedService>>| has_ended = steps.tell(news, now.map(Arc::new));
        self.index.named.update(&key, step, Steps::is_empty);
        if has_ended {
            self.ended.push_back((seen, Ended::Name(key)));
        }
    }
}

/// A Service that only its name leads to.
fn named_service(service: &objects::Service, name: &Name) -> Option<NamedService> {
    let service_type = service.service_type();
    let is_named = matches!(service_type, ServiceType::Headless | ServiceType::ExternalName);
    let service_ref =
        || ServiceRef { namespace: Arc::clone(&name.0), name: Arc::clone(&name.1), service_type, port_name: None };
    is_named.then(|| NamedService::new(service_ref(), service.spec.external_name.as_deref()))
}

/// Most have one.
fn add(claimants: &mut Vec<Claimant>, claimant: Claimant) {
    claimants.reserve_exact(1);
    claimants.push(claimant);
}

/// Decides a claim: one Service by its surest method, or several that cannot be told apart.
fn settle(claimants: &[Claimant], several: &Arc<Endpoint>) -> Option<Claim> {
    let first = claimants.iter().min_by(|a, b| (&a.service, a.method).cmp(&(&b.service, b.method)))?;
    if claimants.iter().all(|other| other.service == first.service) {
        let used = Some(first.service.clone());
        let known = Service { used, method: Some(first.method), candidates: Vec::new() };
        let endpoint = Arc::clone(&first.endpoint);
        return Some(Claim { known: Arc::new(known), endpoint, local_only: first.local_only });
    }
    let names = claimants.iter().map(|other| (&*other.service.namespace, &*other.service.name));
    let known = Service { used: None, method: None, candidates: candidates(names) };
    Some(Claim { known: Arc::new(known), endpoint: Arc::clone(several), local_only: false })
}
