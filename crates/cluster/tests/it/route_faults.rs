//! Parts of routes that cannot be read, or are not valid: they cost themselves, never widen, and the answer says so.

use weir_cluster::route::{RouteRequest, Routes, Scheme, Watched};

use crate::route_given::{
    HTTP, at_edge, at_edge_with, at_ingress, findings, flags, gateway, http_route, ingress, request, route, routes,
    said, service, service_in,
};

const GOOD: &str = "{path: /, pathType: Prefix, backend: {service: {name: a, port: {number: 80}}}}";

fn paths(paths: &str) -> Routes {
    routes(&(service("a") + &ingress("i", 1, &format!("rules: [{{host: a.com, http: {{paths: [{paths}]}}}}]"))))
}

#[test]
fn a_path_that_cannot_be_read_costs_itself() {
    let bad = "{path: /cart, pathType: Prefix, backend: {service: {name: a, port: {number: 99999}}}}";
    let both = paths(&format!("{bad}, {GOOD}"));
    assert_eq!(at_ingress(&both, "a.com/cart"), "200 i 0.1 a");
    assert_eq!(flags(&both.ingress(&request("a.com/cart", &[]))), ["no-class", "invalid-rule"]);
    assert_eq!(findings(&both, "i"), ["spec.rules[0].http.paths[0].backend.service.port.number unreadable"]);
    assert_eq!(at_ingress(&paths(bad), "a.com/cart"), "404 invalid-rule");
    for bad in ["{path: 5}", "{paths: /}", "7", "{path: /, pathtype: Exact}"] {
        assert_eq!(at_ingress(&paths(bad), "a.com/"), "404 invalid-rule", "{bad}");
    }
}

#[test]
fn a_misspelt_host_is_not_every_host() {
    let rules =
        format!("rules: [{{hosts: a.com, http: {{paths: [{GOOD}]}}}}, {{host: b.com, http: {{paths: [{GOOD}]}}}}]");
    let routes = routes(&(service("a") + &ingress("i", 1, &rules)));
    assert_eq!(at_ingress(&routes, "c.com/"), "404 no-host");
    assert_eq!(flags(&routes.ingress(&request("c.com/", &[]))), ["invalid-rule"]);
    assert_eq!(at_ingress(&routes, "b.com/"), "200 i 1.0 a");
    assert_eq!(findings(&routes, "i").first().map(String::as_str), Some("spec.rules[0].hosts unreadable"));
}

#[test]
fn a_default_backend_that_cannot_be_read_serves_nothing() {
    let routes = routes(&(service("a") + &ingress("i", 1, "defaultBackend: {service: {name: a, port: {number: -1}}}")));
    assert_eq!(at_ingress(&routes, "a.com/"), "404 no-host");
    assert_eq!(findings(&routes, "i"), ["spec.defaultBackend.service.port.number unreadable"]);
}

const TO_A: &str = "backendRefs: [{name: a, port: 80}]";
const TO_B: &str = "backendRefs: [{name: b, port: 80}]";

fn rules(rules: &str) -> Routes {
    routes(&(service("a") + &service("b") + &gateway(HTTP) + &http_route("r", 1, &format!("rules: [{rules}]"))))
}

#[test]
fn a_match_that_cannot_be_read_matches_nothing() {
    for bad in [
        "{path: {value: 5}}",
        "{header: [{name: v, value: '2'}]}",
        "{headers: [{name: v, values: '2'}]}",
        "{path: {type: PathPrefix, val: /x}}",
        "{path: {type: RegularExpression, value: '('}}",
        "{path: {type: Near, value: /}}",
    ] {
        let routes = rules(&format!("{{matches: [{bad}], {TO_A}}}"));
        assert_eq!(at_edge(&routes, "/"), "404 invalid-rule", "{bad}");
        let routes = rules(&format!("{{matches: [{bad}], {TO_A}}}, {{{TO_B}}}"));
        assert_eq!(at_edge(&routes, "/"), "200 r 1.0 b", "{bad}");
        assert_eq!(flags(&routes.gateway("infra", "edge", &request("/", &[]))), ["invalid-rule"], "{bad}");
    }
    let either = rules(&format!("{{matches: [{{path: {{value: 5}}}}, {{path: {{value: /x}}}}], {TO_A}}}"));
    assert_eq!((at_edge(&either, "/x"), at_edge(&either, "/y")), ("200 r 0.1 a".into(), "404 invalid-rule".into()));
}

#[test]
fn a_rule_with_an_unknown_field_costs_itself_and_known_ones_say_nothing() {
    let routes =
        rules(&format!("{{match: [{{path: {{value: /x}}}}], {TO_A}}}, {{name: n, timeouts: {{request: 1s}}, {TO_B}}}"));
    assert_eq!(at_edge(&routes, "/y"), "200 r 1.0 b");
    assert_eq!(findings(&routes, "r"), ["spec.rules[0].match unreadable"]);
}

#[test]
fn a_backend_or_filter_that_cannot_be_read_fails_its_requests() {
    let routes = rules("{backendRefs: [{name: a, port: 99999}]}");
    assert_eq!(at_edge(&routes, "/"), "500 r 0.0 invalid-backend");
    assert_eq!(findings(&routes, "r"), ["spec.rules[0].backendRefs[0].port unreadable"]);
    let routes = rules("{backendRefs: [{name: a, port: 99999}, {name: b, port: 80}]}");
    assert_eq!(flags(&routes.gateway("infra", "edge", &request("/", &[]))), ["partly-failing"]);
    let routes = rules(&format!("{{filters: [{{type: RequestRedirect, requestRedirect: {{port: x}}}}], {TO_A}}}"));
    assert_eq!(at_edge(&routes, "/"), "500 r 0.0 invalid-filter");
}

#[test]
fn a_mirror_that_cannot_be_used_is_told() {
    let mirror = |to: &str| {
        rules(&format!("{{filters: [{{type: RequestMirror, requestMirror: {{backendRef: {{{to}}}}}}}], {TO_A}}}"))
    };
    let flagged = |to: &str| flags(&mirror(to).gateway("infra", "edge", &request("/", &[])));
    assert_eq!(flagged("name: b, port: 80"), Vec::<&str>::new());
    assert_eq!(flagged("name: gone, port: 80"), ["refused-mirror"]);
    assert_eq!(flagged("name: b, namespace: other, port: 80"), ["refused-mirror"]);
}

#[test]
fn parents_hosts_and_grants_that_cannot_be_read_are_none() {
    let attached = |spec: &str| {
        let yaml = service("a") + &gateway(HTTP) + &route("HTTPRoute", "r", 1, &format!("{spec}, rules: [{{{TO_A}}}]"));
        let routes = routes(&yaml);
        (at_edge(&routes, "a.com/"), findings(&routes, "r"))
    };
    let parent = "parentRefs: [{name: edge, namespace: infra}]";
    let none = "404 no-host".to_owned();
    let found = |text: &str| vec![text.to_owned()];
    assert_eq!(
        attached("parentRefs: [{name: edge, namespace: infra, sectionname: other}]"),
        (none.clone(), found("spec.parentRefs[0].sectionname unreadable"))
    );
    let (answer, found) = attached(&format!("{parent}, hostnames: [5]"));
    assert_eq!((answer, found.contains(&"spec.hostnames[0] unreadable".to_owned())), (none, true));
    let grant = |to: &str| {
        let grant = format!(
            "---\napiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\nmetadata: {{name: g, namespace: other}}\n\
             spec: {{from: [{{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}}], to: [{{group: '', kind: Service, {to}}}]}}\n"
        );
        let refs = "backendRefs: [{name: a, namespace: other, port: 80}]";
        let yaml =
            service_in("other", "a") + &gateway(HTTP) + &grant + &http_route("r", 1, &format!("rules: [{{{refs}}}]"));
        at_edge(&routes(&yaml), "/")
    };
    assert_eq!(grant("name: a"), "200 r 0.0 a");
    assert_eq!(grant("nam: b"), "500 r 0.0 refused-reference", "not every name");
    assert_eq!(grant("name: [a]"), "500 r 0.0 refused-reference");
}

#[test]
fn a_listener_that_cannot_be_read_costs_itself() {
    let listeners = format!("{HTTP}, {{name: bad, port: 99999, protocol: HTTP}}, {{name: none, port: 81}}");
    let yaml = service("a") + &gateway(&listeners) + &http_route("r", 1, &format!("rules: [{{{TO_A}}}]"));
    let routes = routes(&yaml);
    assert_eq!(at_edge(&routes, "/"), "200 r 0.0 a");
    assert_eq!(flags(&routes.gateway("infra", "edge", &request("/", &[]))), ["invalid-listener"]);
    assert_eq!(findings(&routes, "edge"), ["spec.listeners[1].port unreadable", "spec.listeners[2] unreadable"]);
}

#[test]
fn a_connection_that_nothing_takes_has_a_status_and_says_that_there_is_no_answer() {
    let yaml = service("a") + &gateway(HTTP) + &http_route("r", 1, &format!("rules: [{{{TO_A}}}]"));
    let routes = routes(&yaml);
    let answer = routes.gateway("infra", "edge", &RouteRequest { port: Some(8080), ..RouteRequest::default() });
    assert_eq!((said(&answer).as_str(), flags(&answer)), ("404 no-listener", vec!["no-answer"]));
    assert_eq!(routes.listener_port("infra", "edge", "http"), Some(80));
    assert_eq!(routes.listener_port("infra", "edge", "other"), None);
}

#[test]
fn a_request_that_was_seen_at_a_listener_that_cannot_work_is_not_said_to_have_no_answer() {
    let listener = "{name: https, port: 443, protocol: HTTPS, allowedRoutes: {namespaces: {from: All}}}";
    let yaml = service("a") + &gateway(listener) + &http_route("r", 1, &format!("rules: [{{{TO_A}}}]"));
    let routes = routes(&yaml);
    let hello = Watched { scheme: Scheme::Tls, sni: Some("a.com"), ..Watched::default() };
    let seen = routes.gateway_watched("infra", "edge", &hello);
    assert_eq!(
        seen.iter().map(|answer| (said(answer), flags(answer))).collect::<Vec<_>>(),
        [("200 r 0.0 a".to_owned(), vec!["invalid-listener"])]
    );
    let asked = RouteRequest { scheme: Scheme::Https, host: Some("a.com"), ..RouteRequest::default() };
    assert_eq!(flags(&routes.gateway("infra", "edge", &asked)), ["no-answer"], "by the objects alone there is none");
}

#[test]
fn odd_requests_have_defined_answers() {
    let routes = rules(&format!("{{matches: [{{path: {{value: /a}}}}], {TO_A}}}"));
    for (target, want) in [
        ("/a%2Fb", "404 no-rule"),
        ("/%61", "404 no-rule"),
        ("/a/../b", "200 r 0.0 a"),
        ("/b/../a", "404 no-rule"),
        ("//a", "404 no-rule"),
        ("/a//", "200 r 0.0 a"),
        ("/a/%zz", "200 r 0.0 a"),
        ("/a?/../b", "200 r 0.0 a"),
        ("/a;x=1", "404 no-rule"),
    ] {
        assert_eq!(at_edge(&routes, target), want, "{target}");
    }
    let long = format!("/a{}", "/x".repeat(50_000));
    assert_eq!(at_edge(&routes, &long), "200 r 0.0 a");
    for host in ["a..com", "-", "[::1]", "*", "a.com:http", "%61.com"] {
        let answer = at_edge(&routes, &format!("{host}/a"));
        assert!(["200 r 0.0 a", "400 invalid-host"].contains(&&*answer), "{host}: {answer}");
    }
    assert_eq!(at_edge_with(&routes, "/a", &[("", ""), ("x", "\u{0}")]), "200 r 0.0 a");
}
