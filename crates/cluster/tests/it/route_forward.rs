//! What rules make of requests: redirects, rewrites, headers, mirrors.

use std::collections::BTreeMap;

use weir_cluster::route::{RouteRequest, Routes, Scheme};

use crate::route_given::{HTTP, gateway, http_route, request, routes, said, service};

fn rule(rule: &str) -> Routes {
    let plain = "{name: high, port: 8080, protocol: HTTP, allowedRoutes: {namespaces: {from: All}}}";
    let https = "{name: https, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: c}]}, allowedRoutes: {namespaces: {from: All}}}";
    let gateway = gateway(&format!("{HTTP}, {plain}, {https}"));
    routes(&(service("a") + &service("b") + &gateway + &http_route("r", 1, &format!("rules: [{{{rule}}}]"))))
}

fn location(redirect: &str, asked: &RouteRequest<'_>) -> String {
    let routes = rule(&format!(
        "matches: [{{path: {{value: /foo}}}}], filters: [{{type: RequestRedirect, requestRedirect: {{{redirect}}}}}]"
    ));
    let answer = routes.gateway("infra", "edge", asked);
    let to = answer.location(asked).expect("a redirect");
    assert!(answer.backend().is_none() && answer.forwarded(asked).is_none());
    let port = to.port.map(|port| format!(":{port}")).unwrap_or_default();
    let query = to.query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{} {}://{}{port}{}{query}", answer.status, to.scheme, to.host.unwrap_or_default(), to.path)
}

#[test]
fn a_redirect_keeps_what_it_does_not_name() {
    let asked = request("A.com:8080/foo/x?q=1", &[]);
    assert_eq!(location("", &asked), "302 http://a.com/foo/x?q=1");
    assert_eq!(location("hostname: b.com, statusCode: 301", &asked), "301 http://b.com/foo/x?q=1");
    assert_eq!(location("path: {type: ReplaceFullPath, replaceFullPath: /bar}", &asked), "302 http://a.com/bar?q=1");
    let prefix = "path: {type: ReplacePrefixMatch, replacePrefixMatch: /bar/}, statusCode: 307";
    assert_eq!(location(prefix, &asked), "307 http://a.com/bar/x?q=1");
}

#[test]
fn the_port_of_a_redirect_is_named_or_the_schemes_or_the_listeners() {
    let at = |port| RouteRequest { port: Some(port), ..request("a.com/foo", &[]) };
    let https = RouteRequest { scheme: Scheme::Https, ..request("a.com/foo", &[]) };
    for (redirect, asked, want) in [
        ("", at(80), "http://a.com/foo"),
        ("", at(8080), "http://a.com:8080/foo"),
        ("port: 80", at(8080), "http://a.com/foo"),
        ("port: 8443", at(80), "http://a.com:8443/foo"),
        ("scheme: https", at(80), "https://a.com/foo"),
        ("scheme: https", at(8080), "https://a.com/foo"),
        ("scheme: https, port: 443", at(8080), "https://a.com/foo"),
        ("scheme: https, port: 80", at(80), "https://a.com:80/foo"),
        ("scheme: http", https, "http://a.com/foo"),
        ("", https, "https://a.com/foo"),
        ("port: 443", https, "https://a.com/foo"),
    ] {
        assert_eq!(location(redirect, &asked), format!("302 {want}"), "{redirect}");
    }
}

#[test]
fn a_redirect_of_a_backend_is_a_redirect() {
    let routes = rule(
        "backendRefs: [{name: a, port: 80, filters: [{type: RequestRedirect, requestRedirect: {hostname: b.com}}]}]",
    );
    let asked = request("a.com/x", &[]);
    let answer = routes.gateway("infra", "edge", &asked);
    assert_eq!(said(&answer), "302 r 0.0");
    assert_eq!(answer.location(&asked).and_then(|to| to.host).as_deref(), Some("b.com"));
}

#[test]
fn the_backend_gets_the_rewritten_request() {
    let routes = rule(
        "matches: [{path: {value: /foo}}], filters: [\
         {type: URLRewrite, urlRewrite: {hostname: in.a.com, path: {type: ReplacePrefixMatch, replacePrefixMatch: /bar}}}, \
         {type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: X-Set, value: new}, {name: x-set, value: late}], \
         add: [{name: X-Add, value: more}], remove: [x-gone]}}], \
         backendRefs: [{name: a, port: 80, filters: [{type: RequestHeaderModifier, requestHeaderModifier: {add: [{name: x-add, value: last}]}}]}]",
    );
    let headers = [("x-set", "old"), ("x-add", "first"), ("X-GONE", "x"), ("accept", "a"), ("accept", "b")];
    let asked = request("POST a.com/foo/x?q=1", &headers);
    let answer = routes.gateway("infra", "edge", &asked);
    let at = answer.forwarded(&asked).expect("a backend");
    assert_eq!((&*at.method, at.host.as_deref(), &*at.path), ("POST", Some("in.a.com"), "/bar/x?q=1"));
    let want = [("Accept", "a,b"), ("X-Add", "first,more,last"), ("X-Set", "new")];
    assert_eq!(
        at.headers,
        want.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect::<BTreeMap<_, _>>()
    );
    assert_eq!(at.removed.into_iter().collect::<Vec<_>>(), ["X-Gone"]);
}

#[test]
fn without_filters_the_backend_gets_what_was_asked() {
    let routes = rule("backendRefs: [{name: a, port: 80}]");
    let asked = request("a.com:80/x?y", &[]);
    let at = routes.gateway("infra", "edge", &asked).forwarded(&asked).expect("a backend");
    assert_eq!((at.host.as_deref(), &*at.path, at.headers.len()), (Some("a.com:80"), "/x?y", 0));
}

#[test]
fn mirrors_that_can_be_used_get_copies() {
    let routes = rule(
        "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: b, port: 80}}}, \
         {type: RequestMirror, requestMirror: {backendRef: {name: b, port: 80}, percent: 20}}, \
         {type: RequestMirror, requestMirror: {backendRef: {name: b, port: 80}, fraction: {numerator: 1, denominator: 3}}}, \
         {type: RequestMirror, requestMirror: {backendRef: {name: none, port: 80}}}, \
         {type: RequestMirror, requestMirror: {backendRef: {name: b, namespace: other, port: 80}}}], \
         backendRefs: [{name: a, port: 80}]",
    );
    let answer = routes.gateway("infra", "edge", &request("/", &[]));
    assert_eq!(said(&answer), "200 r 0.0 a", "a mirror that is missing fails nothing");
    let shares: Vec<_> = answer.mirrors().map(|mirror| (&*mirror.service, mirror.share)).collect();
    assert_eq!(shares, [("b", (100, 100)), ("b", (20, 100)), ("b", (1, 3))]);
}

#[test]
fn changes_of_the_response_are_told() {
    let routes = rule(
        "filters: [{type: ResponseHeaderModifier, responseHeaderModifier: {set: [{name: x, value: z}]}}], backendRefs: [{name: a, port: 80}]",
    );
    let answer = routes.gateway("infra", "edge", &request("/", &[]));
    assert_eq!(answer.response_headers().map(|change| change.set.len()).collect::<Vec<_>>(), [1]);
}
