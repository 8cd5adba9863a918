//! HTTPRoutes, GRPCRoutes and TLSRoutes in one shape, still as written.

use std::sync::Arc;

use crate::objects::{
    BackendRef, Fault, GrpcMatch, GrpcRoute, HttpMatch, HttpRoute, ObjectKey, ObjectKind, ObjectMeta, Objects,
    ParentRef, Part, RouteFilter, TlsRoute,
};
use crate::route::age;
use crate::route::answer::{RouteKind, RouteRef};

/// A route.
pub(super) struct Source<'a> {
    pub(super) route: Arc<RouteRef>,
    pub(super) key: ObjectKey,
    pub(super) metadata: &'a ObjectMeta,
    pub(super) parents: &'a [Part<ParentRef>],
    pub(super) hostnames: &'a [Part<Arc<str>>],
    pub(super) rules: Vec<Result<SourceRule<'a>, Fault>>,
}

/// A rule of a route. One without matches matches everything.
pub(super) struct SourceRule<'a> {
    pub(super) matches: Vec<Result<SourceMatch<'a>, Fault>>,
    pub(super) filters: &'a [Part<RouteFilter>],
    pub(super) backends: &'a [Part<BackendRef>],
}

/// A match of a rule.
#[derive(Clone, Copy)]
pub(super) enum SourceMatch<'a> {
    Http(&'a HttpMatch),
    Grpc(&'a GrpcMatch),
    /// Every request.
    All,
}

/// All routes, the oldest first.
pub(super) fn all(objects: &Objects) -> Vec<Source<'_>> {
    let http = objects.http_routes().map(Source::of_http);
    let grpc = objects.grpc_routes().map(Source::of_grpc);
    let tls = objects.tls_routes().map(Source::of_tls);
    let mut all: Vec<_> = http.chain(grpc).chain(tls).collect();
    all.sort_by_key(|source| age(source.metadata));
    all
}

impl<'a> Source<'a> {
    fn of_http(route: &'a HttpRoute) -> Self {
        let spec = &route.spec;
        let everything = || vec![Ok(SourceRule { matches: vec![Ok(SourceMatch::All)], filters: &[], backends: &[] })];
        let rules = spec.rules.as_ref().map_or_else(everything, |rules| {
            each(rules, |at, rule| SourceRule {
                matches: matches(&rule.matches, at, SourceMatch::Http),
                filters: &rule.filters,
                backends: &rule.backend_refs,
            })
        });
        Self::new(RouteKind::HttpRoute, &route.metadata, &spec.parent_refs, &spec.hostnames, rules)
    }

    fn of_grpc(route: &'a GrpcRoute) -> Self {
        let spec = &route.spec;
        let rules = each(&spec.rules, |at, rule| SourceRule {
            matches: matches(&rule.matches, at, SourceMatch::Grpc),
            filters: &rule.filters,
            backends: &rule.backend_refs,
        });
        Self::new(RouteKind::GrpcRoute, &route.metadata, &spec.parent_refs, &spec.hostnames, rules)
    }

    fn of_tls(route: &'a TlsRoute) -> Self {
        let spec = &route.spec;
        let rules =
            each(&spec.rules, |_, rule| SourceRule { matches: Vec::new(), filters: &[], backends: &rule.backend_refs });
        Self::new(RouteKind::TlsRoute, &route.metadata, &spec.parent_refs, &spec.hostnames, rules)
    }

    fn new(
        kind: RouteKind,
        metadata: &'a ObjectMeta,
        parents: &'a [Part<ParentRef>],
        hostnames: &'a [Part<Arc<str>>],
        rules: Vec<Result<SourceRule<'a>, Fault>>,
    ) -> Self {
        let (namespace, name) = (Arc::clone(&metadata.namespace), Arc::clone(&metadata.name));
        let object = match kind {
            RouteKind::Ingress => ObjectKind::Ingress,
            RouteKind::HttpRoute => ObjectKind::HTTPRoute,
            RouteKind::GrpcRoute => ObjectKind::GRPCRoute,
            RouteKind::TlsRoute => ObjectKind::TLSRoute,
        };
        let key = ObjectKey { kind: object, namespace: Arc::clone(&namespace), name: Arc::clone(&name) };
        Self { route: Arc::new(RouteRef { kind, namespace, name }), key, metadata, parents, hostnames, rules }
    }
}

/// The rules, each with its place for what is in it.
fn each<'a, T, R>(rules: &'a [Part<T>], read: impl Fn(&str, &'a T) -> R) -> Vec<Result<R, Fault>> {
    let rules = rules.iter().enumerate().map(|(index, rule)| {
        let place = format!("spec.rules[{index}]");
        rule.at(&place).map(|rule| read(&place, rule))
    });
    rules.collect()
}

/// The matches of a rule; where none is written every request. One that cannot be read matches none.
fn matches<'a, T>(
    written: &'a [Part<T>],
    rule: &str,
    of: impl Fn(&'a T) -> SourceMatch<'a>,
) -> Vec<Result<SourceMatch<'a>, Fault>> {
    if written.is_empty() {
        return vec![Ok(SourceMatch::All)];
    }
    let places = written.iter().enumerate();
    places.map(|(index, found)| found.at(&format!("{rule}.matches[{index}]")).map(&of)).collect()
}
