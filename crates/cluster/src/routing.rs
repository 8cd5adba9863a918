//! Live requests at gateways: which rule each of them met.
//!
//! Objects come in once, then requests with the joined rows of their flows; what is known of the rule goes out. A request
//! to a gateway is its front leg and meets the rules as a client's does; one from a gateway is its back leg, and its rule is
//! the one that makes such requests and leads to that backend. What was not seen is never made up: then there are candidates.

mod agreed;
mod back;
mod front;
mod journeys;
mod pairs;
mod said;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_model::{EndpointKind, Exchange, FlowRow, PodRef, Request, RouteLeg, RouteMethod, Routed, Service};

use crate::gateways::{GatewayOptions, GatewayPod, Gateways};
use crate::objects::Objects;
use crate::route::{RouteOptions, Routes};
use back::Back;
pub use journeys::Journeys;
pub use pairs::PairOptions;
pub use said::routed;

/// Most classes of Ingresses that are told apart; where there are more, a gateway is taken to serve all of them.
const MAX_CLASSES: usize = 16;

/// The rules of a cluster as gateways serve them. It never changes; build a new one when objects do.
#[derive(Debug, Default)]
pub struct Routing {
    gateways: Gateways,
    rules: Arc<Rules>,
    back: Back,
}

/// The rules, of all Ingress classes and of each alone where there are several.
#[derive(Debug, Default)]
struct Rules {
    all: Routes,
    by_class: BTreeMap<Arc<str>, Routes>,
}

/// A side of a gateway.
#[derive(Clone, Debug)]
pub struct Side<'a> {
    /// Which.
    pub leg: RouteLeg,
    /// The gateway's pod; `None` = one of several.
    pub pod: Option<PodRef>,
    /// What is known of it.
    pub gateway: &'a GatewayPod,
    /// It has its node's address, so others may have sent what comes from there.
    pub on_node: bool,
}

/// What is known of a request at a gateway.
#[derive(Clone, Debug)]
pub struct Met {
    /// The rule.
    pub routed: Arc<Routed>,
    /// The backend's Service, on the back leg, where the rule says which of several it is.
    pub service: Option<Arc<Service>>,
}

impl Routing {
    /// Compiles the rules, and finds the gateways.
    pub fn build(objects: &Objects, options: &GatewayOptions) -> Self {
        let gateways = Gateways::build(objects, options);
        let rules = Arc::new(Rules::build(objects));
        let back = Back::build(objects, &rules);
        Self { gateways, rules, back }
    }

    /// The same rules, where nothing but pods and EndpointSlices changed; `None` = gateways and backends are the same too.
    pub fn with_endpoints(&self, objects: &Objects, options: &GatewayOptions) -> Option<Self> {
        let gateways = Gateways::build(objects, options);
        let back = self.back.with_endpoints(objects);
        let differs = gateways != self.gateways || !back.has_endpoints_of(&self.back);
        differs.then(|| Self { gateways, rules: Arc::clone(&self.rules), back })
    }

    /// The gateways.
    pub const fn gateways(&self) -> &Gateways {
        &self.gateways
    }

    /// The rules of all classes.
    pub fn routes(&self) -> &Routes {
        &self.rules.all
    }

    /// Every rule that is served, each once; without a method.
    pub fn rules(&self) -> impl Iterator<Item = Routed> {
        let mut seen = BTreeSet::new();
        let all = self.rules.all.listed().map(|listed| routed(RouteLeg::Front, &listed.answer)).collect::<Vec<_>>();
        all.into_iter().filter(move |rule| rule.place.as_ref().is_some_and(|place| seen.insert(place.clone())))
    }

    /// On which side of which gateway a flow is; `None` = of none. The row is one that was joined with its connection.
    pub fn side(&self, row: &FlowRow) -> Option<Side<'_>> {
        let seen = &row.seen;
        if let Some(pod) = seen.dst.pod()
            && let Some(gateway) = self.gateways.get(&pod)
        {
            let listens = gateway.listens(backend_port(row));
            return listens.then_some(Side { leg: RouteLeg::Front, pod: Some(pod), gateway, on_node: false });
        }
        if seen.dst.kind == EndpointKind::Service
            && let Some((namespace, name)) = seen.dst.namespace.as_ref().zip(seen.dst.name.as_ref())
            && let Some(gateway) = self.gateways.behind(namespace, name)
        {
            return Some(Side { leg: RouteLeg::Front, pod: None, gateway, on_node: false });
        }
        let Some(pod) = seen.src.pod() else { return self.side_on_node(row) };
        Some(Side { leg: RouteLeg::Back, gateway: self.gateways.get(&pod)?, pod: Some(pod), on_node: false })
    }

    /// The same of a gateway on the host network. A client that SNAT hides behind a node is none.
    fn side_on_node(&self, row: &FlowRow) -> Option<Side<'_>> {
        let (seen, tuple) = (&row.seen, row.seen.flow.tuple);
        if seen.dst.kind == EndpointKind::Node {
            let address = row.backend.map_or(tuple.dst_ip, |(ip, _)| ip);
            let (pod, gateway) = self.gateways.on_node(address)?;
            let listens = gateway.ports.contains_key(&backend_port(row));
            return listens.then(|| Side { leg: RouteLeg::Front, pod: Some(pod.clone()), gateway, on_node: true });
        }
        let is_hidden = row.client.is_some_and(|(ip, _)| ip != tuple.src_ip);
        let (pod, gateway) = self.gateways.on_node(tuple.src_ip).filter(|_| seen.src.kind == EndpointKind::Node)?;
        (!is_hidden).then(|| Side { leg: RouteLeg::Back, pod: Some(pod.clone()), gateway, on_node: true })
    }

    /// What is known of the rule that a request met; `None` = it has to do with no gateway, or is nothing that rules are
    /// about.
    pub fn meet(&self, row: &FlowRow, request: &Request) -> Option<Met> {
        if matches!(request.exchange, Exchange::Dns(_)) {
            return None;
        }
        let Side { leg, gateway, on_node, .. } = self.side(row)?;
        match leg {
            RouteLeg::Front => {
                let is_dialled = row.seen.dst.kind == EndpointKind::Service;
                let own = row.seen.flow.tuple.dst_port;
                let port = if is_dialled { Some(own) } else { gateway.dialled(backend_port(row)) };
                let routed = front::meet(&self.rules, gateway, port, &request.exchange)?;
                Some(Met { routed: Arc::new(routed), service: None })
            }
            RouteLeg::Back if on_node && !is_passed_on(&request.exchange) => None,
            RouteLeg::Back => {
                let met = self.back.meet(&self.rules, gateway, row, &request.exchange)?;
                // That something of the node asked a rule's backend is no proof; that it asked for the rule's host is.
                let is_sure =
                    !on_node || matches!(met.routed.method, Some(RouteMethod::Request | RouteMethod::Rewrite));
                is_sure.then_some(met)
            }
        }
    }
}

/// Whether a request says that a proxy made it for somebody: probes of the kubelet do not.
fn is_passed_on(exchange: &Exchange) -> bool {
    let marks = exchange.http().and_then(|http| http.marks.as_deref());
    marks.is_some_and(|marks| marks.forwarded_for.is_some())
}

/// The other side's port behind NAT.
fn backend_port(row: &FlowRow) -> u16 {
    row.backend.map_or(row.seen.flow.tuple.dst_port, |(_, port)| port)
}

impl Rules {
    fn build(objects: &Objects) -> Self {
        let all = Routes::build(objects, &RouteOptions::default());
        let mut classes: Vec<Arc<str>> =
            objects.ingresses().filter_map(|ingress| ingress.class_name().cloned()).collect();
        classes
            .extend(objects.ingress_classes().filter(|class| class.is_default()).map(|c| Arc::clone(&c.metadata.name)));
        classes.sort();
        classes.dedup();
        let mut by_class = BTreeMap::new();
        if (2..=MAX_CLASSES).contains(&classes.len()) {
            for class in classes {
                let options = RouteOptions { ingress_class: Some(class.to_string()) };
                by_class.insert(class, Routes::build(objects, &options));
            }
        }
        Self { all, by_class }
    }

    /// The rules that hold Ingresses of a gateway's classes, each with its class.
    fn of<'a>(&'a self, gateway: &'a GatewayPod) -> Vec<&'a Routes> {
        if !gateway.serves.ingresses {
            return Vec::new();
        }
        let own = gateway.serves.classes.iter().filter_map(|class| self.by_class.get(class));
        let own: Vec<_> = own.collect();
        if own.is_empty() { vec![&self.all] } else { own }
    }
}
