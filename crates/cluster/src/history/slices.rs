//! EndpointSlices: which addresses and ports are endpoints of which Services.

use std::sync::Arc;

use weir_model::{Protocol, Timestamp};

use super::{Ended, History, Name, name_of};
use crate::objects::{Address, EndpointSlice, ObjectKey};
use crate::snapshot::{At, Backend, Naming, PortName, Socket, sorted};

/// What is kept of a slice that is there.
#[derive(Debug)]
pub(super) struct SliceFacts {
    service: Name,
    ports: Box<[SlicePort]>,
}

/// A port of a slice with its endpoints.
#[derive(Debug)]
struct SlicePort {
    name: Arc<PortName>,
    protocol: Protocol,
    backends: Arc<[Backend]>,
}

impl SliceFacts {
    fn sockets(&self) -> impl Iterator<Item = (Socket, &Arc<PortName>)> {
        self.ports.iter().flat_map(|port| {
            let socket = |backend: &Backend| Socket::new(backend.ip, backend.port, port.protocol);
            port.backends.iter().map(move |backend| (socket(backend), &port.name))
        })
    }
}

impl History {
    pub(super) fn put_slice(&mut self, slice: &EndpointSlice, key: &ObjectKey, seen: Timestamp) {
        let name = name_of(key);
        let Some(service) = slice.service().map(|service| self.names.name(service)) else {
            return self.remove_slice(key, seen);
        };
        let service: Name = (self.names.name(&key.namespace), service);
        let made = if self.slices.contains_key(&name) { None } else { slice.metadata.creation_timestamp };
        let ports = slice.ports.iter().filter_map(|port| {
            let number = port.port?;
            let port_name = port.name.as_ref().map(|name| self.names.name(name));
            let backends = slice.endpoints.iter().flat_map(|endpoint| {
                let ips = endpoint.addresses.iter().filter_map(Address::ip).filter(|ip| !ip.is_unspecified());
                ips.map(move |ip| Backend::new(ip, number, endpoint, slice))
            });
            let mut backends: Vec<Backend> = backends.collect();
            for backend in &mut backends {
                backend.node = backend.node.as_ref().map(|node| self.names.name(node));
            }
            let name = Arc::new(PortName::new(&service.0, &service.1, port_name.as_ref()));
            Some(SlicePort { name, protocol: port.protocol, backends: sorted(backends) })
        });
        let facts = SliceFacts { ports: ports.collect(), service };
        self.exchange_slice(name, Some(facts), seen, made);
    }

    pub(super) fn remove_slice(&mut self, key: &ObjectKey, seen: Timestamp) {
        self.exchange_slice(name_of(key), None, seen, None);
    }

    /// Puts what is known of a slice in the place of what was.
    fn exchange_slice(&mut self, name: Name, facts: Option<SliceFacts>, seen: Timestamp, made: Option<Timestamp>) {
        let before = self.slices.remove(&name);
        if let Some(before) = &before
            && let Some(slices) = self.slices_of.get_mut(&before.service)
        {
            slices.retain(|slice| *slice != name);
            if slices.is_empty() {
                self.slices_of.remove(&before.service);
            }
        }
        let mut touched: Vec<Socket> = Vec::new();
        for (socket, port) in before.iter().flat_map(SliceFacts::sockets) {
            touched.push(socket);
            if let Some(members) = self.members.get_mut(&socket)
                && let Some(at) = members.iter().position(|member| *member == *port)
            {
                members.swap_remove(at);
                if members.is_empty() {
                    self.members.remove(&socket);
                }
            }
        }
        for (socket, port) in facts.iter().flat_map(SliceFacts::sockets) {
            touched.push(socket);
            let members = self.members.entry(socket).or_default();
            members.reserve_exact(1);
            members.push(Arc::clone(port));
        }
        let ports: Vec<Arc<PortName>> =
            before.iter().chain(&facts).flat_map(|facts| &facts.ports).map(|port| Arc::clone(&port.name)).collect();
        if let Some(facts) = facts {
            let slices = self.slices_of.entry(facts.service.clone()).or_default();
            slices.reserve_exact(1);
            slices.push(name.clone());
            self.slices.insert(name, facts);
        }
        for socket in touched {
            self.name_endpoint(socket, seen, made);
        }
        for port in ports {
            self.collect_backends(&port);
        }
    }

    /// A Service is known, or is of another type, or is gone: its endpoints are named anew.
    pub(super) fn name_endpoints_of(&mut self, service: &Name, seen: Timestamp) {
        let slices = self.slices_of.get(service).cloned().unwrap_or_default();
        let facts = slices.iter().filter_map(|slice| self.slices.get(slice));
        let sockets: Vec<Socket> = facts.flat_map(SliceFacts::sockets).map(|(socket, _)| socket).collect();
        for socket in sockets {
            self.name_endpoint(socket, seen, None);
        }
    }

    fn name_endpoint(&mut self, socket: Socket, seen: Timestamp, made: Option<Timestamp>) {
        let naming = self.naming(socket);
        let news = self.news(seen, made);
        let mut has_ended = false;
        let step = |at: &mut At| has_ended = at.naming.tell(news, naming);
        self.index.sockets.update(&socket, step, At::is_empty);
        if has_ended {
            self.ended.push_back((seen, Ended::Socket(socket)));
        }
    }

    /// How an endpoint is named after the Services that it is one of now.
    fn naming(&mut self, socket: Socket) -> Option<Arc<Naming>> {
        let mut members = self.members.get(&socket)?.clone();
        members.sort_unstable();
        members.dedup();
        let typed = members.into_iter().map(|port| {
            let service = self.services.get(&(Arc::clone(&port.namespace), Arc::clone(&port.service)));
            let service_type = service.map(super::services::ServiceFacts::service_type);
            (port, service_type)
        });
        let ports: Box<[_]> = typed.collect();
        if let Some(known) = self.namings.get(&ports) {
            return Some(Arc::clone(known));
        }
        if self.namings.len() >= self.namings_watermark {
            self.sweep_namings();
        }
        let borrowed: Vec<_> = ports.iter().map(|(port, service_type)| (&**port, *service_type)).collect();
        let naming = Arc::new(Naming::new(&borrowed));
        self.namings.insert(ports, Arc::clone(&naming));
        Some(naming)
    }

    /// Drops those that nobody is named by any more.
    pub(super) fn sweep_namings(&mut self) {
        self.namings.retain(|_, naming| Arc::strong_count(naming) > 1);
        self.namings.shrink_to_fit();
        self.namings_watermark = 1_024.max(2 * self.namings.len());
    }

    /// The endpoints of a Service's port, from all its slices.
    pub(super) fn collect_backends(&mut self, port: &Arc<PortName>) {
        let service = (Arc::clone(&port.namespace), Arc::clone(&port.service));
        let slices = self.slices_of.get(&service).into_iter().flatten().filter_map(|slice| self.slices.get(slice));
        let mut found: Vec<&Arc<[Backend]>> =
            slices.flat_map(|slice| &slice.ports).filter(|own| own.name == *port).map(|own| &own.backends).collect();
        let backends: Option<Arc<[Backend]>> = match (found.pop(), found.is_empty()) {
            (None, _) => self.services.get(&service).filter(|service| service.has_port(port)).map(|_| Arc::from([])),
            (Some(only), true) => Some(Arc::clone(only)),
            (Some(last), false) => {
                Some(sorted(found.into_iter().chain([last]).flat_map(|all| all.iter().cloned()).collect()))
            }
        };
        match backends {
            Some(backends) => self.index.backends.insert((**port).clone(), backends),
            None => self.index.backends.remove(port),
        }
    }
}
