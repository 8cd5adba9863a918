//! Requests at gateways, statement by statement: what was not seen is never made up.

use std::sync::Arc;

use weir_cluster::gateways::GatewayOptions;
use weir_cluster::routing::Routing;
use weir_model::tables::RequestRow;
use weir_model::{
    AttributedFlow, Endpoint, EndpointKind, Exchange, FlowRow, Http, HttpMarks, Leg, Protocol, Request, Routed,
    TapRole, Timestamp, Tls,
};

use crate::given::{flow, objects, service, slice, tap};
use crate::route_given::{HTTP, gateway, http_route, ingress, rule};

/// A cluster whose pod `edge` (10.0.0.1) serves Ingresses and Gateway `edge`, with pods of Services `a` and `b`.
pub(crate) fn cluster(rules: &str) -> Routing {
    let front = service(
        "edge",
        "type: LoadBalancer, externalIPs: [203.0.113.7], ports: [{name: http, port: 80}, {name: https, port: 443}]",
    );
    let front_slice = slice(
        "edge",
        "edge",
        "[{name: http, port: 8080}, {name: https, port: 8443}]",
        "[{addresses: [10.0.0.1], targetRef: {kind: Pod, name: edge}}]",
    );
    let backend = |name: &str, ip: &str| {
        service(name, "ports: [{name: http, port: 80}]")
            + &slice(name, name, "[{name: http, port: 8000}]", &format!("[{{addresses: [{ip}]}}]"))
    };
    let status = "---\napiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: status, namespace: shop}\n\
         spec: {}\nstatus: {loadBalancer: {ingress: [{ip: 203.0.113.7}]}}\n";
    let gateway = gateway(HTTP) + "status: {addresses: [{value: 203.0.113.7}]}\n";
    let yaml = front + &front_slice + &backend("a", "10.0.0.2") + &backend("b", "10.0.0.3") + status + &gateway + rules;
    Routing::build(&objects(&yaml), &GatewayOptions::default())
}

fn pod(name: &str) -> Arc<Endpoint> {
    let (namespace, name) = (Some("shop".into()), Some(name.into()));
    Arc::new(Endpoint { kind: EndpointKind::Pod, namespace, name, ..Endpoint::default() })
}

fn row(src: (&str, u16), dst: (&str, u16), leg: Leg, ends: (Arc<Endpoint>, Arc<Endpoint>)) -> FlowRow {
    let (tap, flow) = (tap(TapRole::Pod, Some("shop/edge")), flow(src, dst, Protocol::TCP));
    FlowRow::alone(AttributedFlow { flow, tap, leg: Some(leg), src: ends.0, dst: ends.1, service: None })
}

/// A flow from outside to the gateway.
pub(crate) fn front(port: u16) -> FlowRow {
    row(("192.0.2.9", 4_000), ("10.0.0.1", port), Leg::Server, (Arc::default(), pod("edge")))
}

/// A flow from the gateway to a backend.
pub(crate) fn back(ip: &str) -> FlowRow {
    row(("10.0.0.1", 5_000), (ip, 8_000), Leg::Client, (pod("edge"), pod("any")))
}

/// A request `METHOD host/path` from one time to another, in microseconds; `-` for a path that is not known.
pub(crate) fn request(text: &str, from_us: i64, to_us: i64) -> Request {
    let (method, url) = text.split_once(' ').expect("a method and a URL");
    let (host, path) = url.split_at(url.find(['/', '-']).unwrap_or(url.len()));
    let http = Http {
        method: Some(method.into()),
        host: Some(host).filter(|host| !host.is_empty()).map(Into::into),
        path: Some(path).filter(|path| *path != "-").map(Into::into),
        status: Some(200),
        ..Http::default()
    };
    let latency_us = u32::try_from(to_us - from_us).ok();
    let exchange = Exchange::Http(http);
    Request { ts: Timestamp(from_us * 1_000), first_byte_us: latency_us, latency_us, exchange }
}

pub(crate) fn hello(sni: Option<&str>) -> Request {
    let tls = Tls { sni: sni.map(Into::into), ..Tls::default() };
    Request { ts: Timestamp(0), first_byte_us: None, latency_us: None, exchange: Exchange::Tls(tls) }
}

pub(crate) fn http(row: &mut RequestRow) -> &mut Http {
    match &mut row.request.exchange {
        Exchange::Http(http) => http,
        _ => panic!("HTTP"),
    }
}

pub(crate) fn marks(row: &mut RequestRow) -> &mut HttpMarks {
    http(row).marks.get_or_insert_default()
}

/// `METHOD NAME RULE.MATCH PATH SERVICE`, what there is of it, then the reason and the candidates.
pub(crate) fn said(routed: &Routed) -> String {
    let mut said: Vec<String> = routed.method.iter().map(|method| method.name().to_owned()).collect();
    if let Some(place) = &routed.place {
        let number = |number: Option<u32>| number.map_or("-".to_owned(), |number| number.to_string());
        said.push(format!("{} {}.{}", place.name, number(place.rule), number(place.matched)));
    }
    said.extend(routed.path.iter().map(ToString::to_string));
    said.extend(routed.service.iter().map(|service| service.name.to_string()));
    said.extend(routed.reason.map(str::to_owned));
    said.extend(routed.candidates.iter().map(|candidate| format!("?{candidate}")));
    said.join(" ")
}

fn met(routing: &Routing, row: &FlowRow, request: &Request) -> Option<String> {
    routing.meet(row, request).map(|met| said(&met.routed))
}

fn at_front(routing: &Routing, text: &str) -> String {
    met(routing, &front(8_080), &request(text, 0, 9)).expect("a gateway's")
}

fn at_back(routing: &Routing, ip: &str, text: &str) -> String {
    met(routing, &back(ip), &request(text, 0, 9)).unwrap_or_default()
}

fn shop() -> Routing {
    cluster(&ingress("shop", 1, &format!("rules: [{}]", rule("a.com", &["Prefix /cart b", "Prefix / a"]))))
}

#[test]
fn a_request_to_a_gateway_met_the_rule_of_its_host_and_path() {
    let shop = shop();
    assert_eq!(at_front(&shop, "GET a.com/cart/items"), "request shop 0.0 /cart b");
    assert_eq!(at_front(&shop, "GET a.com/other"), "request shop 0.1 / a");
    assert_eq!(at_front(&shop, "GET b.com/"), "no-host");
}

#[test]
fn without_a_path_only_the_host_is_known() {
    let shop = shop();
    let both = "?Ingress/shop/shop/0/0 ?Ingress/shop/shop/0/1";
    assert_eq!(at_front(&shop, "GET a.com-"), format!("host shop 0.- {both}"));
    let secure = met(&shop, &front(8_443), &hello(Some("a.com")));
    assert_eq!(secure, Some(format!("sni shop 0.- {both}")));
    assert_eq!(met(&shop, &front(8_443), &hello(None)).as_deref(), Some(""), "a hello without a name says nothing");
    let one = cluster(&ingress("one", 1, &format!("rules: [{}]", rule("a.com", &["Prefix / a"]))));
    assert_eq!(met(&one, &front(8_443), &hello(Some("a.com"))).as_deref(), Some("sni one 0.- a"));
}

#[test]
fn what_is_no_gateways_meets_no_rule() {
    let shop = shop();
    assert_eq!(met(&shop, &front(10_254), &request("GET a.com/", 0, 9)), None, "a port that no Service leads to");
    let between = row(("10.0.0.2", 4_000), ("10.0.0.3", 8_000), Leg::Client, (pod("a-1"), pod("b-1")));
    assert_eq!(met(&shop, &between, &request("GET a.com/", 0, 9)), None);
    assert_eq!(at_back(&shop, "10.0.0.9", "GET a.com/"), "", "a pod that no rule leads to");
}

#[test]
fn a_request_from_a_gateway_came_through_the_rule_that_leads_to_the_pod() {
    let shop = shop();
    assert_eq!(at_back(&shop, "10.0.0.3", "GET a.com/cart/items"), "request shop 0.0 /cart b");
    assert_eq!(at_back(&shop, "10.0.0.2", "GET a.com/x"), "request shop 0.1 / a");
    assert_eq!(at_back(&shop, "10.0.0.3", "GET upstream/cart/1"), "backend shop 0.0 /cart b", "another Host");
    assert_eq!(at_back(&shop, "10.0.0.3", "GET a.com-"), "backend shop 0.0 /cart b", "no path");
    let service = shop.meet(&back("10.0.0.3"), &request("GET a.com/cart", 0, 9)).expect("met").service.expect("known");
    let used = service.used.as_ref().expect("one");
    assert_eq!((&*used.name, used.port_name.as_deref()), ("b", Some("http")));
}

#[test]
fn several_rules_to_one_pod_are_told_apart_or_are_candidates() {
    let rules = format!("rules: [{}, {}]", rule("a.com", &["Prefix / a"]), rule("b.com", &["Prefix / a"]));
    let two = cluster(&ingress("two", 1, &rules));
    assert_eq!(at_back(&two, "10.0.0.2", "GET b.com/"), "request two 1.0 / a");
    assert_eq!(at_back(&two, "10.0.0.2", "GET up/"), "backend two -.- a ?Ingress/shop/two/0/0 ?Ingress/shop/two/1/0");
}

const TO_A: &str = "backendRefs: [{name: a, port: 80}]";
const TO_B: &str = "backendRefs: [{name: b, port: 80}]";

#[test]
fn a_rule_that_asks_for_what_is_not_seen_is_a_candidate() {
    let rules = format!(
        "rules: [{{matches: [{{path: {{value: /x}}, headers: [{{name: v, value: '2'}}]}}], {TO_B}}}, \
         {{matches: [{{path: {{value: /x}}}}], {TO_A}}}, {{matches: [{{path: {{value: /y}}, method: POST}}], {TO_B}}}, \
         {{matches: [{{path: {{value: /z}}, queryParams: [{{name: q, value: '1'}}]}}], {TO_B}}}]"
    );
    let routing = cluster(&http_route("r", 1, &rules));
    let candidates = "?HTTPRoute/shop/r/0/0 ?HTTPRoute/shop/r/1/0";
    assert_eq!(at_front(&routing, "GET any/x"), format!("request r -.- {candidates}"));
    assert_eq!(at_back(&routing, "10.0.0.3", "GET any/x"), "backend r 0.0 /x b", "the backend tells");
    assert_eq!(at_front(&routing, "POST any/y"), "request r 2.0 /y b");
    assert_eq!(at_front(&routing, "GET any/y"), "no-rule");
    assert_eq!(at_front(&routing, "GET any/z"), "?HTTPRoute/shop/r/3/0", "or there is none");
    assert_eq!(at_front(&routing, "GET any/z?q=1"), "request r 3.0 /z b", "a query that was kept");
}

#[test]
fn a_rewrite_is_undone() {
    let change = |from: &str, to: &str, service: &str| {
        format!(
            "{{matches: [{{path: {{value: {from}}}}}], filters: [{{type: URLRewrite, urlRewrite: {{path: \
             {{type: ReplacePrefixMatch, replacePrefixMatch: {to}}}}}}}], {service}}}"
        )
    };
    let one = cluster(&http_route("r", 1, &format!("hostnames: [a.com], rules: [{}]", change("/old", "/new", TO_A))));
    assert_eq!(at_back(&one, "10.0.0.2", "GET a.com/new/1"), "rewrite r 0.0 /old a");
    assert_eq!(at_back(&one, "10.0.0.2", "GET a.com/old/1"), "", "the rule makes no such request");
    let rules = format!("hostnames: [a.com], rules: [{}, {}]", change("/v1", "/", TO_A), change("/v2", "/", TO_A));
    let two = cluster(&http_route("r", 1, &rules));
    let candidates = "?HTTPRoute/shop/r/0/0 ?HTTPRoute/shop/r/1/0";
    assert_eq!(at_back(&two, "10.0.0.2", "GET a.com/x"), format!("rewrite r -.- a {candidates}"));
}

#[test]
fn the_host_that_a_rule_sets_tells_it_from_others_to_the_same_pod() {
    let set = format!("{{filters: [{{type: URLRewrite, urlRewrite: {{hostname: in.a.com}}}}], {TO_A}}}");
    let routes = http_route("set", 1, &format!("hostnames: [a.com], rules: [{set}]"))
        + &http_route("other", 1, &format!("hostnames: [b.com], rules: [{{{TO_A}}}]"));
    let routing = cluster(&routes);
    assert_eq!(at_back(&routing, "10.0.0.2", "GET in.a.com/x"), "rewrite set 0.0 / a");
    assert_eq!(at_back(&routing, "10.0.0.2", "GET b.com/x"), "request other 0.0 / a");
    assert_eq!(
        at_back(&routing, "10.0.0.2", "GET a.com/x"),
        "backend other 0.0 / a",
        "the host that it sets is not sent"
    );
}

#[test]
fn a_copy_for_a_mirror_is_at_its_rule_and_marked() {
    let copy = "filters: [{type: RequestMirror, requestMirror: {backendRef: {name: b, port: 80}}}]";
    let routing = cluster(&http_route("r", 1, &format!("hostnames: [a.com], rules: [{{{copy}, {TO_A}}}]")));
    assert_eq!(at_back(&routing, "10.0.0.2", "GET a.com/x"), "request r 0.0 / a");
    let met = routing.meet(&back("10.0.0.3"), &request("GET a.com/x", 0, 9)).expect("a gateway's").routed;
    assert_eq!((said(&met).as_str(), &*met.flags), ("request r 0.0 / b", &["mirror"][..]));
    let other = format!("{{matches: [{{path: {{value: /b}}}}], {TO_B}}}");
    let both = format!("hostnames: [a.com], rules: [{{{copy}, {TO_A}}}, {other}]");
    let routing = cluster(&http_route("r", 1, &both));
    assert_eq!(
        at_back(&routing, "10.0.0.3", "GET a.com/b/x"),
        "request r 1.0 /b b",
        "not a copy: another rule takes it"
    );
}

#[test]
fn a_gateway_on_the_host_network_is_told_by_what_it_passes_on() {
    let edge = "---\napiVersion: v1\nkind: Pod\nmetadata: {name: edge, namespace: shop}\n\
         spec: {nodeName: n, hostNetwork: true}\nstatus: {podIP: 192.168.0.5, hostIP: 192.168.0.5}\n";
    let rules = ingress("shop", 1, &format!("rules: [{}]", rule("a.com", &["Prefix /cart b", "Prefix / a"])));
    let routing = cluster(&(rules + edge));
    let node = Arc::new(Endpoint { kind: EndpointKind::Node, name: Some("n".into()), ..Endpoint::default() });
    let back = row(("192.168.0.5", 5_000), ("10.0.0.2", 8_000), Leg::Server, (Arc::clone(&node), pod("any")));
    let asked = |text: &str, forwarded: bool| {
        let mut asked = RequestRow::alone(back.clone(), request(text, 0, 9));
        if forwarded {
            marks(&mut asked).forwarded_for = Some(("192.0.2.9".parse().expect("an address"), None));
        }
        met(&routing, &asked.flow, &asked.request)
    };
    assert_eq!(asked("GET a.com/x", true).as_deref(), Some("request shop 0.1 / a"));
    assert_eq!(asked("GET a.com/x", false), None, "nothing says that it was passed on");
    assert_eq!(asked("GET 10.0.0.2/healthz", true), None, "no rule's host");
    let hidden = FlowRow { client: Some(("10.0.0.9".parse().expect("an address"), 4_000)), ..back.clone() };
    let passed_on = RequestRow::alone(hidden, request("GET a.com/x", 0, 9));
    assert_eq!(met(&routing, &passed_on.flow, &passed_on.request), None, "a pod that SNAT hides");
    let front =
        |port| row(("192.0.2.9", 4_000), ("192.168.0.5", port), Leg::Transit, (Arc::default(), Arc::clone(&node)));
    assert_eq!(met(&routing, &front(8_080), &request("GET a.com/x", 0, 9)).as_deref(), Some("request shop 0.1 / a"));
    assert_eq!(met(&routing, &front(10_250), &request("GET a.com/x", 0, 9)), None, "another program's port");
}

#[test]
fn a_rewrite_by_annotation_leaves_any_path_open() {
    let yaml = ingress("i", 1, &format!("rules: [{}]", rule("a.com", &["ImplementationSpecific /x(/.*) a"])));
    let annotation = "name: i, annotations: {nginx.ingress.kubernetes.io/rewrite-target: '$1'}";
    let routing = cluster(&yaml.replace("name: i", annotation));
    assert_eq!(at_back(&routing, "10.0.0.2", "GET a.com/y"), "rewrite i 0.0 /x(/.*) a");
}

#[test]
fn a_host_of_thousands_of_paths_is_one_rule_of_one_object() {
    let paths: Vec<String> = (0..2_000).map(|path| format!("Prefix /{path} a")).collect();
    let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
    let many = cluster(&ingress("many", 1, &format!("rules: [{}]", rule("a.com", &paths))));
    let met = many.meet(&front(8_443), &hello(Some("a.com"))).expect("a gateway's").routed;
    assert_eq!((met.candidates.len(), met.place.as_ref().and_then(|place| place.rule)), (16, Some(0)));
}
