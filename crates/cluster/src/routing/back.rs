//! Requests behind a gateway: what a backend was asked for comes in, the rule that leads there goes out.
//!
//! Gateways dial pods, not Services, so the rule says which Service it was, and not the other way round. A rule counts where
//! it leads to a Service that has the backend, and makes such requests, its rewrite undone.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{
    Exchange, FlowRow, Protocol, RouteLeg, RouteMethod, RouteService, Routed, RulePlace, Service, ServiceMethod,
    ServiceRef,
};

use super::said::{common, routed};
use super::{Met, Rules, backend_port};
use crate::gateways::GatewayPod;
use crate::objects::{Objects, Service as Written};
use crate::route::{AtBackend, BackendPort, Fit, Flag, Listed, Scheme, Undo, Watched};

type Name = (Arc<str>, Arc<str>);

/// Rules by the Services they lead to, and Services by their endpoints.
#[derive(Debug, Default)]
pub(super) struct Back {
    rules: Arc<BTreeMap<Name, Vec<Behind>>>,
    /// Ports of the Services that rules lead to, by address and port of an endpoint.
    endpoints: BTreeMap<(IpAddr, u16), Vec<Port>>,
    /// The same ports, by their Service.
    ports: Arc<BTreeMap<Name, Vec<Port>>>,
}

/// A rule that leads to a Service.
#[derive(Debug)]
struct Behind {
    /// As columns say it; without a method.
    routed: Routed,
    port: Option<BackendPort>,
    undo: Undo,
    /// The Gateway, or the class of an Ingress where classes are told apart.
    gateway: Option<Name>,
    class: Option<Arc<str>>,
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq)]
struct Port {
    number: u16,
    service: Arc<Service>,
}

impl Port {
    fn used(&self) -> Option<&ServiceRef> {
        self.service.used.as_ref()
    }

    fn is(&self, wanted: Option<&BackendPort>) -> bool {
        match wanted {
            Some(BackendPort::Number(number)) => self.number == *number,
            Some(BackendPort::Name(name)) => self.used().and_then(|used| used.port_name.as_ref()) == Some(name),
            None => false,
        }
    }
}

impl Back {
    pub(super) fn build(objects: &Objects, rules: &Rules) -> Self {
        let mut behind = BTreeMap::new();
        for listed in rules.all.listed().filter(|listed| listed.gateway.is_some() || rules.by_class.is_empty()) {
            add_rule(&mut behind, &listed, None);
        }
        for (class, routes) in &rules.by_class {
            for listed in routes.listed().filter(|listed| listed.gateway.is_none()) {
                add_rule(&mut behind, &listed, Some(class));
            }
        }
        let mut led_to = BTreeMap::new();
        for service in objects.services() {
            let name = (Arc::clone(&service.metadata.namespace), Arc::clone(&service.metadata.name));
            if behind.contains_key(&name) {
                led_to.insert(name, ports(service));
            }
        }
        let made = Self { rules: Arc::new(behind), endpoints: BTreeMap::new(), ports: Arc::new(led_to) };
        made.with_endpoints(objects)
    }

    /// The same rules with the endpoints there are now.
    pub(super) fn with_endpoints(&self, objects: &Objects) -> Self {
        let (rules, ports) = (Arc::clone(&self.rules), Arc::clone(&self.ports));
        let mut made = Self { rules, endpoints: BTreeMap::new(), ports };
        made.add_endpoints(objects);
        made
    }

    /// Whether both have the same endpoints.
    pub(super) fn has_endpoints_of(&self, other: &Self) -> bool {
        self.endpoints == other.endpoints
    }

    fn add_endpoints(&mut self, objects: &Objects) {
        for slice in objects.endpoint_slices() {
            let Some(service) = slice.service() else { continue };
            let name = (Arc::clone(&slice.metadata.namespace), Arc::clone(service));
            let Some(ports) = self.ports.get(&name) else { continue };
            for written in slice.ports.iter().filter(|port| port.protocol == Protocol::TCP) {
                let named = |port: &&Port| port.used().is_some_and(|used| used.port_name == written.name);
                let (Some(port), Some(own)) = (ports.iter().find(named), written.port) else { continue };
                let addresses = slice.endpoints.iter().flat_map(|endpoint| &endpoint.addresses);
                for ip in addresses.filter_map(crate::objects::Address::ip) {
                    let known = self.endpoints.entry((ip, own)).or_default();
                    if known.iter().all(|other| other.used() != port.used()) {
                        known.push(port.clone());
                    }
                }
            }
        }
    }

    /// The rule that a gateway's request came through.
    pub(super) fn meet(&self, rules: &Rules, gateway: &GatewayPod, row: &FlowRow, exchange: &Exchange) -> Option<Met> {
        let ports = self.reached(row);
        let asked = asked(exchange)?;
        let mut fitting = Vec::new();
        for (port, rule) in ports.iter().flat_map(|port| self.leading_to(port).map(move |rule| (port, rule))) {
            let fit = rule.undo.fits(&asked);
            if gateway.may_serve(rule) && fit != Fit::No {
                fitting.push(Fitting { port, rule, fit, is_host: rule.undo.makes_host(asked.host) });
            }
        }
        let chosen = choose(&fitting, forward(rules, gateway, &asked, exchange).as_ref());
        let by = chosen.by;
        let each: Vec<Routed> = chosen.rules.iter().map(|fitting| fitting.rule.routed.clone()).collect();
        if each.is_empty() {
            return None;
        }
        let mut routed = common(RouteLeg::Back, &each, by);
        let service = only(&chosen.rules);
        if let Some(used) = service.and_then(Port::used) {
            routed.service = Some(RouteService {
                namespace: Arc::clone(&used.namespace),
                name: Arc::clone(&used.name),
                port: chosen.rules.first().and_then(|f| f.rule.port.as_ref()).map(|port| port.to_string().into()),
            });
        }
        Some(Met { routed: Arc::new(routed), service: service.map(|port| Arc::clone(&port.service)) })
    }

    /// The Service ports that the other side may be: the one whose address was dialled, else those that have the endpoint.
    fn reached(&self, row: &FlowRow) -> Vec<Port> {
        let known = row.seen.service.as_ref();
        let by_address = known.filter(|service| {
            !matches!(service.method, None | Some(ServiceMethod::EndpointSlice | ServiceMethod::Route))
        });
        if let Some(used) = by_address.and_then(|service| service.used.as_ref()) {
            let name = (Arc::clone(&used.namespace), Arc::clone(&used.name));
            let ports = self.ports.get(&name).into_iter().flatten();
            return ports
                .filter(|port| port.used().is_some_and(|own| own.port_name == used.port_name))
                .cloned()
                .collect();
        }
        let ip = row.backend.map_or(row.seen.flow.tuple.dst_ip, |(ip, _)| ip).to_canonical();
        self.endpoints.get(&(ip, backend_port(row))).cloned().unwrap_or_default()
    }

    fn leading_to<'a>(&'a self, port: &'a Port) -> impl Iterator<Item = &'a Behind> {
        let name = port.used().map(|used| (Arc::clone(&used.namespace), Arc::clone(&used.name)));
        let rules = name.and_then(|name| self.rules.get(&name)).into_iter().flatten();
        rules.filter(move |rule| port.is(rule.port.as_ref()))
    }
}

fn add_rule(rules: &mut BTreeMap<Name, Vec<Behind>>, listed: &Listed<'_>, class: Option<&Arc<str>>) {
    let Some(undo) = Undo::of(&listed.answer) else { return };
    let owned = |(namespace, name): (&str, &str)| (Arc::from(namespace), Arc::from(name));
    let routed = routed(RouteLeg::Back, &listed.answer);
    for backend in listed.answer.backends().iter().filter(|backend| backend.weight > 0) {
        let Some(service) = &backend.service else { continue };
        let rules = rules.entry((Arc::clone(&backend.namespace), Arc::clone(service))).or_default();
        rules.push(Behind {
            routed: routed.clone(),
            port: backend.port.clone(),
            undo: undo.clone(),
            gateway: listed.gateway.map(owned),
            class: class.cloned(),
        });
    }
    for mirror in listed.answer.mirrors() {
        let mut routed = routed.clone();
        routed.flags.push(Flag::Mirror.name());
        rules.entry((Arc::clone(&mirror.namespace), Arc::clone(&mirror.service))).or_default().push(Behind {
            routed,
            port: mirror.port.clone(),
            undo: undo.clone(),
            gateway: listed.gateway.map(owned),
            class: None,
        });
    }
}

/// A rule that may have made the request, and the Service port it was made to.
#[derive(Clone, Copy)]
struct Fitting<'a> {
    port: &'a Port,
    rule: &'a Behind,
    fit: Fit,
    is_host: bool,
}

/// The rules that remain, and how.
struct Chosen<'a> {
    rules: Vec<Fitting<'a>>,
    by: RouteMethod,
}

/// Of the rules that fit: the one that takes the request as it stands, and those that may have rewritten another one to
/// it; where the host is no rule's, whatever leads there.
fn choose<'a>(fitting: &[Fitting<'a>], forward: Option<&RulePlace>) -> Chosen<'a> {
    let as_is = |found: &&Fitting<'a>| {
        found.fit == Fit::AsIs && found.rule.routed.place.as_ref() == forward && forward.is_some()
    };
    let rewritten = |found: &&Fitting<'a>| found.fit == Fit::Rewritten && found.is_host;
    let straight: Vec<_> = fitting.iter().filter(as_is).copied().collect();
    let undone = fitting.iter().filter(rewritten).copied();
    if !straight.is_empty() {
        let rules: Vec<_> = straight.into_iter().chain(undone).collect();
        return Chosen { rules, by: RouteMethod::Request };
    }
    let undone: Vec<_> = undone.collect();
    if !undone.is_empty() {
        return Chosen { rules: undone, by: RouteMethod::Rewrite };
    }
    let of_host: Vec<_> = fitting.iter().filter(|found| found.is_host).copied().collect();
    let rules = if of_host.is_empty() { fitting.to_vec() } else { of_host };
    Chosen { rules, by: RouteMethod::Backend }
}

/// The Service port that all of them lead to.
fn only<'a>(rules: &[Fitting<'a>]) -> Option<&'a Port> {
    let first = rules.first()?.port;
    rules.iter().all(|other| other.port.used() == first.used()).then_some(first)
}

/// The rule that surely takes the request as it stands.
fn forward(rules: &Rules, gateway: &GatewayPod, asked: &AtBackend<'_>, exchange: &Exchange) -> Option<RulePlace> {
    asked.path?;
    let method = exchange.http().and_then(|http| http.method.as_deref());
    let target = exchange.http().and_then(|http| http.path.as_deref());
    let mut found = Vec::new();
    // Whether the client spoke TLS is not seen here: it is either listener's.
    for scheme in [Scheme::Http, Scheme::Https] {
        let sni = asked.host.filter(|_| scheme == Scheme::Https);
        let watched = Watched { scheme, method, host: asked.host, target, sni, port: None };
        let of_ingresses = rules.of(gateway).into_iter().flat_map(|routes| routes.ingress_watched(&watched));
        found.extend(of_ingresses.map(|answer| routed(RouteLeg::Back, &answer).place));
        for (namespace, name) in &gateway.serves.gateways {
            let answers = rules.all.gateway_watched(namespace, name, &watched);
            found.extend(answers.iter().map(|answer| routed(RouteLeg::Back, answer).place));
        }
    }
    found.retain(Option::is_some);
    found.sort();
    found.dedup();
    if found.len() == 1 { found.pop().flatten() } else { None }
}

/// What the backend was asked for, as far as it was seen.
fn asked(exchange: &Exchange) -> Option<AtBackend<'_>> {
    match exchange {
        Exchange::Http(http) => {
            http.method.as_ref()?;
            let path = http.path.as_deref().map(|target| target.split(['?', '#']).next().unwrap_or(target));
            Some(AtBackend { path, host: http.host.as_deref() })
        }
        Exchange::Tls(tls) => Some(AtBackend { path: None, host: tls.sni.as_deref() }),
        Exchange::Dns(_) => None,
    }
}

impl GatewayPod {
    fn may_serve(&self, rule: &Behind) -> bool {
        match (&rule.gateway, &rule.class) {
            (Some(gateway), _) => self.serves.gateways.contains(gateway),
            (None, Some(class)) => {
                self.serves.ingresses && (self.serves.classes.is_empty() || self.serves.classes.contains(class))
            }
            (None, None) => self.serves.ingresses,
        }
    }
}

fn ports(service: &Written) -> Vec<Port> {
    let of = |port: &crate::objects::ServicePort| {
        let used = ServiceRef {
            namespace: Arc::clone(&service.metadata.namespace),
            name: Arc::clone(&service.metadata.name),
            service_type: service.service_type(),
            port_name: port.name.clone(),
        };
        let known = Service { used: Some(used), method: Some(ServiceMethod::Route), candidates: Vec::new() };
        Port { number: port.port, service: Arc::new(known) }
    };
    service.spec.ports.iter().map(of).collect()
}
