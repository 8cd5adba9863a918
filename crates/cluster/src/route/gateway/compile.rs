//! Gateway API objects in; listeners with the routes that attach to them, and findings out.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::conditions::Conditions;
use super::grants::Grants;
use super::listener::{Checked, Labels, Listener, Speaks};
use super::rules::Compiler;
use super::source::{self, Source};
use super::{Gateway, Gateways, HostTable, Match, PathRule, Place};
use crate::objects::{Gateway as Written, ObjectKey, ObjectKind, Objects, ParentRef};
use crate::route::answer::{Flag, RouteKind};
use crate::route::backend::Services;
use crate::route::finding::{Check, Findings};
use crate::route::host::HostPattern;
use crate::route::outcome::Outcome;
use crate::route::pattern::Patterns;
use crate::route::{HashMap, HashSet};

/// A host name of a route, and as it was written; `None` = the route names none.
type Hostname = (HostPattern, Option<Arc<str>>);

/// Most places that matches may take: each of a route stands at every listener under every host name it has there.
const MAX_PLACES: usize = 2_000_000;

impl Gateways {
    /// Compiles every Gateway and route.
    pub(in crate::route) fn build(objects: &Objects, findings: &mut Findings) -> Self {
        let grants = Grants::new(objects, findings);
        let (services, labels) = (Services::new(objects), Labels::new(objects));
        let mut made = Self::default();
        for gateway in objects.gateways() {
            let compiled = Gateway::compile(gateway, &mut Checked { objects, grants: &grants, findings });
            let names = made.by_name.entry(Arc::clone(&gateway.metadata.namespace)).or_default();
            names.insert(Arc::clone(&gateway.metadata.name), compiled);
        }
        let mut compiler = Compiler {
            services: &services,
            grants: &grants,
            patterns: Patterns::default(),
            conditions: HashMap::default(),
            findings,
        };
        let mut places = 0;
        for source in source::all(objects) {
            let compiled = made.compile(&source, &mut compiler);
            places += made.attach(&source, &compiled, &labels, places, compiler.findings);
        }
        made.finish(findings);
        made
    }

    /// Compiles the rules of a route.
    fn compile(&mut self, source: &Source<'_>, compiler: &mut Compiler<'_>) -> Compiled {
        let mut made = Compiled::default();
        for (rule_index, rule) in source.rules.iter().enumerate() {
            let rule = match rule {
                Ok(rule) => rule,
                Err(fault) => {
                    made.has_invalid = true;
                    compiler.findings.unreadable(&source.key, fault.clone());
                    continue;
                }
            };
            let compiled = compiler.rule(source, rule_index, rule);
            if source.route.kind == RouteKind::TlsRoute {
                made.places.push(self.rules.len());
                self.rules.push(compiled.clone());
                if rule_index > 0 {
                    let field = format!("spec.rules[{rule_index}]");
                    compiler.findings.add(&source.key, field, Check::NeverMatches, "the first rule takes everything");
                }
            }
            for (index, written) in rule.matches.iter().enumerate() {
                let field = format!("spec.rules[{rule_index}].matches[{index}]");
                let read = match written {
                    Ok(written) => compiler.matched(source, &field, *written),
                    Err(fault) => {
                        compiler.findings.unreadable(&source.key, fault.clone());
                        None
                    }
                };
                let Some((path, conditions)) = read else {
                    made.has_invalid = true;
                    continue;
                };
                let (filters, by_prefix) = (compiled.filters.as_deref(), matches!(path, PathRule::Prefix(_)));
                if !by_prefix && filters.is_some_and(super::Filters::need_prefix) {
                    let message = "ReplacePrefixMatch needs a match by PathPrefix";
                    compiler.findings.add(&source.key, format!("{field}.path"), Check::InvalidFilter, message);
                }
                let mut outcome = Outcome::of(&compiled.backends, filters, by_prefix, super::FAILED);
                let by_pattern = matches!(path, PathRule::Pattern(_)) || conditions.have_pattern();
                outcome.flags.set_if(Flag::RegularExpression, by_pattern);
                made.places.push(self.matches.len());
                self.matches.push(Match { conditions, path, index, rule: compiled.clone(), outcome });
            }
        }
        made
    }

    /// Puts a route's matches at the listeners that take it, and says how many places that took.
    fn attach(
        &mut self,
        source: &Source<'_>,
        compiled: &Compiled,
        labels: &Labels<'_>,
        taken: usize,
        findings: &mut Findings,
    ) -> usize {
        let patterns = host_patterns(source, findings);
        let (mut places, mut done, mut hosts) = (0, HashSet::default(), BTreeMap::new());
        let mut has_secure = false;
        for (index, parent) in source.parents.iter().enumerate() {
            let field = format!("spec.parentRefs[{index}]");
            let parent = match parent.at(&field) {
                Ok(parent) if is_gateway(parent) => parent,
                Ok(_) => continue,
                Err(fault) => {
                    findings.unreadable(&source.key, fault);
                    continue;
                }
            };
            let namespace = parent.namespace.as_ref().unwrap_or(&source.key.namespace);
            let Some(gateway) = self.by_name.get_mut(namespace).and_then(|names| names.get_mut(&parent.name)) else {
                let message = format!("no such Gateway: {namespace}/{}", parent.name);
                findings.add(&source.key, field, Check::NotAttached, message);
                continue;
            };
            let (mut attached, mut refusal) = (false, None);
            has_secure |= gateway.listeners.iter().any(|listener| listener.speaks == Speaks::Https);
            for (place, listener) in gateway.listeners.iter_mut().enumerate() {
                match meeting(listener, source, parent, namespace, &patterns, labels) {
                    Ok(met) => {
                        if done.contains(&(Arc::clone(namespace), Arc::clone(&parent.name), place)) {
                            attached = true;
                            continue;
                        }
                        if listener.is_taken(source.route.kind, met.iter().map(|(pattern, _)| pattern)) {
                            let reason =
                                format!("listener {}: older routes of another kind have the host name", listener.name);
                            refusal = refusal.or(Some(reason));
                            continue;
                        }
                        attached = true;
                        done.insert((Arc::clone(namespace), Arc::clone(&parent.name), place));
                        places += met.len() * compiled.places.len();
                        if taken + places > MAX_PLACES {
                            let message =
                                format!("more than {MAX_PLACES} matches at listeners; this route is left out");
                            findings.add(&source.key, field.clone(), Check::TooMany, message);
                            return places;
                        }
                        for (pattern, hostname) in met {
                            let is_secure = listener.speaks != Speaks::Http;
                            *hosts.entry(pattern.to_string()).or_insert(false) |= is_secure;
                            let table = listener.routes.entry(pattern);
                            table.hostname.clone_from(hostname);
                            table.flags.set_if(Flag::InvalidRule, compiled.has_invalid);
                            insert(table, &compiled.places, &self.matches, source.route.kind);
                        }
                    }
                    Err(reason) => refusal = refusal.or(reason),
                }
            }
            if !attached {
                let reason = refusal.unwrap_or_else(|| "no listener of that name or port".to_owned());
                let message = format!("Gateway {namespace}/{}: {reason}", parent.name);
                findings.add(&source.key, field, Check::NotAttached, message);
            }
        }
        // A Gateway without TLS is meant to serve in the clear.
        let plain = hosts.iter().filter(|(host, is_secure)| has_secure && !**is_secure && **host != "*");
        for (host, _) in plain {
            let message = format!("only listeners without TLS serve {host}");
            findings.add(&source.key, "spec.hostnames", Check::NoCertificate, message);
        }
        places
    }

    /// Puts matches of one path in order of precedence, and says which can never match.
    fn finish(&mut self, findings: &mut Findings) {
        let matches = &self.matches;
        let gateways = self.by_name.values_mut().flat_map(BTreeMap::values_mut);
        for listener in gateways.flat_map(|gateway| &mut gateway.listeners) {
            let name = Arc::clone(&listener.name);
            for table in listener.routes.values_mut() {
                table.paths.finish();
                let rank = |index: usize| (matches.get(index).map(|found| found.conditions.rank()), index);
                let length = |index: &usize| match matches.get(*index).map(|found| &found.path) {
                    Some(PathRule::Pattern(pattern)) => pattern.text().len(),
                    _ => 0,
                };
                table.patterns.sort_by_key(|index| (std::cmp::Reverse(length(index)), rank(*index)));
                for list in table.paths.lists_mut() {
                    list.sort_by_key(|place| rank(place.at));
                    for (hidden, by) in hidden(list, matches) {
                        let (Some(hidden), Some(by)) = (matches.get(hidden), matches.get(by)) else { continue };
                        let (rule, by) = (&hidden.rule, &by.rule);
                        let field = format!("spec.rules[{}].matches[{}]", rule.index, hidden.index);
                        let message = format!("listener {name}: {} rule {} takes it", by.route, by.index);
                        let (namespace, name) = (Arc::clone(&rule.route.namespace), Arc::clone(&rule.route.name));
                        let kind = match rule.route.kind {
                            RouteKind::GrpcRoute => ObjectKind::GRPCRoute,
                            _ => ObjectKind::HTTPRoute,
                        };
                        findings.add(&ObjectKey { kind, namespace, name }, field, Check::Duplicate, message);
                    }
                }
            }
        }
    }
}

/// What came of the rules of a route.
#[derive(Default)]
struct Compiled {
    /// Places of matches, or of rules of a TLSRoute.
    places: Vec<usize>,
    /// Whether a rule or match is left out because it is not valid.
    has_invalid: bool,
}

/// Matches of a sorted list that ask for the same as an earlier one, with that one.
fn hidden(list: &[Place], matches: &[Match]) -> Vec<(usize, usize)> {
    if list.len() < 2 {
        return Vec::new();
    }
    let mut seen = BTreeMap::new();
    let mut made = Vec::new();
    for Place { at, .. } in list {
        let Some(found) = matches.get(*at) else { continue };
        // What asks for the same shares it.
        let first = *seen.entry(Arc::as_ptr(&found.conditions)).or_insert(*at);
        if first != *at {
            made.push((*at, first));
        }
    }
    made
}

fn is_gateway(parent: &ParentRef) -> bool {
    parent.group.as_deref().is_none_or(|group| group == "gateway.networking.k8s.io")
        && parent.kind.as_deref().is_none_or(|kind| kind == "Gateway")
}

/// The host names of a route that are some; a route that names none has every host.
fn host_patterns(source: &Source<'_>, findings: &mut Findings) -> Vec<Hostname> {
    if source.hostnames.is_empty() {
        return vec![(HostPattern::Any, None)];
    }
    let mut patterns = Vec::new();
    for (index, hostname) in source.hostnames.iter().enumerate() {
        let hostname = match hostname.at(&format!("spec.hostnames[{index}]")) {
            Ok(hostname) => hostname,
            Err(fault) => {
                findings.unreadable(&source.key, fault);
                continue;
            }
        };
        match HostPattern::parse(Some(hostname)) {
            Ok(pattern) if patterns.iter().any(|(other, _)| *other == pattern) => {}
            Ok(pattern) => patterns.push((pattern, Some(Arc::clone(hostname)))),
            Err(reason) => {
                let field = format!("spec.hostnames[{index}]");
                findings.add(&source.key, field, Check::InvalidHost, format!("{reason}: {hostname}"));
            }
        }
    }
    patterns
}

/// The route's host names that meet a listener which takes it; else why not, `None` = another listener is meant.
fn meeting<'a>(
    listener: &Listener,
    source: &Source<'_>,
    parent: &ParentRef,
    gateway: &str,
    patterns: &'a [Hostname],
    labels: &Labels<'_>,
) -> Result<Vec<&'a Hostname>, Option<String>> {
    let is_meant = parent.section_name.as_ref().is_none_or(|name| *name == listener.name)
        && parent.port.is_none_or(|port| port == listener.port);
    if !is_meant {
        return Err(None);
    }
    if let Some(reason) = listener.refuses(source.route.kind, &source.key.namespace, gateway, labels) {
        return Err(Some(reason));
    }
    let met: Vec<_> = patterns.iter().filter(|(pattern, _)| pattern.meets(&listener.pattern)).collect();
    let reason = || format!("no host name in common with listener {}: {}", listener.name, listener.pattern);
    if met.is_empty() { Err(Some(reason())) } else { Ok(met) }
}

fn insert(table: &mut HostTable, places: &[usize], matches: &[Match], kind: RouteKind) {
    if kind == RouteKind::TlsRoute {
        return table.tls.extend(places);
    }
    for at in places.iter().copied() {
        let Some(found) = matches.get(at) else { continue };
        let asks = *found.conditions != Conditions::default();
        let place = Place { at, conditions: asks.then(|| Arc::clone(&found.conditions)) };
        match &found.path {
            PathRule::Exact(path) => table.paths.exact_mut(path).push(place),
            PathRule::Prefix(path) => table.paths.prefix_mut(path).push(place),
            PathRule::Pattern(_) => table.patterns.push(at),
        }
    }
}

impl Gateway {
    fn compile(written: &Written, checked: &mut Checked<'_>) -> Self {
        let (namespace, name) = (Arc::clone(&written.metadata.namespace), Arc::clone(&written.metadata.name));
        let key = ObjectKey { kind: ObjectKind::Gateway, namespace, name };
        let class = &written.spec.gateway_class_name;
        let mut classes = checked.objects.gateway_classes().map(|known| &known.metadata.name).peekable();
        let is_served = classes.peek().is_none() || classes.any(|known| known == class);
        if !is_served {
            let message = format!("no such GatewayClass: {class}");
            checked.findings.add(&key, "spec.gatewayClassName", Check::UnknownClass, message);
        }
        let mut made = Self { is_served, ..Self::default() };
        let mut indexes = Vec::new();
        for (index, listener) in written.spec.listeners.iter().enumerate() {
            let read = match listener.at(&format!("spec.listeners[{index}]")) {
                Ok(listener) => Listener::compile(listener, &key, index, checked),
                Err(fault) => {
                    checked.findings.unreadable(&key, fault);
                    None
                }
            };
            made.has_invalid |= read.is_none();
            made.listeners.extend(read);
            indexes.resize(made.listeners.len(), index);
        }
        for (place, reason) in conflicts(&made.listeners) {
            if let Some((listener, index)) = made.listeners.get_mut(place).zip(indexes.get(place)) {
                listener.is_broken = true;
                checked.findings.add(&key, format!("spec.listeners[{index}]"), Check::InvalidListener, reason);
            }
        }
        made.index();
        made
    }

    /// Makes listeners found by port and host name. One that an earlier one hides is in conflict with it anyway.
    fn index(&mut self) {
        for (place, listener) in self.listeners.iter().enumerate() {
            let port = self.ports.entry(listener.port).or_default();
            let pattern = &listener.pattern;
            match listener.speaks {
                Speaks::Http => drop(port.plain.entry(pattern).get_or_insert(place)),
                Speaks::Https | Speaks::Passthrough | Speaks::Terminated => {
                    port.secure.entry(pattern).get_or_insert(place);
                }
                Speaks::Other => {}
            }
            if listener.speaks == Speaks::Https {
                port.https.entry(pattern).get_or_insert(place);
            }
        }
    }
}

/// Listeners that cannot be told apart, each with why. None of them is accepted (Gateway API, `Conflicted`).
fn conflicts(listeners: &[Listener]) -> Vec<(usize, String)> {
    let mut made = Vec::new();
    for (place, listener) in listeners.iter().enumerate() {
        let others = || listeners.iter().enumerate().filter(move |(other, _)| *other != place).map(|(_, other)| other);
        let on_port = || others().filter(|other| other.port == listener.port && other.speaks != Speaks::Other);
        let is_plain = listener.speaks == Speaks::Http;
        let reason = if listeners.iter().take(place).any(|other| other.name == listener.name) {
            "an earlier listener has the same name".to_owned()
        } else if listener.speaks == Speaks::Other {
            continue;
        } else if let Some(other) = on_port().find(|other| (other.speaks == Speaks::Http) != is_plain) {
            format!("listener {} speaks another protocol on the same port", other.name)
        } else if let Some(other) = on_port().find(|other| other.pattern == listener.pattern) {
            format!("listener {} has the same port, protocol and host name", other.name)
        } else {
            continue;
        };
        made.push((place, reason));
    }
    made
}
