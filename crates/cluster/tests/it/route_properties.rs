//! Whatever rules and requests hold: no panic, the same answer as a plain reading, and time that grows with length only.

use proptest::prelude::*;
use weir_cluster::manifests::{self, Note};
use weir_cluster::route::{RouteOptions, RouteRequest, Routes, Scheme};

use crate::route_given::{at_ingress, gateway, http_route, ingress, routes, rule, said, service};

fn element() -> impl Strategy<Value = String> {
    prop_oneof![Just(String::new()), Just("a".to_owned()), Just("b".to_owned()), Just("ab".to_owned())]
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(element(), 1..4).prop_map(|elements| format!("/{}", elements.join("/")))
}

/// Whether a rule takes a path, read from the specification element by element; and its rank: how long it is without a
/// final `/`, exact before prefix.
fn takes(is_exact: bool, rule: &str, path: &str) -> Option<(usize, bool)> {
    if is_exact {
        return (rule == path).then_some((rule.len(), true));
    }
    let bare = rule.strip_suffix('/').unwrap_or(rule);
    let is_below = path == bare || path.strip_prefix(bare).is_some_and(|rest| rest.starts_with('/'));
    is_below.then_some((bare.len(), false))
}

proptest! {
    #[test]
    fn the_index_answers_like_a_plain_reading(
        // What a rule that ends in an empty element means is said nowhere.
        rules in prop::collection::vec((prop::bool::ANY, path().prop_filter("no //", |path| !path.ends_with("//"))), 1..8),
        path in path(),
    ) {
        let written: Vec<String> = rules.iter().enumerate().map(|(index, (exact, path))| {
            format!("{} {path} s{index}", if *exact { "Exact" } else { "Prefix" })
        }).collect();
        let written: Vec<&str> = written.iter().map(String::as_str).collect();
        let routes = routes(&ingress("i", 1, &format!("rules: [{}]", rule("a.com", &written))));
        let matching = rules.iter().enumerate().filter_map(|(index, (exact, rule))| {
            takes(*exact, rule, &path).map(|rank| (rank, std::cmp::Reverse(index)))
        });
        let want = matching.max().map_or_else(
            || "404 no-rule".to_owned(),
            |(_, std::cmp::Reverse(index))| format!("200 i 0.{index} s{index}"),
        );
        prop_assert_eq!(at_ingress(&routes, &format!("a.com{path}")), want);
    }

    #[test]
    fn any_request_gets_an_answer(host in ".{0,40}", sni in ".{0,40}", target in ".{0,80}", secure: bool, header in ".{0,20}") {
        let headers = [(&*header, "x"), ("h", &*header)];
        let request = RouteRequest {
            scheme: if secure { Scheme::Https } else { Scheme::Http },
            method: &header,
            host: Some(&host),
            target: &target,
            sni: Some(&sni),
            port: None,
            headers: &headers,
        };
        let routes = routes(&(service("a")
            + &ingress("i", 1, &format!("rules: [{}]", rule("*.a", &["Prefix /a a"])))
            + &gateway("{name: h, port: 80, protocol: HTTP}, {name: s, port: 443, protocol: HTTPS, hostname: '*.a'}")
            + &http_route("r", 1, "rules: [{matches: [{path: {type: RegularExpression, value: '/(a|b)*'}}]}]")));
        let (ingress, gateway) = (routes.ingress(&request), routes.gateway("infra", "edge", &request));
        let _ = (ingress.location(&request), ingress.forwarded(&request), gateway.location(&request), gateway.forwarded(&request));
        prop_assert!(ingress.rule.is_some() || ingress.reason.is_some());
    }

    #[test]
    fn any_rule_is_compiled_or_found_wrong(host in ".{0,20}", path in ".{0,20}", pattern in ".{0,20}", class in ".{0,9}") {
        let quoted = |text: &str| serde_json::to_string(text).expect("text");
        let json = format!(
            r#"{{"apiVersion":"v1","kind":"List","items":[
            {{"apiVersion":"networking.k8s.io/v1","kind":"Ingress","metadata":{{"name":"i"}},"spec":{{"ingressClassName":{class},"rules":[{{"host":{host},"http":{{"paths":[{{"path":{path},"pathType":{pattern}}}]}}}}]}}}},
            {{"apiVersion":"gateway.networking.k8s.io/v1","kind":"Gateway","metadata":{{"name":"g"}},"spec":{{"listeners":[{{"name":{class},"port":80,"protocol":"HTTP","hostname":{host}}}]}}}},
            {{"apiVersion":"gateway.networking.k8s.io/v1","kind":"HTTPRoute","metadata":{{"name":"r"}},"spec":{{"parentRefs":[{{"name":"g"}}],"hostnames":[{host}],"rules":[{{"matches":[{{"path":{{"type":"RegularExpression","value":{pattern}}},"headers":[{{"name":{host},"value":{path}}}]}},{{"path":{{"value":{path}}}}}]}}]}}}}]}}"#,
            class = quoted(&class), host = quoted(&host), path = quoted(&path), pattern = quoted(&pattern),
        );
        let loaded = manifests::parse(&json, "any.json").expect("well-formed");
        let routes = Routes::build(&loaded.objects, &RouteOptions::default());
        let _ = said(&routes.gateway("default", "g", &RouteRequest::default()));
    }
}

#[test]
fn very_long_paths_are_answered() {
    let routes = routes(
        &(service("a")
            + &ingress("i", 1, &format!("rules: [{}]", rule("a.com", &["Prefix /a a"])))
            + &gateway("{name: h, port: 80, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}")
            + &http_route(
                "r",
                1,
                "rules: [{matches: [{path: {type: RegularExpression, value: '(/a*)*x'}}], backendRefs: [{name: a, port: 80}]}]",
            )),
    );
    for path in ["/a".repeat(100_000), "/".repeat(200_000), format!("/a{}", "/..%2f".repeat(20_000))] {
        let request = RouteRequest { host: Some("a.com"), target: &path, ..RouteRequest::default() };
        assert!([200, 400, 404].contains(&routes.ingress(&request).status));
        assert_eq!(routes.gateway("infra", "edge", &request).status, 404);
    }
}

#[test]
fn a_routing_object_that_cannot_be_read_is_a_note_and_the_rest_is_kept() {
    let wrong = ingress("wrong", 1, "rules: all");
    let loaded = manifests::parse(&(service("a") + &wrong), "shop.yaml").expect("the rest is well-formed");
    assert_eq!(loaded.objects.len(), 1);
    let [note @ Note::Unread(_)] = &loaded.notes[..] else { panic!("one note: {:?}", loaded.notes) };
    let text = note.to_string();
    for part in ["shop.yaml", "Ingress shop/wrong", "spec.rules"] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn older_versions_of_the_same_shape_are_read_alike() {
    for (kind, version) in [
        ("IngressClass", "networking.k8s.io/v1beta1"),
        ("GatewayClass", "gateway.networking.k8s.io/v1beta1"),
        ("Gateway", "gateway.networking.k8s.io/v1beta1"),
        ("HTTPRoute", "gateway.networking.k8s.io/v1beta1"),
        ("GRPCRoute", "gateway.networking.k8s.io/v1alpha2"),
        ("TLSRoute", "gateway.networking.k8s.io/v1alpha2"),
        ("TLSRoute", "gateway.networking.k8s.io/v1alpha3"),
        ("ReferenceGrant", "gateway.networking.k8s.io/v1alpha2"),
        ("ReferenceGrant", "gateway.networking.k8s.io/v1beta1"),
    ] {
        let yaml = format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: one}}\n");
        let loaded = manifests::parse(&yaml, "n.yaml").expect("well-formed");
        assert_eq!((loaded.objects.len(), loaded.notes.len()), (1, 0), "{kind} {version}");
    }
}
