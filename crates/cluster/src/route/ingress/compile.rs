//! Ingress objects in, rules by host and path and findings out.

use std::sync::Arc;

use super::class::{Claim, Classes};
use super::{Entry, Fallback, HostRules, Ingresses, Table, UNAVAILABLE};
use crate::objects::{Ingress, IngressBackend, IngressPath, ObjectKey, ObjectKind, Objects, Part};
use crate::route::answer::{Flag, Flags, Reason, RouteKind, RouteRef};
use crate::route::backend::{Backend, Services};
use crate::route::finding::{Check, Findings};
use crate::route::host::HostPattern;
use crate::route::outcome::Outcome;
use crate::route::path::PathType;
use crate::route::{RouteOptions, age};

const NGINX_REGEX: &str = "nginx.ingress.kubernetes.io/use-regex";
const NGINX_REWRITE: &str = "nginx.ingress.kubernetes.io/rewrite-target";

impl Ingresses {
    /// Compiles every Ingress.
    pub(in crate::route) fn build(objects: &Objects, options: &RouteOptions, findings: &mut Findings) -> Self {
        let classes = Classes::new(objects, options.ingress_class.as_deref());
        let services = Services::new(objects);
        let mut made = Self::default();
        let mut ingresses: Vec<&Ingress> = objects.ingresses().collect();
        ingresses.sort_by_key(|ingress| age(&ingress.metadata));
        let mut seen_class = None;
        for ingress in ingresses {
            let claim = classes.claim(ingress);
            let mut compiler = Compiler::new(ingress, objects, &services, findings);
            match &claim {
                Claim::Unclaimed => {
                    let class = ingress.class_name().map_or("none", |class| class);
                    let message = format!("nothing serves this class: {class}");
                    compiler.findings.add(&compiler.key, "spec.ingressClassName", Check::UnknownClass, message);
                    compiler.compile(&mut made.unclaimed);
                    continue;
                }
                Claim::Classless => compiler.flags.set_if(Flag::NoClass, true),
                Claim::Class(_) => {}
            }
            compiler.compile(&mut made.served);
            let class = Some(claim);
            let differs = seen_class.is_some() && seen_class != class;
            made.served.flags.set_if(Flag::SeveralClasses, differs);
            seen_class = class;
        }
        made.served.finish(findings);
        made.unclaimed.finish(&mut Findings::default());
        made
    }
}

impl Table {
    /// Puts what lies behind one path in order, and says what can never match.
    fn finish(&mut self, findings: &mut Findings) {
        // Stable: ages stay in order.
        self.defaults.sort_by_key(|default| default.has_rules);
        for rules in self.hosts.values_mut() {
            rules.paths.finish();
            for list in rules.paths.lists_mut() {
                list.sort_by_key(|entry| entry.path_type);
            }
        }
        for list in self.hosts.values().flat_map(|rules| rules.paths.lists()) {
            let Some((first, hidden)) = list.split_first() else { continue };
            for entry in hidden {
                let check = if entry.path_type == first.path_type { Check::Duplicate } else { Check::NeverMatches };
                let field = format!("spec.rules[{}].http.paths[{}]", entry.rule_index, entry.path_index);
                let (host, path, route) = (entry.host.as_deref().unwrap_or("*"), &entry.path, &first.route);
                let message = format!("{host}{path}: {route} rule {} takes it", first.rule_index);
                findings.add(&key(&entry.route), field, check, message);
            }
        }
    }
}

fn key(route: &RouteRef) -> ObjectKey {
    let (namespace, name) = (Arc::clone(&route.namespace), Arc::clone(&route.name));
    ObjectKey { kind: ObjectKind::Ingress, namespace, name }
}

/// Compiles one Ingress.
struct Compiler<'a> {
    ingress: &'a Ingress,
    route: Arc<RouteRef>,
    key: ObjectKey,
    flags: Flags,
    objects: &'a Objects,
    services: &'a Services<'a>,
    findings: &'a mut Findings,
}

impl<'a> Compiler<'a> {
    fn new(ingress: &'a Ingress, objects: &'a Objects, services: &'a Services<'a>, findings: &'a mut Findings) -> Self {
        let metadata = &ingress.metadata;
        let (namespace, name) = (Arc::clone(&metadata.namespace), Arc::clone(&metadata.name));
        let route = Arc::new(RouteRef { kind: RouteKind::Ingress, namespace, name });
        let key = key(&route);
        let mut flags = Flags::default();
        flags.set_if(Flag::NginxRewrite, metadata.annotations.contains_key(NGINX_REWRITE));
        Self { ingress, route, key, flags, objects, services, findings }
    }

    fn compile(&mut self, table: &mut Table) {
        let spec = &self.ingress.spec;
        let default = spec.default_backend.as_ref().and_then(|backend| match backend.at("spec.defaultBackend") {
            Ok(backend) => Some(self.default(backend)),
            Err(fault) => {
                self.findings.unreadable(&self.key, fault);
                None
            }
        });
        table.defaults.extend(default.clone());
        self.check_secrets();
        for (rule_index, rule) in spec.rules.iter().enumerate() {
            let rule = match rule.at(&format!("spec.rules[{rule_index}]")) {
                Ok(rule) => rule,
                Err(fault) => {
                    table.has_invalid = true;
                    self.findings.unreadable(&self.key, fault);
                    continue;
                }
            };
            let pattern = match HostPattern::parse(rule.host.as_deref()) {
                Ok(pattern) => pattern,
                Err(reason) => {
                    let message = format!("{reason}: {}", rule.host.as_deref().unwrap_or_default());
                    self.findings.add(&self.key, format!("spec.rules[{rule_index}].host"), Check::InvalidHost, message);
                    table.has_invalid = true;
                    continue;
                }
            };
            let has_tls = self.has_tls(&pattern);
            // One without any certificate is meant to be served in the clear.
            if !has_tls && !spec.tls.is_empty() {
                let message = format!("no certificate in spec.tls for {pattern}");
                self.findings.add(&self.key, format!("spec.rules[{rule_index}].host"), Check::NoCertificate, message);
            }
            let rules = table.hosts.entry(&pattern);
            rules.defaults.extend(default.clone());
            rules.flags.set_if(Flag::NginxRegexHost, self.makes_regexes());
            for (path_index, path) in rule.http.paths.iter().enumerate() {
                match self.entry(path, rule_index, path_index) {
                    Some(mut entry) => {
                        entry.host.clone_from(&rule.host);
                        entry.has_tls = has_tls;
                        rules.insert(entry);
                    }
                    None => rules.flags.set_if(Flag::InvalidRule, true),
                }
            }
        }
    }

    /// Says which certificates are not there, as far as Secrets are known.
    fn check_secrets(&mut self) {
        for (index, tls) in self.ingress.spec.tls.iter().enumerate() {
            let field = format!("spec.tls[{index}]");
            let secret = match tls.at(&field) {
                Ok(tls) => tls.secret_name.as_ref(),
                Err(fault) => {
                    self.findings.unreadable(&self.key, fault);
                    continue;
                }
            };
            let Some(secret) = secret else { continue };
            let namespace = &self.key.namespace;
            if self.objects.has_secret(namespace, secret) != Some(true) {
                let message = format!("not among the objects: Secret {namespace}/{secret}");
                self.findings.add(&self.key, format!("{field}.secretName"), Check::MissingSecret, message);
            }
        }
    }

    fn makes_regexes(&self) -> bool {
        let annotations = &self.ingress.metadata.annotations;
        let is_set = annotations.get(NGINX_REGEX).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        is_set || annotations.contains_key(NGINX_REWRITE)
    }

    /// Whether a certificate of this Ingress is for the host. One that names no hosts is for all.
    fn has_tls(&self, pattern: &HostPattern) -> bool {
        let names = |host: &Arc<str>| match (HostPattern::parse(Some(host)), pattern) {
            (Ok(HostPattern::Wildcard(base)), HostPattern::Exact(host)) => {
                host.split_once('.').is_some_and(|(_, behind)| *behind == *base)
            }
            (Ok(host), pattern) => host == *pattern,
            (Err(_), _) => false,
        };
        self.ingress
            .spec
            .tls
            .iter()
            .filter_map(Part::read)
            .any(|tls| tls.hosts.is_empty() || tls.hosts.iter().any(names))
    }

    fn default(&mut self, backend: &IngressBackend) -> Fallback {
        let made = self.backend(backend, "spec.defaultBackend");
        let mut flags = self.flags;
        flags.set_if(Flag::ServicesUnknown, !self.services.are_known());
        let has_rules = !self.ingress.spec.rules.is_empty();
        Fallback { route: Arc::clone(&self.route), backend: Arc::new(made), has_rules, flags }
    }

    fn backend(&mut self, backend: &IngressBackend, field: &str) -> Backend {
        let made = Backend::of_ingress(&self.key.namespace, backend, self.services);
        let name = made.service.as_deref().unwrap_or_default();
        let (reason, port) = match (made.refusal, &made.port) {
            (None, _) => return made,
            (Some(Reason::MissingBackend), _) => ("no such Service", String::new()),
            (Some(Reason::MissingPort), Some(port)) => ("no such port", format!(":{port}")),
            (Some(Reason::MissingPort), None) => ("no port is named", String::new()),
            (Some(_), _) => ("no Service is named", String::new()),
        };
        self.findings.add(&self.key, field, Check::MissingBackend, format!("{reason}: {name}{port}"));
        made
    }

    fn entry(&mut self, path: &Part<IngressPath>, rule_index: usize, path_index: usize) -> Option<Entry> {
        let field = format!("spec.rules[{rule_index}].http.paths[{path_index}]");
        let path = match path.at(&field) {
            Ok(path) => path,
            Err(fault) => {
                self.findings.unreadable(&self.key, fault);
                return None;
            }
        };
        let path_type = match path.path_type.as_deref() {
            Some("Exact") => PathType::Exact,
            Some("Prefix") => PathType::Prefix,
            Some("ImplementationSpecific") | None => PathType::ImplementationSpecific,
            Some(other) => {
                let message = format!("not a type of path: {other}");
                self.findings.add(&self.key, format!("{field}.pathType"), Check::InvalidPath, message);
                return None;
            }
        };
        let text = path.path.clone().unwrap_or_else(|| Arc::from("/"));
        if !text.starts_with('/') {
            let message = format!("not a path: {text} (expected / first)");
            self.findings.add(&self.key, format!("{field}.path"), Check::InvalidPath, message);
            return None;
        }
        let backend = self.backend(&path.backend, &format!("{field}.backend"));
        let mut flags = self.flags;
        flags.set_if(Flag::ImplementationSpecific, path_type == PathType::ImplementationSpecific);
        flags.set_if(Flag::ServicesUnknown, !self.services.are_known());
        let (route, host) = (Arc::clone(&self.route), None);
        let outcome = Outcome::of(std::slice::from_ref(&backend), None, path_type != PathType::Exact, UNAVAILABLE);
        let path = text;
        Some(Entry { route, rule_index, path_index, host, path, path_type, backend, has_tls: false, flags, outcome })
    }
}

impl HostRules {
    fn insert(&mut self, entry: Entry) {
        let list = match entry.path_type {
            PathType::Exact => self.paths.exact_mut(&entry.path),
            _ => self.paths.prefix_mut(&entry.path),
        };
        list.push(entry);
    }
}
