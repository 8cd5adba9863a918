//! Rules written as YAML, requests written as texts, answers as one line.

use std::fmt::Write as _;

use weir_cluster::route::{Answer, Flag, RouteOptions, RouteRequest, Routes, Scheme};

use crate::given::objects;

pub(crate) fn routes(yaml: &str) -> Routes {
    Routes::build(&objects(yaml), &RouteOptions::default())
}

/// `FIELD check` of every finding about one object.
pub(crate) fn findings(routes: &Routes, name: &str) -> Vec<String> {
    let of = routes.findings().iter().filter(|finding| &*finding.object.name == name);
    of.map(|finding| format!("{} {}", finding.field, finding.check.name())).collect()
}

/// A Service of namespace `shop` with port 80, called `http`.
pub(crate) fn service(name: &str) -> String {
    service_in("shop", name)
}

pub(crate) fn service_in(namespace: &str, name: &str) -> String {
    format!(
        "---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
         spec: {{ports: [{{name: http, port: 80}}]}}\n"
    )
}

/// An Ingress of namespace `shop`, taken in at the given minute of an hour.
pub(crate) fn ingress(name: &str, minute: u8, spec: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\n\
         metadata: {{name: {name}, namespace: shop, creationTimestamp: '2026-01-05T08:{minute:02}:00Z'}}\nspec: {{{spec}}}\n"
    )
}

/// A rule: a host (empty = none) and paths `TYPE PATH SERVICE`.
pub(crate) fn rule(host: &str, paths: &[&str]) -> String {
    let mut rule = if host.is_empty() { "{".to_owned() } else { format!("{{host: '{host}', ") };
    rule.push_str("http: {paths: [");
    for path in paths {
        let [path_type, path, service] = path.split(' ').collect::<Vec<_>>()[..] else { panic!("three words: {path}") };
        let _ = write!(
            rule,
            "{{path: '{path}', pathType: {path_type}, backend: {{service: {{name: {service}, port: {{number: 80}}}}}}}}, "
        );
    }
    rule + "]}}"
}

/// A Gateway `edge` of namespace `infra` with the given listeners.
pub(crate) fn gateway(listeners: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: Gateway\nmetadata: {{name: edge, namespace: infra}}\n\
         spec: {{gatewayClassName: any, listeners: [{listeners}]}}\n"
    )
}

/// A listener for HTTP on port 80 that takes routes of every namespace.
pub(crate) const HTTP: &str = "{name: http, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}";

/// An HTTPRoute of namespace `shop` at Gateway `edge`, taken in at the given minute of an hour.
pub(crate) fn http_route(name: &str, minute: u8, spec: &str) -> String {
    route("HTTPRoute", name, minute, &format!("parentRefs: [{{name: edge, namespace: infra}}], {spec}"))
}

pub(crate) fn route(kind: &str, name: &str, minute: u8, spec: &str) -> String {
    format!(
        "---\napiVersion: gateway.networking.k8s.io/v1\nkind: {kind}\n\
         metadata: {{name: {name}, namespace: shop, creationTimestamp: '2026-01-05T08:{minute:02}:00Z'}}\nspec: {{{spec}}}\n"
    )
}

/// A request in the clear: `METHOD host/path`, where the host may be empty.
pub(crate) fn request<'a>(text: &'a str, headers: &'a [(&'a str, &'a str)]) -> RouteRequest<'a> {
    let (method, url) = text.split_once(' ').unwrap_or(("GET", text));
    let (host, target) = url.split_at(url.find('/').unwrap_or(url.len()));
    let host = Some(host).filter(|host| !host.is_empty());
    RouteRequest { scheme: Scheme::Http, method, host, target, headers, ..RouteRequest::default() }
}

/// `STATUS NAME RULE.MATCH SERVICE`, what there is of it, and the reason.
pub(crate) fn said(answer: &Answer<'_>) -> String {
    let mut said = answer.status.to_string();
    if let Some(rule) = answer.rule {
        let _ = write!(said, " {}", rule.route.name);
        let _ = match (rule.rule_index, rule.match_index) {
            (Some(rule), Some(place)) => write!(said, " {rule}.{place}"),
            (Some(rule), None) => write!(said, " {rule}"),
            (None, _) => write!(said, " default"),
        };
    }
    if let Some(service) = answer.backend().and_then(|backend| backend.service.as_deref()) {
        let _ = write!(said, " {service}");
    }
    if let Some(reason) = answer.reason {
        let _ = write!(said, " {}", reason.name());
    }
    said
}

pub(crate) fn at_ingress(routes: &Routes, text: &str) -> String {
    said(&routes.ingress(&request(text, &[])))
}

pub(crate) fn at_edge(routes: &Routes, text: &str) -> String {
    at_edge_with(routes, text, &[])
}

pub(crate) fn at_edge_with(routes: &Routes, text: &str, headers: &[(&str, &str)]) -> String {
    said(&routes.gateway("infra", "edge", &request(text, headers)))
}

pub(crate) fn flags(answer: &Answer<'_>) -> Vec<&'static str> {
    answer.flags.iter().map(Flag::name).collect()
}
