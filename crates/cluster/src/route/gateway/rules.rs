//! Rules of routes as written in; conditions, filters and backends that can be used out, and findings.

use std::sync::Arc;

use super::conditions::{Condition, Conditions};
use super::grants::Grants;
use super::source::{Source, SourceMatch, SourceRule};
use super::{PathRule, Rule};
use crate::objects::{BackendRef, GrpcMethodMatch, HttpPathMatch, Mirror, Part, RouteFilter, ValueMatch};
use crate::route::HashMap;
use crate::route::answer::Reason;
use crate::route::backend::{Backend, BackendPort, Services};
use crate::route::filters::{Filters, Mirrored};
use crate::route::finding::{Check, Findings};
use crate::route::pattern::Patterns;

/// A field below a match, what it is, and why.
type Wrong = (String, Check, String);

/// Compiles the rules of one route after the other.
pub(super) struct Compiler<'a> {
    pub(super) services: &'a Services<'a>,
    pub(super) grants: &'a Grants,
    pub(super) patterns: Patterns,
    /// What matches ask for, once: thousands of them ask for the same header.
    pub(super) conditions: HashMap<String, Arc<Conditions>>,
    pub(super) findings: &'a mut Findings,
}

impl Compiler<'_> {
    /// Compiles one rule.
    pub(super) fn rule(&mut self, source: &Source<'_>, index: usize, rule: &SourceRule<'_>) -> Rule {
        let field = format!("spec.rules[{index}]");
        let filters = self.filters(source, &field, rule.filters);
        let backends: Vec<Backend> = rule
            .backends
            .iter()
            .enumerate()
            .map(|(place, backend)| self.backend(source, &format!("{field}.backendRefs[{place}]"), backend))
            .collect();
        let redirects = filters.as_ref().is_some_and(|filters| filters.redirect.is_some());
        if !redirects && backends.iter().all(|backend| backend.weight == 0) {
            let message = if backends.is_empty() { "no backends" } else { "all backends have weight 0" };
            self.findings.add(&source.key, format!("{field}.backendRefs"), Check::NoBackend, message);
        }
        let (filters, backends) = (filters.map(Arc::from), backends.into());
        Rule { route: Arc::clone(&source.route), index, filters, backends }
    }

    /// Compiles one match; `None` where it is not one.
    pub(super) fn matched(
        &mut self,
        source: &Source<'_>,
        field: &str,
        written: SourceMatch<'_>,
    ) -> Option<(PathRule, Arc<Conditions>)> {
        let compiled = match written {
            SourceMatch::All => Ok((PathRule::Prefix("/".into()), Conditions::default())),
            SourceMatch::Http(written) => self.path(written.path.as_ref()).and_then(|path| {
                let headers = self.conditions("headers", &written.headers, str::eq_ignore_ascii_case)?;
                let query = self.conditions("queryParams", &written.query_params, |one, two| one == two)?;
                Ok((path, Conditions { grpc_method: None, method: written.method.clone(), headers, query }))
            }),
            SourceMatch::Grpc(written) => self.call(written.method.as_ref()).and_then(|(path, grpc_method)| {
                let headers = self.conditions("headers", &written.headers, str::eq_ignore_ascii_case)?;
                Ok((path, Conditions { grpc_method, method: None, headers, query: Vec::new() }))
            }),
        };
        match compiled {
            Ok((path, made)) => {
                let kept = self.conditions.entry(format!("{made:?}")).or_insert_with(|| made.into());
                Some((path, Arc::clone(kept)))
            }
            Err((part, check, message)) => {
                self.findings.add(&source.key, format!("{field}.{part}"), check, message);
                None
            }
        }
    }

    fn path(&mut self, written: Option<&HttpPathMatch>) -> Result<PathRule, Wrong> {
        let value = written.and_then(|path| path.value.clone()).unwrap_or_else(|| Arc::from("/"));
        let wrong = |check, message| ("path".to_owned(), check, message);
        let is_path = value.starts_with('/');
        match written.and_then(|path| path.match_type.as_deref()) {
            Some("Exact") if is_path => Ok(PathRule::Exact(value)),
            None | Some("PathPrefix") if is_path => Ok(PathRule::Prefix(value)),
            Some("RegularExpression") => self.patterns.compile(&value).map(PathRule::Pattern).map_err(|reason| {
                wrong(Check::InvalidPattern, format!("not a regular expression: {value} ({reason})"))
            }),
            None | Some("Exact" | "PathPrefix") => {
                Err(wrong(Check::InvalidPath, format!("not a path: {value} (expected / first)")))
            }
            Some(other) => Err(wrong(Check::InvalidPath, format!("not a type of path: {other}"))),
        }
    }

    /// The path of a gRPC call is `/service/method`.
    fn call(&mut self, written: Option<&GrpcMethodMatch>) -> Result<(PathRule, Option<Arc<str>>), Wrong> {
        let wrong = |check, message| ("method".to_owned(), check, message);
        let Some(written) = written else { return Ok((PathRule::Prefix("/".into()), None)) };
        let (service, method) = (written.service.as_deref(), written.method.as_deref());
        match written.match_type.as_deref() {
            None | Some("Exact") => Ok(match (service, method) {
                (Some(service), Some(method)) => (PathRule::Exact(format!("/{service}/{method}").into()), None),
                (Some(service), None) => (PathRule::Prefix(format!("/{service}").into()), None),
                (None, method) => (PathRule::Prefix("/".into()), method.map(Arc::from)),
            }),
            Some("RegularExpression") => {
                let (service, method) = (service.unwrap_or("[^/]+"), method.unwrap_or("[^/]+"));
                let text = format!("/(?:{service})/(?:{method})");
                self.patterns.compile(&text.as_str().into()).map(|pattern| (PathRule::Pattern(pattern), None)).map_err(
                    |reason| wrong(Check::InvalidPattern, format!("not a regular expression: {text} ({reason})")),
                )
            }
            Some(other) => Err(wrong(Check::InvalidPath, format!("not a type of match: {other}"))),
        }
    }

    fn conditions(
        &mut self,
        part: &str,
        written: &[ValueMatch],
        same: impl Fn(&str, &str) -> bool,
    ) -> Result<Vec<Condition>, Wrong> {
        Condition::compile(written, same, &mut self.patterns)
            .map_err(|(index, message)| (format!("{part}[{index}]"), Check::InvalidPattern, message))
    }

    fn filters(&mut self, source: &Source<'_>, field: &str, filters: &[Part<RouteFilter>]) -> Option<Box<Filters>> {
        if filters.is_empty() {
            return None;
        }
        let mut problems = Vec::new();
        let made = Filters::compile(
            filters,
            |place, mirror| self.mirror(source, &format!("{field}.filters[{place}].requestMirror"), mirror),
            |place, message| problems.push((format!("{field}.filters[{place}]"), message)),
        );
        for (field, message) in problems {
            self.findings.add(&source.key, field, Check::InvalidFilter, message);
        }
        Some(Box::new(made))
    }

    fn mirror(&mut self, source: &Source<'_>, field: &str, mirror: &Mirror) -> Option<Mirrored> {
        let target = self.target(source, field, &mirror.backend_ref);
        if target.refusal.is_some() {
            return None;
        }
        let share = Mirrored::share(mirror.percent, mirror.fraction);
        Some(Mirrored { namespace: target.namespace, service: target.service?, port: target.port, share })
    }

    /// One that cannot be read fails its share of the requests, as one that cannot be used.
    fn backend(&mut self, source: &Source<'_>, field: &str, backend: &Part<BackendRef>) -> Backend {
        let backend = match backend.at(field) {
            Ok(backend) => backend,
            Err(fault) => {
                self.findings.unreadable(&source.key, fault);
                let (namespace, refusal) = (Arc::clone(&source.key.namespace), Some(Reason::InvalidBackend));
                return Backend { namespace, service: None, port: None, weight: 1, refusal, filters: None };
            }
        };
        let filters = self.filters(source, field, &backend.filters);
        Backend { filters, ..self.target(source, field, backend) }
    }

    /// What a reference refers to, and why it cannot be used.
    fn target(&mut self, source: &Source<'_>, field: &str, backend: &BackendRef) -> Backend {
        let own = &source.key.namespace;
        let namespace = Arc::clone(backend.namespace.as_ref().unwrap_or(own));
        let is_service = backend.group.is_none() && backend.kind.as_deref().is_none_or(|kind| kind == "Service");
        let port = backend.port.map(BackendPort::Number);
        let (name, kind) = (&backend.name, source.route.kind.name());
        let refusal = if !is_service {
            Some(Reason::UnknownBackendKind)
        } else if !self.grants.allow(kind, own, "Service", &namespace, name) {
            Some(Reason::RefusedReference)
        } else {
            self.services.refusal(&namespace, name, port.as_ref())
        };
        if let Some(reason) = refusal {
            let (check, said) = match reason {
                Reason::RefusedReference => (Check::RefusedReference, "that namespace does not grant it"),
                Reason::UnknownBackendKind => (Check::MissingBackend, "not a Service"),
                Reason::MissingPort => (Check::MissingBackend, "no such port of the Service"),
                _ => (Check::MissingBackend, "no such Service"),
            };
            let port = backend.port.map(|port| format!(":{port}")).unwrap_or_default();
            self.findings.add(&source.key, field, check, format!("{said}: {namespace}/{name}{port}"));
        }
        let service = is_service.then(|| Arc::clone(name));
        let weight = backend.weight.unwrap_or(1);
        Backend { namespace, service, port, weight, refusal, filters: None }
    }
}
