//! Gateway API rules, statement by statement.

use weir_cluster::route::{RouteRequest, Routes, Scheme};

use crate::route_given::{
    HTTP, at_edge, at_edge_with, findings, flags, gateway, http_route, request, route, routes, said, service,
    service_in,
};

/// Routes of Gateway `edge` with one listener for every host, and Services `a` and `b`.
fn edge(routes_yaml: &str) -> Routes {
    routes(&(service("a") + &service("b") + &gateway(HTTP) + routes_yaml))
}

/// One route whose rules are given.
fn rules(rules: &str) -> Routes {
    edge(&http_route("r", 1, &format!("rules: [{rules}]")))
}

const TO_A: &str = "backendRefs: [{name: a, port: 80}]";
const TO_B: &str = "backendRefs: [{name: b, port: 80}]";

fn listener(name: &str, port: u16, protocol: &str, hostname: &str) -> String {
    let hostname = if hostname.is_empty() { String::new() } else { format!("hostname: '{hostname}', ") };
    let tls = if protocol == "HTTPS" { "tls: {certificateRefs: [{name: c}]}, " } else { "" };
    format!(
        "{{name: {name}, port: {port}, protocol: {protocol}, {hostname}{tls}allowedRoutes: {{namespaces: {{from: All}}}}}}"
    )
}

/// A route for one listener that sends everything to a Service.
fn section(name: &str, listener: &str, hostnames: &str, to: &str) -> String {
    let parent = format!("parentRefs: [{{name: edge, namespace: infra, sectionName: {listener}}}]");
    route("HTTPRoute", name, 1, &format!("{parent}, hostnames: [{hostnames}], rules: [{{{to}}}]"))
}

#[test]
fn a_route_attaches_to_the_listener_of_name_and_port() {
    let listeners = listener("one", 80, "HTTP", "") + ", " + &listener("two", 8080, "HTTP", "");
    let at = |parent: &str| {
        let spec = format!("parentRefs: [{{name: edge, namespace: infra{parent}}}], rules: [{{{TO_A}}}]");
        let routes = routes(&(service("a") + &gateway(&listeners) + &route("HTTPRoute", "r", 1, &spec)));
        let ports = [80, 8080].map(|port| {
            let request = RouteRequest { port: Some(port), ..RouteRequest::default() };
            routes.gateway("infra", "edge", &request).status == 200
        });
        (ports, findings(&routes, "r"))
    };
    let lost = vec!["spec.parentRefs[0] not-attached".to_owned()];
    assert_eq!(at(""), ([true, true], vec![]));
    assert_eq!(at(", sectionName: two"), ([false, true], vec![]));
    assert_eq!(at(", port: 80"), ([true, false], vec![]));
    assert_eq!(at(", port: 80, sectionName: two"), ([false, false], lost.clone()));
    assert_eq!(at(", kind: Service, group: ''"), ([false, false], vec![]), "a mesh's business");
    assert_eq!(at(", sectionName: three"), ([false, false], lost));
}

#[test]
fn a_listener_takes_routes_of_the_namespaces_it_allows() {
    let namespace = "---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop, labels: {team: red}}\n";
    let taken = |allowed: &str| {
        let listener =
            format!("{{name: http, port: 80, protocol: HTTP, allowedRoutes: {{namespaces: {{{allowed}}}}}}}");
        let yaml =
            service("a") + namespace + &gateway(&listener) + &http_route("r", 1, &format!("rules: [{{{TO_A}}}]"));
        at_edge(&routes(&yaml), "/")
    };
    let (yes, no) = ("200 r 0.0 a", "404 no-host");
    assert_eq!((taken("").as_str(), taken("from: Same").as_str()), (no, no));
    assert_eq!((taken("from: All").as_str(), taken("from: None").as_str()), (yes, no));
    assert_eq!(taken("from: Selector, selector: {matchLabels: {team: red}}"), yes);
    assert_eq!(taken("from: Selector, selector: {matchLabels: {team: blue}}"), no);
    assert_eq!(taken("from: Selector, selector: {matchLabels: {kubernetes.io/metadata.name: shop}}"), yes);
    let expression =
        |op: &str| taken(&format!("from: Selector, selector: {{matchExpressions: [{{key: team, {op}}}]}}"));
    assert_eq!(expression("operator: NotIn, values: [red]"), no);
    assert_eq!(expression("operator: In, values: [red]"), yes);
    assert_eq!((expression("operator: Exists").as_str(), expression("operator: DoesNotExist").as_str()), (yes, no));
    assert_eq!(expression("operator: Near"), "404 no-listener", "a selector that cannot be read costs its listener");
    assert_eq!(taken("from: Selector"), no);
}

#[test]
fn a_listener_takes_routes_of_the_kinds_it_allows() {
    let taken = |kinds: &str| {
        let listener = format!(
            "{{name: http, port: 80, protocol: HTTP, allowedRoutes: {{namespaces: {{from: All}}, kinds: [{kinds}]}}}}"
        );
        at_edge(
            &routes(&(service("a") + &gateway(&listener) + &http_route("r", 1, &format!("rules: [{{{TO_A}}}]")))),
            "/",
        )
    };
    assert_eq!(taken("{kind: HTTPRoute}, {kind: GRPCRoute}"), "200 r 0.0 a");
    assert_eq!(taken("{kind: GRPCRoute}"), "404 no-host");
    assert_eq!(taken("{group: other, kind: HTTPRoute}"), "404 no-host");
}

#[test]
fn the_most_specific_listener_isolates_its_routes() {
    let listeners = [("all", ""), ("wide", "*.com"), ("wild", "*.a.com"), ("exact", "x.a.com")];
    let joined = listeners.map(|(name, host)| listener(name, 80, "HTTP", host)).join(", ");
    let yaml = service("a")
        + &gateway(&joined)
        + &section("all", "all", "", TO_A)
        + &section("wide", "wide", "", TO_A)
        + &section("exact", "exact", "", TO_A);
    let routes = routes(&yaml);
    assert_eq!(at_edge(&routes, "x.a.com:1234/"), "200 exact 0.0 a");
    assert_eq!(at_edge(&routes, "y.a.com/"), "404 no-host", "wild is chosen and has no routes");
    assert_eq!(at_edge(&routes, "y.z.a.com/"), "404 no-host", "a wildcard covers more labels than one");
    assert_eq!(at_edge(&routes, "a.com/"), "200 wide 0.0 a");
    assert_eq!(at_edge(&routes, "a.org/"), "200 all 0.0 a");
    assert_eq!(at_edge(&routes, "/"), "200 all 0.0 a");
}

#[test]
fn hosts_outside_the_intersection_are_not_served() {
    let yaml = service("a")
        + &gateway(&(listener("wild", 80, "HTTP", "*.a.com") + ", " + &listener("exact", 80, "HTTP", "very.b.com")))
        + &http_route("r", 1, &format!("hostnames: [x.a.com, x.c.com, '*.b.com'], rules: [{{{TO_A}}}]"))
        + &http_route("s", 1, &format!("hostnames: [d.com, '*.x.d.com'], rules: [{{{TO_A}}}]"));
    let routes = routes(&yaml);
    for (host, want) in [
        ("x.a.com", "200 r 0.0 a"),
        ("y.a.com", "404 no-host"),
        ("very.b.com", "200 r 0.0 a"),
        ("other.b.com", "404 no-listener"),
        ("x.c.com", "404 no-listener"),
        ("d.com", "404 no-listener"),
    ] {
        assert_eq!(at_edge(&routes, &format!("{host}/")), want, "{host}");
    }
    assert_eq!(findings(&routes, "s"), ["spec.parentRefs[0] not-attached"]);
}

#[test]
fn the_client_hello_chooses_the_listener_and_the_host_must_be_its_own() {
    let listeners = [("all", ""), ("second", "second.org"), ("wild", "*.wild.org"), ("fourth", "fourth.wild.org")];
    let joined = listeners.map(|(name, host)| listener(name, 443, "HTTPS", host)).join(", ");
    let yaml = service("a") + &gateway(&joined) + &http_route("r", 1, &format!("rules: [{{{TO_A}}}]"));
    let routes = routes(&yaml);
    let status = |sni, host| {
        let request =
            RouteRequest { scheme: Scheme::Https, sni: Some(sni), host: Some(host), ..RouteRequest::default() };
        routes.gateway("infra", "edge", &request).status
    };
    assert_eq!(status("example.org", "example.org"), 200);
    assert_eq!(status("example.org", "unknown.org"), 200, "the same listener");
    assert_eq!(status("example.org", "second.org"), 421);
    assert_eq!(status("second.org", "example.org"), 421);
    assert_eq!(status("third.wild.org", "fifth.wild.org"), 200);
    assert_eq!(status("third.wild.org", "fourth.wild.org"), 421);
    assert_eq!(status("fourth.wild.org", "third.wild.org"), 421);
}

#[test]
fn a_name_that_no_listener_has_gets_no_answer() {
    let yaml = service("a")
        + &gateway(&listener("https", 443, "HTTPS", "a.com"))
        + &http_route("r", 1, &format!("rules: [{{{TO_A}}}]"));
    let routes = routes(&yaml);
    let ask = |sni, host| {
        let request = RouteRequest { scheme: Scheme::Https, sni, host: Some(host), ..RouteRequest::default() };
        said(&routes.gateway("infra", "edge", &request))
    };
    assert_eq!(ask(Some("a.com"), "a.com"), "200 r 0.0 a");
    assert_eq!(ask(None, "a.com"), "200 r 0.0 a");
    assert_eq!(ask(Some("b.com"), "b.com"), "404 no-listener");
    assert_eq!(ask(Some("a.com"), "b.com"), "404 no-listener", "no listener has that host");
    assert_eq!(at_edge(&routes, "a.com/"), "404 no-listener", "nothing listens in the clear");
}

#[test]
fn an_unknown_gateway_or_class_serves_nothing() {
    let yaml = service("a") + &gateway(HTTP) + &http_route("r", 1, &format!("rules: [{{{TO_A}}}]"));
    let class = |name: &str| {
        format!(
            "---\napiVersion: gateway.networking.k8s.io/v1\nkind: GatewayClass\nmetadata: {{name: {name}}}\nspec: {{controllerName: x/y}}\n"
        )
    };
    assert_eq!(at_edge(&routes(&(yaml.clone() + &class("other"))), "/"), "404 unknown-class");
    assert_eq!(at_edge(&routes(&(yaml.clone() + &class("any"))), "/"), "200 r 0.0 a");
    assert_eq!(said(&routes(&yaml).gateway("infra", "other", &RouteRequest::default())), "404 no-gateway");
}

#[test]
fn more_specific_hostnames_come_first_and_others_are_fallen_back_to() {
    let path = |path: &str, to: &str| format!("{{matches: [{{path: {{value: {path}}}}}], {to}}}");
    let yaml = http_route("any", 1, &format!("rules: [{}]", path("/any", TO_B)))
        + &http_route("wild", 1, &format!("hostnames: ['*.a.com'], rules: [{}]", path("/wild", TO_B)))
        + &http_route("exact", 9, &format!("hostnames: [x.a.com], rules: [{}]", path("/", TO_A)))
        + &http_route("other", 9, &format!("hostnames: [y.a.com], rules: [{}]", path("/y", TO_A)));
    let routes = edge(&yaml);
    assert_eq!(at_edge(&routes, "x.a.com/wild"), "200 exact 0.0 a");
    let answer = routes.gateway("infra", "edge", &request("y.a.com/wild", &[]));
    assert_eq!((said(&answer).as_str(), flags(&answer)), ("200 wild 0.0 b", vec!["host-fall-through"]));
    assert_eq!(at_edge(&routes, "y.a.com/any"), "200 any 0.0 b");
    assert_eq!(at_edge(&routes, "y.a.com/none"), "404 no-rule");
}

#[test]
fn precedence_is_exact_then_longest_prefix_then_method_headers_and_query() {
    let routes = rules(
        &[
            format!("{{{TO_A}}}"),
            format!("{{matches: [{{path: {{type: PathPrefix, value: /p}}}}], {TO_A}}}"),
            format!("{{matches: [{{path: {{type: PathPrefix, value: /p/q}}}}], {TO_A}}}"),
            format!("{{matches: [{{path: {{type: Exact, value: /p/q}}}}], {TO_A}}}"),
            format!("{{matches: [{{queryParams: [{{name: q, value: '1'}}]}}], {TO_A}}}"),
            format!("{{matches: [{{headers: [{{name: h, value: '1'}}]}}], {TO_A}}}"),
            format!("{{matches: [{{headers: [{{name: h, value: '1'}}, {{name: i, value: '1'}}]}}], {TO_A}}}"),
            format!("{{matches: [{{method: POST}}], {TO_A}}}"),
        ]
        .join(", "),
    );
    let one = [("H", "1")];
    let two = [("h", "1"), ("I", "1")];
    for (text, headers, want) in [
        ("/p/q", &[][..], "3.0"),
        ("/p/q/r", &two, "2.0"),
        ("/p/qq", &[], "1.0"),
        ("/x?q=1", &[], "4.0"),
        ("/x?q=1", &one, "5.0"),
        ("/x?q=1", &two, "6.0"),
        ("POST /x?q=1", &two, "7.0"),
        ("/x?Q=1", &[("h", "2")], "0.0"),
    ] {
        assert_eq!(at_edge_with(&routes, text, headers), format!("200 r {want} a"), "{text} {headers:?}");
    }
}

#[test]
fn ties_go_to_the_oldest_route_then_by_name_then_to_the_first_rule() {
    let spec = |to: &str| format!("rules: [{{{to}}}, {{{TO_A}}}]");
    let routes = edge(&(http_route("a-young", 9, &spec(TO_A)) + &http_route("old", 1, &spec(TO_B))));
    assert_eq!(at_edge(&routes, "/"), "200 old 0.0 b");
    assert_eq!(
        findings(&routes, "a-young"),
        ["spec.rules[0].matches[0] duplicate", "spec.rules[1].matches[0] duplicate"]
    );
    let routes = edge(&(http_route("rb", 1, &spec(TO_A)) + &http_route("ra", 1, &spec(TO_B))));
    assert_eq!(at_edge(&routes, "/"), "200 ra 0.0 b");
}

#[test]
fn matches_are_alternatives_and_their_fields_are_not() {
    let routes =
        rules(&format!("{{matches: [{{path: {{value: /v2}}, method: PUT}}, {{path: {{value: /v3/}}}}], {TO_A}}}"));
    assert_eq!(at_edge(&routes, "PUT /v2/x"), "200 r 0.0 a");
    assert_eq!(at_edge(&routes, "/v3"), "200 r 0.1 a", "a final / of a prefix is passed over");
    for text in ["GET /v2", "PUT /v2example", "PUT /", "/v3example"] {
        assert_eq!(at_edge(&routes, text), "404 no-rule", "{text}");
    }
}

#[test]
fn the_first_of_equal_names_counts() {
    let routes = rules(&format!(
        "{{matches: [{{headers: [{{name: h, value: '1'}}, {{name: H, value: '2'}}], \
         queryParams: [{{name: q, value: '1'}}, {{name: q, value: '2'}}]}}], {TO_A}}}"
    ));
    assert_eq!(at_edge_with(&routes, "/?q=1&q=2", &[("h", "1")]), "200 r 0.0 a");
    assert_eq!(at_edge_with(&routes, "/?q=2&q=1", &[("h", "1")]), "404 no-rule");
    assert_eq!(at_edge_with(&routes, "/?q=1", &[("h", "2")]), "404 no-rule");
    assert_eq!(
        at_edge_with(&routes, "/?q=1", &[("h", "1"), ("h", "2")]),
        "404 no-rule",
        "values of one header are one"
    );
}

#[test]
fn regular_expressions_take_whole_values() {
    let routes = rules(
        &[
            format!("{{matches: [{{path: {{type: RegularExpression, value: '/v[0-9]+'}}}}], {TO_A}}}"),
            format!("{{matches: [{{headers: [{{type: RegularExpression, name: h, value: 'a.*'}}]}}], {TO_A}}}"),
            format!("{{matches: [{{queryParams: [{{type: RegularExpression, name: q, value: '[xy]'}}]}}], {TO_B}}}"),
            format!("{{matches: [{{path: {{type: RegularExpression, value: '/('}}}}], {TO_B}}}"),
            format!("{{matches: [{{path: {{type: Exact, value: '/v9'}}}}], {TO_B}}}"),
        ]
        .join(", "),
    );
    assert_eq!(at_edge(&routes, "/v12"), "200 r 0.0 a");
    assert_eq!(at_edge(&routes, "/v12/x"), "404 invalid-rule");
    assert_eq!(at_edge(&routes, "/v9"), "200 r 4.0 b", "exact paths come first");
    assert_eq!(at_edge_with(&routes, "/x", &[("H", "abc")]), "200 r 1.0 a");
    assert_eq!(at_edge(&routes, "/x?q=y"), "200 r 2.0 b");
    assert_eq!(at_edge(&routes, "/x?q=xy"), "404 invalid-rule");
    assert_eq!(findings(&routes, "r"), ["spec.rules[3].matches[0].path invalid-pattern"]);
    let answer = routes.gateway("infra", "edge", &request("/v1", &[]));
    assert_eq!(flags(&answer), ["regular-expression", "invalid-rule"]);
}

#[test]
fn a_backend_that_cannot_be_used_takes_its_share_as_errors() {
    let backends = |backends: &str| {
        let routes = rules(&format!("{{backendRefs: [{backends}]}}"));
        let answer = routes.gateway("infra", "edge", &request("/", &[]));
        (said(&answer), flags(&answer))
    };
    assert_eq!(backends(""), ("500 r 0.0 no-backend".to_owned(), vec![]));
    assert_eq!(backends("{name: none, port: 80}"), ("500 r 0.0 missing-backend".to_owned(), vec![]));
    assert_eq!(backends("{name: a, port: 81}"), ("500 r 0.0 missing-port".to_owned(), vec![]));
    assert_eq!(backends("{name: a}"), ("500 r 0.0 missing-port".to_owned(), vec![]));
    assert_eq!(backends("{group: x.io, kind: Bucket, name: a}"), ("500 r 0.0 unknown-backend-kind".to_owned(), vec![]));
    assert_eq!(backends("{kind: Pod, name: a, port: 80}"), ("500 r 0.0 unknown-backend-kind".to_owned(), vec![]));
    assert_eq!(backends("{name: a, port: 80, weight: 0}"), ("500 r 0.0 zero-weight".to_owned(), vec![]));
    assert_eq!(
        backends("{name: a, port: 80, weight: 1}, {name: b, port: 80, weight: 9}"),
        ("200 r 0.0 b".to_owned(), vec![])
    );
    let partly = "{name: none, port: 80, weight: 9}, {name: a, port: 80}";
    assert_eq!(backends(partly), ("200 r 0.0 a".to_owned(), vec!["partly-failing"]));
    assert_eq!(backends("{name: none, port: 80, weight: 0}, {name: a, port: 80}"), ("200 r 0.0 a".to_owned(), vec![]));
}

#[test]
fn a_route_without_rules_matches_everything_and_serves_nothing() {
    assert_eq!(at_edge(&edge(&http_route("r", 1, "")), "/x"), "500 r 0.0 no-backend");
}

#[test]
fn a_backend_of_another_namespace_needs_a_grant_there() {
    let grant = |name: &str, namespace: &str, from: &str, to: &str| {
        format!(
            "---\napiVersion: gateway.networking.k8s.io/v1beta1\nkind: ReferenceGrant\n\
             metadata: {{name: {name}, namespace: {namespace}}}\nspec: {{from: [{from}], to: [{to}]}}\n"
        )
    };
    let from = "{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: shop}";
    let with = |grants: &str| {
        let to = "backendRefs: [{name: far, namespace: other, port: 80}]";
        at_edge(&edge(&(service_in("other", "far") + &http_route("r", 1, &format!("rules: [{{{to}}}]")) + grants)), "/")
    };
    let (yes, no) = ("200 r 0.0 far", "500 r 0.0 refused-reference");
    assert_eq!(with(""), no);
    assert_eq!(with(&grant("g", "other", from, "{group: '', kind: Service}")), yes);
    assert_eq!(with(&grant("g", "other", from, "{group: '', kind: Service, name: far}")), yes);
    assert_eq!(with(&grant("g", "other", from, "{group: '', kind: Service, name: near}")), no);
    assert_eq!(with(&grant("g", "shop", from, "{group: '', kind: Service}")), no, "the target's namespace grants");
    assert_eq!(with(&grant("g", "other", from, "{group: '', kind: Secret}")), no);
    assert_eq!(with(&grant("g", "other", &from.replace("HTTPRoute", "GRPCRoute"), "{group: '', kind: Service}")), no);
    assert_eq!(with(&grant("g", "other", &from.replace("shop", "infra"), "{group: '', kind: Service}")), no);
    let circle = grant("g", "other", &from.replace("shop", "third"), "{group: '', kind: Service}")
        + &grant("g", "third", from, "{group: '', kind: Service}")
        + &grant("g", "shop", &from.replace("shop", "other"), "{group: '', kind: Service}");
    assert_eq!(with(&circle), no, "grants are not passed on");
}

#[test]
fn services_of_every_type_can_be_backends() {
    let yaml = "---\napiVersion: v1\nkind: Service\nmetadata: {name: headless, namespace: shop}\nspec: {clusterIP: None, ports: [{port: 80}]}\n";
    let to = "backendRefs: [{name: headless, port: 80}]";
    assert_eq!(
        at_edge(&edge(&(yaml.to_owned() + &http_route("r", 1, &format!("rules: [{{{to}}}]")))), "/"),
        "200 r 0.0 headless"
    );
}

#[test]
fn a_filter_that_cannot_be_done_fails_the_request() {
    let filter = |filter: &str| {
        let routes = rules(&format!("{{filters: [{filter}], {TO_A}}}"));
        (at_edge(&routes, "/"), findings(&routes, "r"))
    };
    let lost =
        |field: &str| ("500 r 0.0 invalid-filter".to_owned(), vec![format!("spec.rules[0].{field} invalid-filter")]);
    assert_eq!(filter("{type: ExtensionRef, extensionRef: {group: x, kind: Y, name: z}}"), lost("filters[0]"));
    assert_eq!(filter("{type: URLRewrite}"), lost("filters[0]"));
    assert_eq!(filter("{type: RequestRedirect, requestRedirect: {statusCode: 200}}"), lost("filters[0]"));
    assert_eq!(filter("{type: CORS, cors: {allowOrigins: ['*']}}"), ("200 r 0.0 a".to_owned(), vec![]));
    let prefix = "{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /x}}}";
    let exact = format!("{{matches: [{{path: {{type: Exact, value: /e}}}}], filters: [{prefix}], {TO_A}}}");
    let routes = rules(&exact);
    assert_eq!(at_edge(&routes, "/e"), "500 r 0.0 invalid-filter");
    assert_eq!(findings(&routes, "r"), ["spec.rules[0].matches[0].path invalid-filter"]);
}

#[test]
fn grpc_calls_are_matched_by_service_and_method() {
    let spec = "parentRefs: [{name: edge, namespace: infra}], rules: [\
        {matches: [{method: {service: shop.Cart, method: Add}}], backendRefs: [{name: a, port: 80}]}, \
        {matches: [{method: {service: shop.Cart}}], backendRefs: [{name: b, port: 80}]}, \
        {matches: [{method: {method: Ping}}], backendRefs: [{name: a, port: 80}]}, \
        {matches: [{method: {type: RegularExpression, service: 'log[.].*', method: 'W.*'}}], backendRefs: [{name: b, port: 80}]}, \
        {matches: [{headers: [{name: v, value: '2'}]}], backendRefs: [{name: b, port: 80}]}]";
    let routes = edge(&route("GRPCRoute", "g", 1, spec));
    for (path, want) in [
        ("/shop.Cart/Add", "200 g 0.0 a"),
        ("/shop.Cart/Ping", "200 g 1.0 b"),
        ("/shop.Other/Ping", "200 g 2.0 a"),
        ("/log.v1/Write", "200 g 3.0 b"),
        ("/log.v1/Read", "404 no-rule"),
    ] {
        assert_eq!(at_edge(&routes, &format!("POST {path}")), want, "{path}");
    }
    assert_eq!(at_edge_with(&routes, "POST /x.Y/Z", &[("V", "2")]), "200 g 4.0 b");
}

#[test]
fn tls_connections_are_routed_by_name() {
    let listeners = "{name: tls, port: 443, protocol: TLS, hostname: '*.a.com', tls: {mode: Passthrough}, \
                     allowedRoutes: {namespaces: {from: All}}}";
    let tls = |name: &str, hosts: &str, to: &str| {
        let spec = format!("parentRefs: [{{name: edge, namespace: infra}}], hostnames: [{hosts}], rules: [{{{to}}}]");
        route("TLSRoute", name, 1, &spec).replace("k8s.io/v1", "k8s.io/v1alpha2")
    };
    let yaml = service("a")
        + &service("b")
        + &gateway(listeners)
        + &tls("t", "x.a.com", TO_A)
        + &tls("w", "'*.a.com'", TO_B)
        + &http_route("h", 1, &format!("rules: [{{{TO_A}}}]"));
    let routes = routes(&yaml);
    let ask = |sni| {
        let request = RouteRequest { scheme: Scheme::Tls, sni: Some(sni), ..RouteRequest::default() };
        said(&routes.gateway("infra", "edge", &request))
    };
    assert_eq!(ask("x.a.com"), "200 t 0 a");
    assert_eq!(ask("y.z.a.com"), "200 w 0 b");
    assert_eq!(ask("a.com"), "404 no-listener");
    assert_eq!(findings(&routes, "h"), ["spec.parentRefs[0] not-attached"]);
}

#[test]
fn a_certificate_of_another_namespace_needs_a_grant() {
    let listener = listener("https", 443, "HTTPS", "").replace("{name: c}", "{name: c, namespace: certs}");
    let yaml = service("a") + &gateway(&listener) + &http_route("r", 1, &format!("rules: [{{{TO_A}}}]"));
    let routes = routes(&yaml);
    let request = RouteRequest { scheme: Scheme::Https, ..RouteRequest::default() };
    let answer = routes.gateway("infra", "edge", &request);
    assert_eq!(said(&answer), "404 invalid-listener");
    assert_eq!(flags(&answer), ["refused-certificate", "no-answer"]);
    assert_eq!(findings(&routes, "edge"), ["spec.listeners[0].tls.certificateRefs[0] refused-reference"]);
}

#[test]
fn a_listener_that_ends_tls_needs_a_certificate_that_is_there() {
    let at = |listener: &str, secrets: &str| {
        let yaml = service("a") + secrets + &gateway(listener) + &http_route("r", 1, &format!("rules: [{{{TO_A}}}]"));
        let routes = routes(&yaml);
        let request = RouteRequest { scheme: Scheme::Https, ..RouteRequest::default() };
        (said(&routes.gateway("infra", "edge", &request)), findings(&routes, "edge"))
    };
    let secret =
        |name: &str| format!("---\napiVersion: v1\nkind: Secret\nmetadata: {{name: {name}, namespace: infra}}\n");
    let https = listener("https", 443, "HTTPS", "");
    let found = |field: &str| vec![format!("spec.listeners[0].{field}")];
    let (served, refused) = ("200 r 0.0 a".to_owned(), "404 invalid-listener".to_owned());
    assert_eq!(at(&https, &secret("c")), (served.clone(), vec![]));
    assert_eq!(at(&https, ""), (served, found("tls.certificateRefs[0] missing-secret")), "no Secret is told of");
    assert_eq!(at(&https, &secret("other")), (refused.clone(), found("tls.certificateRefs[0] invalid-listener")));
    let bare = https.replace("tls: {certificateRefs: [{name: c}]}, ", "");
    assert_eq!(at(&bare, ""), (refused, found("tls invalid-listener")));
}

#[test]
fn listeners_that_cannot_be_told_apart_serve_nothing() {
    let at = |listeners: &[String]| {
        let yaml =
            service("a") + &gateway(&listeners.join(", ")) + &http_route("r", 1, &format!("rules: [{{{TO_A}}}]"));
        let routes = routes(&yaml);
        (at_edge(&routes, "a.com/"), at_edge(&routes, "b.com/"), findings(&routes, "edge"))
    };
    let [one, two] = ["spec.listeners[0] invalid-listener", "spec.listeners[1] invalid-listener"].map(str::to_owned);
    let (served, refused) = ("200 r 0.0 a".to_owned(), "404 invalid-listener".to_owned());
    let same = [
        listener("one", 80, "HTTP", "a.com"),
        listener("two", 80, "HTTP", "A.com"),
        listener("b", 80, "HTTP", "b.com"),
    ];
    assert_eq!(at(&same), (refused.clone(), served.clone(), vec![one.clone(), two.clone()]));
    let mixed = [listener("one", 80, "HTTP", ""), listener("two", 80, "HTTPS", "")];
    let (a, _, found) = at(&mixed);
    assert_eq!((a, found.contains(&one), found.contains(&two)), (refused, true, true));
    let named = [listener("one", 80, "HTTP", "a.com"), listener("one", 80, "HTTP", "b.com")];
    assert_eq!(at(&named), (served, "404 invalid-listener".to_owned(), vec![two]));
}

#[test]
fn of_routes_of_both_kinds_with_one_host_the_older_one_is_accepted() {
    let at = |http: u8, grpc: u8, host: &str| {
        let grpc = route(
            "GRPCRoute",
            "g",
            grpc,
            &format!("parentRefs: [{{name: edge, namespace: infra}}], hostnames: [{host}], rules: [{{{TO_B}}}]"),
        );
        let routes = edge(&(http_route("h", http, &format!("hostnames: ['*.a.com'], rules: [{{{TO_A}}}]")) + &grpc));
        let found = [findings(&routes, "h").len(), findings(&routes, "g").len()];
        (at_edge(&routes, "x.a.com/"), found)
    };
    assert_eq!(at(1, 2, "x.a.com"), ("200 h 0.0 a".to_owned(), [0, 1]));
    assert_eq!(at(2, 1, "x.a.com"), ("200 g 0.0 b".to_owned(), [1, 0]));
    assert_eq!(at(1, 2, "a.com"), ("200 h 0.0 a".to_owned(), [0, 0]), "no host in common");
}
