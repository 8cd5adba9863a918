//! What the conformance suite of Gateway API asks of routers, in clusters of our own: one test for each of its topics.

use weir_cluster::route::{RouteRequest, Routes, Scheme};

use crate::route_given::{
    HTTP, at_edge, at_edge_with, findings, flags, gateway, http_route, request, route, routes, said, service,
};

const TO_A: &str = "backendRefs: [{name: a, port: 80}]";
const TO_B: &str = "backendRefs: [{name: b, port: 80}]";
const TO_C: &str = "backendRefs: [{name: c, port: 80}]";

/// Gateway `edge` with the given listeners and routes, and Services `a` to `c`.
fn edge(listeners: &str, routes_yaml: &str) -> Routes {
    routes(&(service("a") + &service("b") + &service("c") + &gateway(listeners) + routes_yaml))
}

fn rules(rules: &str) -> Routes {
    edge(HTTP, &http_route("r", 1, &format!("rules: [{rules}]")))
}

fn listener(name: &str, hostname: &str) -> String {
    format!(
        "{{name: {name}, port: 80, protocol: HTTP, hostname: '{hostname}', allowedRoutes: {{namespaces: {{from: All}}}}}}"
    )
}

#[test]
fn a_rule_takes_by_path_or_by_header_and_the_longer_path_is_first() {
    let routes = rules(&format!(
        "{{matches: [{{path: {{type: PathPrefix, value: /}}}}, {{headers: [{{name: version, value: one}}]}}], {TO_A}}}, \
         {{matches: [{{path: {{type: PathPrefix, value: /v2}}}}, {{headers: [{{name: version, value: two}}]}}], {TO_B}}}"
    ));
    for (path, version, want) in [
        ("/", "", "200 r 0.0 a"),
        ("/example", "", "200 r 0.0 a"),
        ("/", "one", "200 r 0.1 a"),
        ("/v2", "", "200 r 1.0 b"),
        ("/v2/", "", "200 r 1.0 b"),
        ("/v2/example", "one", "200 r 1.0 b"),
        ("/v2example", "", "200 r 0.0 a"),
        ("/foo/v2/example", "", "200 r 0.0 a"),
        ("/", "two", "200 r 1.1 b"),
        ("/", "TWO", "200 r 0.0 a"),
    ] {
        assert_eq!(at_edge_with(&routes, path, &[("Version", version)]), want, "{path} {version}");
    }
}

#[test]
fn of_several_routes_the_one_with_the_host_name_is_asked_before_the_one_with_the_longer_path() {
    let path = |path: &str, to: &str| format!("{{matches: [{{path: {{value: {path}}}}}], {to}}}");
    let one = http_route("one", 1, &format!("hostnames: [example.com, example.net], rules: [{}]", path("/", TO_A)));
    let two = http_route("two", 2, &format!("hostnames: [example.com], rules: [{}]", path("/v2", TO_B)));
    let wild = http_route("wild", 0, &format!("hostnames: ['*.com'], rules: [{}]", path("/v2/deep", TO_C)));
    let routes = edge(HTTP, &(one + &two + &wild));
    for (url, want) in [
        ("example.com/", "200 one 0.0 a"),
        ("example.com/v2", "200 two 0.0 b"),
        ("example.com/v2/deep", "200 two 0.0 b"),
        ("example.net/v2", "200 one 0.0 a"),
        ("other.com/v2/deep", "200 wild 0.0 c"),
        ("other.com/v2", "404 no-rule"),
        ("example.org/", "404 no-host"),
    ] {
        assert_eq!(at_edge(&routes, url), want, "{url}");
    }
}

#[test]
fn listeners_of_one_port_are_told_apart_by_host_name() {
    let listeners = [("l1", "bar.com"), ("l2", "foo.bar.com"), ("l3", "*.bar.com"), ("l4", "*.foo.com")];
    let listeners = listeners.map(|(name, host)| listener(name, host)).join(", ");
    let at = |name: &str, listeners: &[&str], to: &str| {
        let parents: Vec<_> = listeners
            .iter()
            .map(|listener| format!("{{name: edge, namespace: infra, sectionName: {listener}}}"))
            .collect();
        route("HTTPRoute", name, 1, &format!("parentRefs: [{}], rules: [{{{to}}}]", parents.join(", ")))
    };
    let routes =
        edge(&listeners, &(at("one", &["l1"], TO_A) + &at("two", &["l2"], TO_B) + &at("three", &["l3", "l4"], TO_C)));
    for (host, want) in [
        ("bar.com", "200 one 0.0 a"),
        ("foo.bar.com", "200 two 0.0 b"),
        ("baz.bar.com", "200 three 0.0 c"),
        ("multiple.prefixes.bar.com", "200 three 0.0 c"),
        ("multiple.prefixes.foo.com", "200 three 0.0 c"),
        ("foo.com", "404 no-listener"),
        ("no.matching.host", "404 no-listener"),
    ] {
        assert_eq!(at_edge(&routes, &format!("{host}/")), want, "{host}");
    }
}

#[test]
fn a_wildcard_of_the_listener_and_one_of_the_route_meet_in_the_narrower_one() {
    let at = |listened: &str, named: &str, host: &str| {
        let route = http_route("r", 1, &format!("hostnames: ['{named}'], rules: [{{{TO_A}}}]"));
        at_edge(&edge(&listener("l", listened), &route), &format!("{host}/"))
    };
    let yes = "200 r 0.0 a";
    assert_eq!(at("*.wild.io", "foo.wild.io", "foo.wild.io"), yes);
    assert_eq!(at("*.wild.io", "foo.wild.io", "bar.wild.io"), "404 no-host");
    assert_eq!(at("very.specific.com", "*.specific.com", "very.specific.com:1234"), yes);
    assert_eq!(at("very.specific.com", "*.specific.com", "not.specific.com"), "404 no-listener");
    assert_eq!(at("*.wild.io", "*.a.wild.io", "b.a.wild.io"), yes);
    assert_eq!(at("*.wild.io", "*.a.wild.io", "b.c.wild.io"), "404 no-host");
    assert_eq!(at("*.a.wild.io", "*.wild.io", "b.a.wild.io"), yes);
    assert_eq!(at("*.a.wild.io", "*.wild.io", "b.c.wild.io"), "404 no-listener");
    assert_eq!(at("*.a.wild.io", "*.wild.io", "a.wild.io"), "404 no-listener", "at least one label more");
}

#[test]
fn queries_are_compared_by_name_and_value_and_more_of_them_come_first() {
    let query = |query: &str, to: &str| format!("{{matches: [{{queryParams: [{query}]}}], {to}}}");
    let routes = rules(
        &[
            query("{name: animal, value: whale}", TO_A),
            query("{name: animal, value: dolphin}", TO_B),
            query("{name: animal, value: dolphin}, {name: color, value: blue}", TO_C),
            query("{name: ANIMAL, value: Whale}", TO_C),
        ]
        .join(", "),
    );
    for (query, want) in [
        ("animal=whale", "200 r 0.0 a"),
        ("animal=dolphin", "200 r 1.0 b"),
        ("color=blue&animal=dolphin", "200 r 2.0 c"),
        ("animal=dolphin&color=yellow", "200 r 1.0 b"),
        ("ANIMAL=Whale", "200 r 3.0 c"),
        ("animal=Whale", "404 no-rule"),
        ("color=blue", "404 no-rule"),
        ("animal", "404 no-rule"),
    ] {
        assert_eq!(at_edge(&routes, &format!("/?{query}")), want, "{query}");
    }
}

#[test]
fn every_status_of_a_redirect_is_kept() {
    for status in [301, 302, 303, 307, 308] {
        let filter = format!("{{type: RequestRedirect, requestRedirect: {{statusCode: {status}}}}}");
        assert_eq!(at_edge(&rules(&format!("{{filters: [{filter}]}}")), "a.com/"), format!("{status} r 0.0"));
    }
}

#[test]
fn what_says_nothing_of_where_a_request_goes_changes_no_answer() {
    let routes = rules(&format!(
        "{{name: named, timeouts: {{request: 500ms, backendRequest: 100ms}}, retry: {{codes: [503], attempts: 2}}, \
         sessionPersistence: {{sessionName: s}}, filters: [{{type: CORS, cors: {{allowOrigins: ['https://a.com']}}}}], {TO_A}}}"
    ));
    assert_eq!(at_edge(&routes, "/"), "200 r 0.0 a");
    assert_eq!(findings(&routes, "r"), Vec::<String>::new());
    let tls =
        "{name: tls, port: 443, protocol: TLS, tls: {mode: Passthrough}, allowedRoutes: {namespaces: {from: All}}}";
    let spec =
        format!("parentRefs: [{{name: edge, namespace: infra}}], hostnames: [a.com], rules: [{{name: named, {TO_A}}}]");
    let routes = edge(tls, &route("TLSRoute", "t", 1, &spec).replace("k8s.io/v1", "k8s.io/v1alpha2"));
    let hello = RouteRequest { scheme: Scheme::Tls, sni: Some("a.com"), ..RouteRequest::default() };
    assert_eq!(said(&routes.gateway("infra", "edge", &hello)), "200 t 0 a");
}

#[test]
fn a_service_without_selector_can_be_a_backend_and_its_protocol_says_nothing() {
    let yaml = "---\napiVersion: v1\nkind: Service\nmetadata: {name: manual, namespace: shop}\n\
                spec: {ports: [{port: 80, appProtocol: kubernetes.io/ws}]}\n";
    let to = http_route("r", 1, "rules: [{backendRefs: [{name: manual, port: 80}]}]");
    assert_eq!(at_edge(&edge(HTTP, &(yaml.to_owned() + &to)), "/"), "200 r 0.0 manual");
}

#[test]
fn a_request_has_several_mirrors_and_one_backend() {
    let mirror =
        |name: &str| format!("{{type: RequestMirror, requestMirror: {{backendRef: {{name: {name}, port: 80}}}}}}");
    let routes = rules(&format!("{{filters: [{}, {}], {TO_A}}}", mirror("b"), mirror("c")));
    let answer = routes.gateway("infra", "edge", &request("/", &[]));
    assert_eq!(answer.mirrors().map(|mirror| &*mirror.service).collect::<Vec<_>>(), ["b", "c"]);
    assert_eq!(said(&answer), "200 r 0.0 a");
}

#[test]
fn weights_share_requests_and_none_of_weight_0_gets_one() {
    let backend = |name: &str, weight: u32| format!("{{name: {name}, port: 80, weight: {weight}}}");
    let routes = rules(&format!("{{backendRefs: [{}, {}, {}]}}", backend("a", 70), backend("b", 30), backend("c", 0)));
    let answer = routes.gateway("infra", "edge", &request("/", &[]));
    assert_eq!((said(&answer).as_str(), flags(&answer)), ("200 r 0.0 a", vec![]));
    let shares: Vec<_> = answer.backends().iter().map(|backend| backend.weight).collect();
    assert_eq!(shares, [70, 30, 0]);
}

#[test]
fn grpc_routes_have_hosts_headers_and_listeners_like_the_others() {
    let listeners = [listener("l1", "bar.com"), listener("l2", "*.bar.com")].join(", ");
    let spec = format!(
        "parentRefs: [{{name: edge, namespace: infra, sectionName: l1}}], rules: [\
         {{matches: [{{method: {{service: s.S, method: M}}, headers: [{{name: v, value: '2'}}]}}], {TO_B}}}, \
         {{matches: [{{method: {{service: s.S, method: M}}}}], {TO_A}}}]"
    );
    let routes = edge(&listeners, &route("GRPCRoute", "g", 1, &spec));
    assert_eq!(at_edge(&routes, "POST bar.com/s.S/M"), "200 g 1.0 a");
    assert_eq!(at_edge_with(&routes, "POST bar.com/s.S/M", &[("V", "2")]), "200 g 0.0 b");
    assert_eq!(at_edge(&routes, "POST bar.com/s.S/m"), "404 no-rule", "case counts");
    assert_eq!(at_edge(&routes, "POST bar.com/s.S/M/x"), "404 no-rule");
    assert_eq!(at_edge(&routes, "POST foo.bar.com/s.S/M"), "404 no-host", "another listener's");
}
