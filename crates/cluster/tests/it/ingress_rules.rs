//! Ingress rules, statement by statement of networking.k8s.io/v1.

use weir_cluster::route::{RouteOptions, RouteRequest, Routes, Scheme};

use crate::given::objects;
use crate::route_given::{at_ingress, findings, flags, ingress, request, routes, rule, said, service};

fn one(rules: &[String]) -> Routes {
    routes(&(service("a") + &service("b") + &ingress("i", 1, &format!("rules: [{}]", rules.join(", ")))))
}

fn class(name: &str, annotations: &str) -> String {
    format!(
        "---\napiVersion: networking.k8s.io/v1\nkind: IngressClass\nmetadata: {{name: {name}, annotations: {{{annotations}}}}}\n"
    )
}

const DEFAULT: &str = "ingressclass.kubernetes.io/is-default-class: 'true'";

#[test]
fn a_class_that_does_not_exist_serves_nothing() {
    let spec = format!("ingressClassName: other, rules: [{}]", rule("a.com", &["Prefix / a"]));
    let yaml = service("a") + &ingress("i", 1, &spec);
    let answer = routes(&yaml);
    assert_eq!(at_ingress(&answer, "a.com/"), "404 unknown-class");
    assert_eq!(findings(&answer, "i").first().map(String::as_str), Some("spec.ingressClassName unknown-class"));
    assert_eq!(at_ingress(&routes(&(yaml + &class("other", ""))), "a.com/"), "200 i 0.0 a");
}

#[test]
fn an_ingress_without_class_has_the_default_one() {
    let yaml = service("a") + &ingress("i", 1, &format!("rules: [{}]", rule("a.com", &["Prefix / a"])));
    let alone = routes(&yaml);
    assert_eq!(flags(&alone.ingress(&request("a.com/", &[]))), ["no-class"]);
    assert_eq!(at_ingress(&routes(&(yaml.clone() + &class("other", ""))), "a.com/"), "404 unknown-class");
    let with_default = routes(&(yaml + &class("other", "") + &class("main", DEFAULT)));
    let answer = with_default.ingress(&request("a.com/", &[]));
    assert_eq!((said(&answer).as_str(), flags(&answer)), ("200 i 0.0 a", vec![]));
}

#[test]
fn the_older_annotation_names_a_class_and_the_field_wins() {
    let annotated = |field: &str| {
        let spec = format!("{field}rules: [{}]", rule("a.com", &["Prefix / a"]));
        let yaml = ingress("i", 1, &spec);
        let annotation = "name: i, annotations: {kubernetes.io/ingress.class: old}";
        service("a") + &yaml.replace("name: i", annotation)
    };
    assert_eq!(at_ingress(&routes(&annotated("")), "a.com/"), "200 i 0.0 a", "it needs no IngressClass");
    assert_eq!(at_ingress(&routes(&(annotated("") + &class("new", ""))), "a.com/"), "404 unknown-class");
    let both = annotated("ingressClassName: new, ") + &class("new", "");
    assert_eq!(at_ingress(&routes(&both), "a.com/"), "200 i 0.0 a");
}

#[test]
fn a_chosen_class_serves_its_own_ingresses_only() {
    let ingress = |name: &str| {
        ingress(
            name,
            1,
            &format!("ingressClassName: {name}, rules: [{}]", rule(&format!("{name}.com"), &["Prefix / a"])),
        )
    };
    let objects =
        objects(&(service("a") + &ingress("red") + &ingress("blue") + &class("red", "") + &class("blue", "")));
    let chosen = Routes::build(&objects, &RouteOptions { ingress_class: Some("red".to_owned()) });
    assert_eq!(at_ingress(&chosen, "red.com/"), "200 red 0.0 a");
    assert_eq!(at_ingress(&chosen, "blue.com/"), "404 unknown-class");
    let all = Routes::build(&objects, &RouteOptions::default());
    assert_eq!(flags(&all.ingress(&request("blue.com/", &[]))), ["several-classes"]);
}

#[test]
fn a_host_has_no_case_no_port_and_no_final_dot() {
    let routes = one(&[rule("Foo.com", &["Prefix / a"])]);
    for host in ["foo.com", "FOO.COM", "foo.com:8080", "foo.com.", "foo.com.:80"] {
        assert_eq!(at_ingress(&routes, &format!("{host}/")), "200 i 0.0 a", "{host}");
    }
    assert_eq!(at_ingress(&routes, "xfoo.com/"), "404 no-host");
    assert_eq!(at_ingress(&routes, "GET foo com/"), "400 invalid-host");
    let absolute = RouteRequest { host: Some("other"), target: "http://foo.com/x", ..RouteRequest::default() };
    assert_eq!(said(&routes.ingress(&absolute)), "200 i 0.0 a", "the target's host counts");
}

#[test]
fn a_wildcard_covers_exactly_one_label() {
    let routes = one(&[rule("*.foo.com", &["Prefix / a"])]);
    assert_eq!(at_ingress(&routes, "bar.foo.com/"), "200 i 0.0 a");
    for host in ["baz.bar.foo.com", "foo.com", ".foo.com"] {
        assert_eq!(at_ingress(&routes, &format!("{host}/")), "404 no-host", "{host}");
    }
}

#[test]
fn the_most_specific_host_is_chosen_before_any_path() {
    let routes =
        one(&[rule("", &["Prefix / a"]), rule("*.foo.com", &["Prefix /x b"]), rule("bar.foo.com", &["Prefix /y a"])]);
    assert_eq!(at_ingress(&routes, "bar.foo.com/y"), "200 i 2.0 a");
    assert_eq!(at_ingress(&routes, "baz.foo.com/x"), "200 i 1.0 b");
    assert_eq!(at_ingress(&routes, "other.com/x"), "200 i 0.0 a");
    assert_eq!(at_ingress(&routes, "/x"), "200 i 0.0 a", "no host is every host's");
    let answer = routes.ingress(&request("bar.foo.com/x", &[]));
    assert_eq!((said(&answer).as_str(), flags(&answer)), ("404 no-rule", vec!["host-fall-through"]));
}

#[test]
fn exact_paths_take_every_byte() {
    let routes = one(&[rule("a.com", &["Exact /foo a", "Exact /bar/ a"])]);
    assert_eq!(at_ingress(&routes, "a.com/foo"), "200 i 0.0 a");
    assert_eq!(at_ingress(&routes, "a.com/foo?q=/bar/"), "200 i 0.0 a", "the query is no part of it");
    for path in ["/foo/", "/bar", "/Foo", "/foo/x", "/"] {
        assert_eq!(at_ingress(&routes, &format!("a.com{path}")), "404 no-rule", "{path}");
    }
}

#[test]
fn the_longest_path_wins_then_exact_over_prefix() {
    let routes = one(&[rule("a.com", &["Prefix / a", "Prefix /foo a", "Exact /foo b", "Prefix /foo/bar/ b"])]);
    assert_eq!(at_ingress(&routes, "a.com/foo"), "200 i 0.2 b");
    assert_eq!(at_ingress(&routes, "a.com/foo/"), "200 i 0.1 a");
    assert_eq!(at_ingress(&routes, "a.com/foo/bar"), "200 i 0.3 b");
    assert_eq!(at_ingress(&routes, "a.com/foobar"), "200 i 0.0 a");
    let routes = one(&[rule("a.com", &["Exact /foo a", "Prefix /foo/ b"])]);
    assert_eq!(at_ingress(&routes, "a.com/foo"), "200 i 0.0 a", "a final / is no longer path");
}

#[test]
fn an_implementation_specific_path_is_a_prefix_and_says_so() {
    let routes = one(&[rule("a.com", &["ImplementationSpecific /foo a"])]);
    let answer = routes.ingress(&request("a.com/foo/x", &[]));
    assert_eq!((said(&answer).as_str(), flags(&answer)), ("200 i 0.0 a", vec!["implementation-specific", "no-class"]));
    assert_eq!(at_ingress(&routes, "a.com/foox"), "404 no-rule");
    for path in ["", "path: '', "] {
        let path = format!("{path}pathType: ImplementationSpecific");
        let spec = format!(
            "rules: [{{http: {{paths: [{{{path}, backend: {{service: {{name: a, port: {{number: 80}}}}}}}}]}}}}]"
        );
        let routes = super::route_given::routes(&(service("a") + &ingress("i", 1, &spec)));
        assert_eq!(at_ingress(&routes, "/x"), "200 i 0.0 a", "{spec}");
    }
}

#[test]
fn ingresses_of_one_host_merge_and_of_duplicates_the_oldest_wins() {
    let spec = |paths: &[&str]| format!("rules: [{}]", rule("a.com", paths));
    let yaml = service("a")
        + &service("b")
        + &ingress("a-young", 9, &spec(&["Prefix /x b", "Prefix /y b"]))
        + &ingress("old", 1, &spec(&["Prefix /x a"]));
    let routes = routes(&yaml);
    assert_eq!(at_ingress(&routes, "a.com/x"), "200 old 0.0 a");
    assert_eq!(at_ingress(&routes, "a.com/y"), "200 a-young 0.1 b");
    assert!(findings(&routes, "a-young").contains(&"spec.rules[0].http.paths[0] duplicate".to_owned()));
    let same_age =
        service("a") + &ingress("ib", 1, &spec(&["Prefix /x a"])) + &ingress("ia", 1, &spec(&["Prefix /x a"]));
    assert_eq!(at_ingress(&super::route_given::routes(&same_age), "a.com/x"), "200 ia 0.0 a", "then by name");
}

#[test]
fn what_no_rule_takes_goes_to_default_backends() {
    let default = |name: &str| format!("defaultBackend: {{service: {{name: {name}, port: {{number: 80}}}}}}");
    let own = format!("{}, rules: [{}]", default("a"), rule("a.com", &["Prefix /x a"]));
    let with_rules = service("a") + &service("b") + &ingress("i", 1, &own);
    let routes_of = super::route_given::routes;
    let routes = routes_of(&with_rules);
    assert_eq!(at_ingress(&routes, "a.com/y"), "200 i default a");
    let answer = routes.ingress(&request("other.com/", &[]));
    assert_eq!(said(&answer), "200 i default a");
    assert!(flags(&answer).contains(&"default-backend-scope"));
    assert_eq!(answer.rule.map(|rule| rule.via.name()), Some("defaultBackend"));
    let both = routes_of(&(with_rules + &ingress("all", 9, &default("b"))));
    assert_eq!(at_ingress(&both, "a.com/y"), "200 i default a", "the host's own first");
    assert_eq!(at_ingress(&both, "other.com/"), "200 all default b", "then those without rules");
    let host_only =
        routes_of(&(service("b") + &ingress("h", 1, "rules: [{host: a.com}]") + &ingress("all", 2, &default("b"))));
    assert_eq!(at_ingress(&host_only, "a.com/"), "200 all default b");
}

#[test]
fn the_host_counts_and_not_the_name_in_the_client_hello() {
    let routes = one(&[rule("a.com", &["Prefix / a"]), rule("b.com", &["Prefix / b"])]);
    let request =
        RouteRequest { scheme: Scheme::Https, sni: Some("a.com"), host: Some("b.com"), ..RouteRequest::default() };
    assert_eq!(said(&routes.ingress(&request)), "200 i 1.0 b");
}

#[test]
fn a_request_in_the_clear_to_a_host_with_certificate_is_flagged() {
    let spec = format!("tls: [{{hosts: ['*.a.com'], secretName: s}}], rules: [{}]", rule("x.a.com", &["Prefix / a"]));
    let routes = routes(&(service("a") + &ingress("i", 1, &spec)));
    let answer = routes.ingress(&request("x.a.com/", &[]));
    assert_eq!((answer.status, flags(&answer)), (200, vec!["https-redirect", "no-class"]));
    assert_eq!(findings(&routes, "i"), ["spec.tls[0].secretName missing-secret"]);
}

#[test]
fn a_backend_has_a_service_and_a_port_by_name_or_number() {
    let backend = |backend: &str| {
        let spec = format!("rules: [{{http: {{paths: [{{path: /, pathType: Prefix, backend: {backend}}}]}}}}]");
        let routes = routes(&(service("a") + &ingress("i", 1, &spec)));
        (at_ingress(&routes, "/"), findings(&routes, "i").iter().any(|finding| finding.ends_with("missing-backend")))
    };
    assert_eq!(backend("{service: {name: a, port: {name: http}}}"), ("200 i 0.0 a".to_owned(), false));
    assert_eq!(backend("{service: {name: a, port: {name: x}}}"), ("503 i 0.0 missing-port".to_owned(), true));
    assert_eq!(backend("{service: {name: a, port: {number: 81}}}"), ("503 i 0.0 missing-port".to_owned(), true));
    assert_eq!(backend("{service: {name: z, port: {number: 80}}}"), ("503 i 0.0 missing-backend".to_owned(), true));
    let resource = "{resource: {apiGroup: k8s.example.com, kind: Bucket, name: b}}";
    assert_eq!(backend(resource), ("503 i 0.0 unknown-backend-kind".to_owned(), true));
}

#[test]
fn without_any_service_nothing_is_missing() {
    let routes = routes(&ingress("i", 1, &format!("rules: [{}]", rule("a.com", &["Prefix / a"]))));
    let answer = routes.ingress(&request("a.com/", &[]));
    assert_eq!((said(&answer).as_str(), flags(&answer)), ("200 i 0.0 a", vec!["no-class", "services-unknown"]));
}

#[test]
fn a_path_matches_as_it_is_and_says_where_its_normal_form_would_differ() {
    let routes = one(&[rule("a.com", &["Prefix /a/b a", "Prefix /a%2Fb b"])]);
    for (path, want) in [
        ("/a/b", ("200 i 0.0 a", false)),
        ("/a%2Fb", ("200 i 0.1 b", true)),
        ("/a//b", ("404 no-rule", true)),
        ("/x/../a/b", ("404 no-rule", true)),
        ("/a/b/%41", ("200 i 0.0 a", false)),
    ] {
        let answer = routes.ingress(&RouteRequest { host: Some("a.com"), target: path, ..RouteRequest::default() });
        assert_eq!((said(&answer).as_str(), flags(&answer).contains(&"normal-path-differs")), want, "{path}");
    }
}

#[test]
fn annotations_of_nginx_are_flagged_and_not_followed() {
    let yaml =
        ingress("i", 1, &format!("rules: [{}]", rule("a.com", &["Prefix / a", "ImplementationSpecific /x/.* a"])));
    let yaml = yaml.replace("name: i", "name: i, annotations: {nginx.ingress.kubernetes.io/rewrite-target: /}");
    let routes = routes(&(service("a") + &yaml));
    let answer = routes.ingress(&request("a.com/x/y", &[]));
    assert_eq!(said(&answer), "200 i 0.0 a");
    assert_eq!(flags(&answer), ["nginx-regex-host", "nginx-rewrite", "no-class"]);
}

#[test]
fn what_is_invalid_is_left_out_and_found() {
    let rules = [
        rule("*.*.com", &["Prefix / a"]),
        rule("10.0.0.1", &["Prefix / a"]),
        rule("a.com", &["Prefix foo a", "Glob / a", "Exact /ok a"]),
    ];
    let routes = one(&rules);
    assert_eq!(at_ingress(&routes, "a.com/ok"), "200 i 2.2 a");
    assert_eq!(at_ingress(&routes, "a.com/"), "404 invalid-rule");
    assert_eq!(at_ingress(&routes, "10.0.0.1/"), "404 no-host");
    assert_eq!(flags(&routes.ingress(&request("10.0.0.1/", &[]))), ["invalid-rule"]);
    assert_eq!(
        findings(&routes, "i"),
        [
            "spec.rules[0].host invalid-host",
            "spec.rules[1].host invalid-host",
            "spec.rules[2].http.paths[0].path invalid-path",
            "spec.rules[2].http.paths[1].pathType invalid-path",
        ]
    );
}

#[test]
fn a_prefix_with_a_final_slash_is_the_one_without() {
    let routes =
        one(&[rule("a.com", &["Prefix /x/ a", "Prefix /x b"]), rule("b.com", &["Prefix /x b", "Prefix /x/ a"])]);
    for path in ["/x", "/x/", "/x/y"] {
        assert_eq!(at_ingress(&routes, &format!("a.com{path}")), "200 i 0.0 a", "{path}");
        assert_eq!(at_ingress(&routes, &format!("b.com{path}")), "200 i 1.0 b", "{path}");
    }
    let found = findings(&routes, "i");
    assert_eq!(found, ["spec.rules[0].http.paths[1] duplicate", "spec.rules[1].http.paths[1] duplicate"]);
}

#[test]
fn a_host_beside_those_with_a_certificate_is_found_and_a_host_in_the_clear_is_not() {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: c, namespace: shop}\n";
    let found = |tls: &str, more: &str| {
        let rules = [rule("a.com", &["Prefix / a"]), rule("b.com", &["Prefix / a"])].join(", ");
        let yaml = service("a") + more + &ingress("i", 1, &format!("{tls}rules: [{rules}]"));
        findings(&routes(&yaml), "i")
    };
    assert_eq!(found("", ""), Vec::<String>::new());
    let tls = "tls: [{hosts: [a.com], secretName: c}], ";
    assert_eq!(found(tls, secret), ["spec.rules[1].host no-certificate"]);
    assert_eq!(found(&tls.replace("[a.com]", "[a.com, b.com]"), ""), ["spec.tls[0].secretName missing-secret"]);
}
