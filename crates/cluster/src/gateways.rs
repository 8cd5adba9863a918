//! Which pods are gateways: Ingress controllers and the proxies of Gateways.
//!
//! Objects come in; pods with what they serve, on which of their ports, and how that is known go out. A pod is a gateway
//! because the address in an Ingress's or Gateway's status belongs to a Service in front of it, because it has a label that
//! gateways have, or because somebody says so. Nothing is inferred from traffic.

mod addresses;
mod labels;
mod ports;

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use weir_model::PodRef;

use crate::objects::Objects;
use addresses::Addresses;
use labels::WellKnown;
use ports::Behind;

/// What is said beside the objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayOptions {
    /// Namespaces and names of Services whose pods are gateways.
    pub services: Vec<(Arc<str>, Arc<str>)>,
}

/// How it is known that a pod is a gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KnownBy {
    /// It is behind the Service whose address stands in the status of an Ingress.
    IngressStatus,
    /// It is behind the Service whose address stands in the status of a Gateway.
    GatewayStatus,
    /// It, or the Service before it, carries the name of a Gateway as a label (GEP-1762).
    GatewayName,
    /// It has a label that the pods of a known controller have.
    Label,
    /// Somebody said so.
    Config,
}

impl KnownBy {
    /// Its name, `ingress-status`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::IngressStatus => "ingress-status",
            Self::GatewayStatus => "gateway-status",
            Self::GatewayName => "gateway-name",
            Self::Label => "label",
            Self::Config => "config",
        }
    }
}

/// Which rules a gateway serves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Serves {
    /// Whether it serves Ingresses.
    pub ingresses: bool,
    /// Of these classes; empty = of any, as far as is known.
    pub classes: BTreeSet<Arc<str>>,
    /// Gateways, by namespace and name.
    pub gateways: BTreeSet<(Arc<str>, Arc<str>)>,
}

impl Serves {
    /// Takes over what else is served. Classes that somebody names narrow down who was taken to serve any.
    fn add(&mut self, other: &Self) {
        self.ingresses |= other.ingresses;
        self.classes.extend(other.classes.iter().cloned());
        self.gateways.extend(other.gateways.iter().cloned());
    }
}

/// A pod that is a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GatewayPod {
    /// How that is known, surest first.
    pub known_by: BTreeSet<KnownBy>,
    /// What it serves.
    pub serves: Serves,
    /// Services in front of it, by namespace and name.
    pub services: BTreeSet<(Arc<str>, Arc<str>)>,
    /// Its own ports that clients reach, each with the ports that they dial; empty = not known.
    pub ports: BTreeMap<u16, BTreeSet<u16>>,
}

impl GatewayPod {
    /// Whether clients of its rules may come in at one of its ports.
    pub fn listens(&self, port: u16) -> bool {
        self.ports.is_empty() || self.ports.contains_key(&port)
    }

    /// The port that was dialled to come in at one of its ports; `None` = not known, or one of several.
    pub fn dialled(&self, port: u16) -> Option<u16> {
        let dialled = self.ports.get(&port)?;
        dialled.first().copied().filter(|_| dialled.len() == 1)
    }
}

/// The gateways of a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gateways {
    pods: BTreeMap<PodRef, GatewayPod>,
    /// Those on the host network, by an address of their node; `None` = several share it.
    on_nodes: BTreeMap<IpAddr, Option<PodRef>>,
}

impl Gateways {
    /// Finds them. Costs a look at each Service, EndpointSlice and pod.
    pub fn build(objects: &Objects, options: &GatewayOptions) -> Self {
        let addresses = Addresses::new(objects);
        let labels = WellKnown::new(objects);
        let behind = Behind::new(objects);
        let mut made = Self::default();
        for service in objects.services() {
            let name = (Arc::clone(&service.metadata.namespace), Arc::clone(&service.metadata.name));
            let mut ways = addresses.of_service(service);
            ways.extend(labels.gateway_of(&service.metadata).map(|serves| (KnownBy::GatewayName, serves)));
            if options.services.contains(&name) {
                ways.push((KnownBy::Config, Serves { ingresses: true, ..Serves::default() }));
            }
            for (pod, ports) in behind.pods(service).filter(|_| !ways.is_empty()) {
                let gateway = made.pods.entry(pod).or_default();
                gateway.services.insert(name.clone());
                for (own, dialled) in ports {
                    gateway.ports.entry(own).or_default().extend(dialled);
                }
                for (known_by, serves) in &ways {
                    gateway.learn(*known_by, serves);
                }
            }
        }
        made.add_labelled(objects, &labels, &behind);
        made.place_on_nodes(objects);
        made
    }

    fn place_on_nodes(&mut self, objects: &Objects) {
        for pod in objects.pods().filter(|pod| pod.spec.host_network) {
            let key = PodRef { namespace: Arc::clone(&pod.metadata.namespace), name: Arc::clone(&pod.metadata.name) };
            if !self.pods.contains_key(&key) {
                continue;
            }
            let addresses: BTreeSet<IpAddr> = pod.ips().chain(pod.host_ips()).collect();
            for address in addresses {
                match self.on_nodes.entry(address.to_canonical()) {
                    Entry::Vacant(place) => drop(place.insert(Some(key.clone()))),
                    Entry::Occupied(mut place) => drop(place.insert(None)),
                }
            }
        }
    }

    /// Pods that only their labels tell. Their ports are those of the Services that are reached from outside, else of all.
    fn add_labelled(&mut self, objects: &Objects, labels: &WellKnown<'_>, behind: &Behind<'_>) {
        let mut unplaced = BTreeSet::new();
        for pod in objects.pods() {
            let metadata = &pod.metadata;
            let by_name = labels.gateway_of(metadata).map(|serves| (KnownBy::GatewayName, serves));
            let by_label = labels.controller(&metadata.labels).map(|serves| (KnownBy::Label, serves));
            for (known_by, serves) in by_name.into_iter().chain(by_label) {
                let key = PodRef { namespace: Arc::clone(&metadata.namespace), name: Arc::clone(&metadata.name) };
                if !self.pods.contains_key(&key) {
                    unplaced.insert(key.clone());
                }
                self.pods.entry(key).or_default().learn(known_by, &serves);
            }
        }
        for outside_only in [true, false] {
            for service in objects.services().filter(|service| !outside_only || service.has_node_ports()) {
                if unplaced.is_empty() {
                    return;
                }
                for (pod, ports) in behind.pods(service).filter(|(pod, _)| unplaced.contains(pod)) {
                    let gateway = self.pods.entry(pod).or_default();
                    let (namespace, name) = (&service.metadata.namespace, &service.metadata.name);
                    gateway.services.insert((Arc::clone(namespace), Arc::clone(name)));
                    for (own, dialled) in ports {
                        gateway.ports.entry(own).or_default().extend(dialled);
                    }
                }
            }
            let pods = &self.pods;
            unplaced.retain(|pod| pods.get(pod).is_some_and(|gateway| gateway.services.is_empty()));
        }
    }

    /// The gateway that a pod is.
    pub fn get(&self, pod: &PodRef) -> Option<&GatewayPod> {
        self.pods.get(pod)
    }

    /// The only gateway on the host network of the node that has an address.
    pub fn on_node(&self, address: IpAddr) -> Option<(&PodRef, &GatewayPod)> {
        self.pods.get_key_value(self.on_nodes.get(&address.to_canonical())?.as_ref()?)
    }

    /// A gateway behind a Service.
    pub fn behind(&self, namespace: &Arc<str>, name: &Arc<str>) -> Option<&GatewayPod> {
        let service = (Arc::clone(namespace), Arc::clone(name));
        self.pods.values().find(|gateway| gateway.services.contains(&service))
    }

    /// Every gateway, by namespace and name of its pod.
    pub fn iter(&self) -> impl Iterator<Item = (&PodRef, &GatewayPod)> {
        self.pods.iter()
    }
}

impl GatewayPod {
    fn learn(&mut self, known_by: KnownBy, serves: &Serves) {
        self.known_by.insert(known_by);
        self.serves.add(serves);
    }
}
