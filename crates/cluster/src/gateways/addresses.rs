//! Where Ingresses and Gateways say they are reached, and which Services that is.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{KnownBy, Serves};
use crate::objects::{IngressClass, Objects, Part, Service};

/// Ports by which clients of Ingresses come.
const WEB_PORTS: [u16; 2] = [80, 443];

/// Addresses of gateways, as text in lower case, each with what is served there.
pub(super) struct Addresses {
    ingresses: BTreeMap<String, Serves>,
    gateways: BTreeMap<String, Serves>,
    /// Ports that listeners of a Gateway's address have.
    listened: BTreeMap<String, Vec<u16>>,
    /// How many Services have an address.
    shared: BTreeMap<String, usize>,
}

impl Addresses {
    pub(super) fn new(objects: &Objects) -> Self {
        let mut made = Self {
            ingresses: BTreeMap::new(),
            gateways: BTreeMap::new(),
            listened: BTreeMap::new(),
            shared: BTreeMap::new(),
        };
        let default = objects.ingress_classes().find(|class| class.is_default());
        for ingress in objects.ingresses() {
            let named = ingress.class_name().or_else(|| default.map(|class: &IngressClass| &class.metadata.name));
            let serves = Serves { ingresses: true, classes: named.cloned().into_iter().collect(), ..Serves::default() };
            for place in &ingress.status.load_balancer.ingress {
                let address = place.ip.map(|ip| ip.to_string());
                let host = place.hostname.as_ref().map(|host| host.to_ascii_lowercase());
                for address in address.into_iter().chain(host) {
                    made.ingresses.entry(address).or_default().add(&serves);
                }
            }
        }
        for gateway in objects.gateways() {
            let name = (Arc::clone(&gateway.metadata.namespace), Arc::clone(&gateway.metadata.name));
            let serves = Serves { gateways: [name].into(), ..Serves::default() };
            for address in gateway.status.addresses.iter().filter(|address| !address.value.is_empty()) {
                let address = normal(&address.value);
                made.gateways.entry(address.clone()).or_default().add(&serves);
                let ports = gateway.spec.listeners.iter().filter_map(Part::read).map(|listener| listener.port);
                made.listened.entry(address).or_default().extend(ports);
            }
        }
        for service in objects.services() {
            for address in of(service) {
                *made.shared.entry(address).or_default() += 1;
            }
        }
        made
    }

    /// How a Service is known to be before gateways. Where several have the address, the one with the ports counts.
    pub(super) fn of_service(&self, service: &Service) -> Vec<(KnownBy, Serves)> {
        let has = |ports: &[u16]| service.spec.ports.iter().any(|port| ports.contains(&port.port));
        let mut ways = Vec::new();
        for address in of(service) {
            let is_alone = self.shared.get(&address).is_none_or(|services| *services == 1);
            if let Some(serves) = self.ingresses.get(&address).filter(|_| is_alone || has(&WEB_PORTS)) {
                ways.push((KnownBy::IngressStatus, serves.clone()));
            }
            let listened = self.listened.get(&address).map_or(&[][..], |ports| ports);
            if let Some(serves) = self.gateways.get(&address).filter(|_| is_alone || has(listened)) {
                ways.push((KnownBy::GatewayStatus, serves.clone()));
            }
        }
        ways
    }
}

/// Every address and name that a Service has, each once.
fn of(service: &Service) -> Vec<String> {
    let (namespace, name) = (&service.metadata.namespace, &service.metadata.name);
    let ips = service.load_balancer_ips().chain(service.external_ips()).chain(service.cluster_ips());
    let hosts = service.status.load_balancer.ingress.iter().filter_map(|place| place.hostname.as_deref());
    let mut all: Vec<String> = ips.map(|ip| ip.to_string()).chain(hosts.map(str::to_ascii_lowercase)).collect();
    all.extend([format!("{name}.{namespace}.svc"), format!("{name}.{namespace}.svc.cluster.local")]);
    all.sort();
    all.dedup();
    all
}

/// An address in the form that addresses print in, a name in lower case.
fn normal(address: &str) -> String {
    let ip = address.parse::<std::net::IpAddr>().map(|ip| ip.to_canonical().to_string());
    ip.unwrap_or_else(|_| address.to_ascii_lowercase())
}
