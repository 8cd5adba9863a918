//! HTTPRoutes, GRPCRoutes and TLSRoutes in one shape, still as written.

use std::sync::Arc;

use crate::objects::{
    BackendRef, GrpcMatch, GrpcRoute, HttpMatch, HttpRoute, ObjectKey, ObjectKind, ObjectMeta, Objects, ParentRef,
    RouteFilter, TlsRoute,
};
use crate::route::age;
use crate::route::answer::{RouteKind, RouteRef};

/// A route.
pub(super) struct Source<'a> {
    pub(super) route: Arc<RouteRef>,
    pub(super) key: ObjectKey,
    pub(super) metadata: &'a ObjectMeta,
    pub(super) parents: &'a [ParentRef],
    pub(super) hostnames: &'a [Arc<str>],
    pub(super) rules: Vec<SourceRule<'a>>,
}

/// A rule of a route. One without matches matches everything.
pub(super) struct SourceRule<'a> {
    pub(super) matches: Vec<SourceMatch<'a>>,
    pub(super) filters: &'a [RouteFilter],
    pub(super) backends: &'a [BackendRef],
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
        let rule = |rule: &'a crate::objects::HttpRule| SourceRule {
            matches: or_all(rule.matches.iter().map(SourceMatch::Http).collect()),
            filters: &rule.filters,
            backends: &rule.backend_refs,
        };
        let everything = || vec![SourceRule { matches: vec![SourceMatch::All], filters: &[], backends: &[] }];
        let spec = &route.spec;
        let rules = spec.rules.as_ref().map_or_else(everything, |rules| rules.iter().map(rule).collect());
        Self::new(RouteKind::HttpRoute, &route.metadata, &spec.parent_refs, &spec.hostnames, rules)
    }

    fn of_grpc(route: &'a GrpcRoute) -> Self {
        let spec = &route.spec;
        let rules = spec.rules.iter().map(|rule| SourceRule {
            matches: or_all(rule.matches.iter().map(SourceMatch::Grpc).collect()),
            filters: &rule.filters,
            backends: &rule.backend_refs,
        });
        Self::new(RouteKind::GrpcRoute, &route.metadata, &spec.parent_refs, &spec.hostnames, rules.collect())
    }

    fn of_tls(route: &'a TlsRoute) -> Self {
        let spec = &route.spec;
        let rules = spec.rules.iter();
        let rules = rules.map(|rule| SourceRule { matches: Vec::new(), filters: &[], backends: &rule.backend_refs });
        Self::new(RouteKind::TlsRoute, &route.metadata, &spec.parent_refs, &spec.hostnames, rules.collect())
    }

    fn new(
        kind: RouteKind,
        metadata: &'a ObjectMeta,
        parents: &'a [ParentRef],
        hostnames: &'a [Arc<str>],
        rules: Vec<SourceRule<'a>>,
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

fn or_all(matches: Vec<SourceMatch<'_>>) -> Vec<SourceMatch<'_>> {
    if matches.is_empty() { vec![SourceMatch::All] } else { matches }
}
