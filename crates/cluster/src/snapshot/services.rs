//! Services by their addresses and ports, and by their endpoints' addresses and ports.
//!
//! Services and EndpointSlices come in. A target port is never resolved here: EndpointSlices hold the number, joined to
//! the Service's port by its name.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Endpoint, EndpointKind, PodRef, Protocol, Service, ServiceMethod, ServiceRef, ServiceType};

use super::HashMap;
use super::naming::{Naming, PortName, Shared};
use super::socket::{Port, Socket};
use crate::objects::{self, EndpointSlice, Objects, SliceEndpoint};

/// An endpoint of a Service's port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backend {
    /// Its address.
    pub ip: IpAddr,
    /// The port at that address.
    pub port: u16,
    /// The pod behind it, where the EndpointSlice names one.
    pub pod: Option<PodRef>,
    /// The node it is on.
    pub node: Option<Arc<str>>,
    /// It takes traffic.
    pub ready: bool,
    /// It could take traffic, going away or not: used where none is ready.
    pub serving: bool,
    /// It is going away.
    pub terminating: bool,
}

/// One or more Services at an address and port.
#[derive(Debug)]
pub(crate) struct Claim {
    /// The Service used; several Services only as candidates.
    pub(crate) known: Arc<Service>,
    /// The Service as an endpoint; without a name where there are several.
    pub(crate) endpoint: Arc<Endpoint>,
}

/// What is at an address and port: positions of a claim and of a naming.
#[derive(Clone, Copy, Debug, Default)]
struct At {
    claim: Option<u32>,
    naming: Option<u32>,
}

#[derive(Debug)]
pub(super) struct Services {
    sockets: HashMap<Socket, At>,
    claims: Vec<Claim>,
    namings: Vec<Naming>,
    node_ports: HashMap<Port, Claim>,
    addresses: HashMap<IpAddr, Arc<Endpoint>>,
    backends: HashMap<PortName, Vec<Backend>>,
}

impl Services {
    pub(super) fn build(objects: &Objects) -> Self {
        let mut shared = Shared::default();
        let mut claims = Claims::default();
        for service in objects.services() {
            claims.add(service);
        }
        let (endpoints, namings) = endpoints(objects, &mut shared);
        let several = Arc::new(Endpoint { kind: EndpointKind::Service, ..Endpoint::default() });
        let addresses = claims.addresses.into_iter();
        let mut services = Self {
            addresses: addresses.map(|(ip, found)| (ip, found.unwrap_or_else(|| Arc::clone(&several)))).collect(),
            node_ports: settle(claims.node_ports, &several, &mut shared).collect(),
            sockets: endpoints,
            claims: Vec::new(),
            namings,
            backends: backends(objects),
        };
        for (socket, claim) in settle(claims.sockets, &several, &mut shared) {
            services.sockets.entry(socket).or_default().claim = Some(services.claims.len() as u32);
            services.claims.push(claim);
        }
        services
    }

    /// Who claims an address and port, and how it is named as an endpoint.
    pub(super) fn at(&self, ip: IpAddr, port: u16, protocol: Protocol) -> (Option<&Claim>, Option<&Naming>) {
        let at = self.sockets.get(&Socket::new(ip, port, protocol)).copied().unwrap_or_default();
        let claim = at.claim.and_then(|position| self.claims.get(position as usize));
        (claim, at.naming.and_then(|position| self.namings.get(position as usize)))
    }

    pub(super) fn claim_at(&self, ip: IpAddr, port: u16, protocol: Protocol) -> Option<&Claim> {
        self.at(ip, port, protocol).0
    }

    /// The claim to a port at every node's address.
    pub(super) fn claim_on_nodes(&self, port: u16, protocol: Protocol) -> Option<&Claim> {
        self.node_ports.get(&Port::new(port, protocol))
    }

    /// The endpoints of a Service's port; `None` where no object names that port.
    pub(super) fn known_backends(&self, service: &ServiceRef) -> Option<&[Backend]> {
        self.backends.get(&PortName::of(service)).map(Vec::as_slice)
    }

    /// Addresses that belong to Services whatever the port.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (&IpAddr, &Arc<Endpoint>)> {
        self.addresses.iter()
    }
}

type Found = Vec<(ServiceRef, ServiceMethod, Arc<Endpoint>)>;

/// Who claims what, before it is known whether others do too.
#[derive(Default)]
struct Claims {
    sockets: HashMap<Socket, Found>,
    node_ports: HashMap<Port, Found>,
    /// `None` = several Services.
    addresses: HashMap<IpAddr, Option<Arc<Endpoint>>>,
}

impl Claims {
    fn add(&mut self, service: &objects::Service) {
        let metadata = &service.metadata;
        let endpoint = Arc::new(Endpoint {
            kind: EndpointKind::Service,
            namespace: Some(Arc::clone(&metadata.namespace)),
            name: Some(Arc::clone(&metadata.name)),
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
        for (ip, _) in addresses.iter().filter(|(_, method)| *method != ServiceMethod::ExternalIp) {
            let holder = self.addresses.entry(*ip).or_insert_with(|| Some(Arc::clone(&endpoint)));
            if holder.as_ref().is_some_and(|other| !Arc::ptr_eq(other, &endpoint)) {
                *holder = None;
            }
        }
        let service_type = service.service_type();
        for port in &service.spec.ports {
            let named = ServiceRef {
                namespace: Arc::clone(&metadata.namespace),
                name: Arc::clone(&metadata.name),
                service_type,
                port_name: port.name.clone(),
            };
            for (ip, method) in &addresses {
                let found = self.sockets.entry(Socket::new(*ip, port.port, port.protocol)).or_default();
                found.push((named.clone(), *method, Arc::clone(&endpoint)));
            }
            if let Some(number) = port.node_port.filter(|_| service.has_node_ports()) {
                let found = self.node_ports.entry(Port::new(number, port.protocol)).or_default();
                found.push((named, ServiceMethod::NodePort, Arc::clone(&endpoint)));
            }
        }
    }
}

/// Decides each claim: one Service by its surest method, or several that cannot be told apart.
fn settle<K>(
    found: HashMap<K, Found>,
    several: &Arc<Endpoint>,
    shared: &mut Shared,
) -> impl Iterator<Item = (K, Claim)> {
    found.into_iter().filter_map(|(key, mut found)| {
        found.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let (service, method, endpoint) = found.first()?.clone();
        let claim = if found.iter().all(|(other, ..)| *other == service) {
            let known = Service { used: Some(service), method: Some(method), candidates: Vec::new() };
            Claim { known: shared.service(known), endpoint }
        } else {
            let candidates = shared.candidates(found.iter().map(|(other, ..)| (&*other.namespace, &*other.name)));
            let known = Service { used: None, method: None, candidates };
            Claim { known: shared.service(known), endpoint: Arc::clone(several) }
        };
        Some((key, claim))
    })
}

/// The slices that belong to a Service, with its name.
fn slices(objects: &Objects) -> impl Iterator<Item = (&EndpointSlice, &Arc<str>)> {
    objects.endpoint_slices().filter_map(|slice| Some((slice, slice.service()?)))
}

fn ips(endpoint: &SliceEndpoint) -> impl Iterator<Item = IpAddr> {
    endpoint.addresses.iter().filter_map(objects::Address::ip).filter(|ip| !ip.is_unspecified())
}

/// Every endpoint's address and port, and what flows to it are named; endpoints of the same Services share that.
fn endpoints(objects: &Objects, shared: &mut Shared) -> (HashMap<Socket, At>, Vec<Naming>) {
    let types: HashMap<(&str, &str), ServiceType> = objects
        .services()
        .map(|service| ((&*service.metadata.namespace, &*service.metadata.name), service.service_type()))
        .collect();
    let mut ports: Vec<PortName> = Vec::new();
    let mut positions: HashMap<PortName, u32> = HashMap::default();
    let mut members: HashMap<Socket, Vec<u32>> = HashMap::default();
    for (slice, service) in slices(objects) {
        for port in &slice.ports {
            let Some(number) = port.port else { continue };
            let name = PortName::new(&slice.metadata.namespace, service, port.name.as_ref());
            let position = *positions.entry(name).or_insert_with_key(|name| {
                ports.push(name.clone());
                ports.len() as u32 - 1
            });
            for ip in slice.endpoints.iter().flat_map(ips) {
                members.entry(Socket::new(ip, number, port.protocol)).or_default().push(position);
            }
        }
    }
    let mut namings = Vec::new();
    let mut known: HashMap<Vec<u32>, u32> = HashMap::default();
    let endpoints = members.into_iter().map(|(socket, mut members)| {
        members.sort_unstable();
        members.dedup();
        let naming = *known.entry(members).or_insert_with_key(|members| {
            let ports: Vec<_> = members
                .iter()
                .filter_map(|position| ports.get(*position as usize))
                .map(|port| (port, types.get(&(&*port.namespace, &*port.service)).copied()))
                .collect();
            namings.push(Naming::new(&ports, shared));
            namings.len() as u32 - 1
        });
        (socket, At { claim: None, naming: Some(naming) })
    });
    (endpoints.collect(), namings)
}

/// The endpoints of every Service port. Slices may repeat one while they are rewritten: the readier entry counts.
fn backends(objects: &Objects) -> HashMap<PortName, Vec<Backend>> {
    let mut backends: HashMap<PortName, Vec<Backend>> = HashMap::default();
    for service in objects.services() {
        for port in &service.spec.ports {
            let name = PortName::new(&service.metadata.namespace, &service.metadata.name, port.name.as_ref());
            backends.entry(name).or_default();
        }
    }
    for (slice, service) in slices(objects) {
        for port in &slice.ports {
            let Some(number) = port.port else { continue };
            let name = PortName::new(&slice.metadata.namespace, service, port.name.as_ref());
            let list = backends.entry(name).or_default();
            for endpoint in &slice.endpoints {
                list.extend(ips(endpoint).map(|ip| backend(ip, number, endpoint, slice)));
            }
        }
    }
    for list in backends.values_mut() {
        list.sort_by_key(|backend| (backend.ip, backend.port, !backend.ready, !backend.serving));
        list.dedup_by_key(|backend| (backend.ip, backend.port));
    }
    backends
}

fn backend(ip: IpAddr, port: u16, endpoint: &SliceEndpoint, slice: &EndpointSlice) -> Backend {
    let target = endpoint.target_ref.as_ref().filter(|target| target.kind.as_deref() == Some("Pod"));
    let pod = target.and_then(|target| {
        let namespace = target.namespace.as_ref().unwrap_or(&slice.metadata.namespace);
        Some(PodRef { namespace: Arc::clone(namespace), name: Arc::clone(target.name.as_ref()?) })
    });
    let conditions = endpoint.conditions;
    Backend {
        ip,
        port,
        pod,
        node: endpoint.node_name.clone(),
        ready: conditions.is_ready(),
        serving: conditions.is_serving(),
        terminating: conditions.is_terminating(),
    }
}
