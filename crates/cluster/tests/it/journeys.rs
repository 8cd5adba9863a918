//! Both legs of requests through a gateway: made-up ones rule by rule, then those of the recorded Ingress controller.

use std::fs;

use serde_json::Value;
use weir_cluster::Timeline;
use weir_cluster::join::Finality;
use weir_cluster::routing::{Journeys, PairOptions, Routing};
use weir_model::tables::RequestRow;
use weir_model::{ConnectionId, FlowId, FlowRow, Leg, RouteLeg, Timestamp};

use crate::passages::{recording, replayed};
use crate::route_given::{gateway, ingress, route, rule};
use crate::routing::{back, cluster, front, hello, http, marks, request, said};

/// Settles rows that arrive together.
fn settled(
    routes: &Timeline<Routing>,
    mut flows: Vec<FlowRow>,
    mut requests: Vec<RequestRow>,
) -> (Vec<FlowRow>, Vec<RequestRow>) {
    let mut journeys = Journeys::new(PairOptions::default());
    journeys.arrive(&flows, &requests, routes, 0);
    journeys.settle(&mut flows, &mut requests, routes, Finality::Final);
    (flows, requests)
}

fn numbered(row: FlowRow, number: u64) -> FlowRow {
    let mut row = FlowRow { connection: Some(ConnectionId(number)), ..row };
    row.seen.flow.id = FlowId(number);
    row
}

fn shop() -> Timeline<Routing> {
    Timeline::always(cluster(&ingress(
        "shop",
        1,
        &format!("rules: [{}]", rule("a.com", &["Prefix /cart b", "Prefix / a"])),
    )))
}

/// A front and two backs, the second of which comes later: their requests say what `mark` makes of them.
fn pair(mark: impl Fn(&mut RequestRow)) -> Option<String> {
    let fronts = RequestRow::alone(numbered(front(8_080), 1), request("GET a.com/x", 0, 100));
    let other = RequestRow::alone(numbered(back("10.0.0.2"), 2), request("GET a.com/x", 500, 560));
    let wanted = RequestRow::alone(numbered(back("10.0.0.2"), 3), request("GET a.com/x", 20, 80));
    let mut rows = vec![fronts, other, wanted];
    rows.iter_mut().for_each(mark);
    let (_, rows) = settled(&shop(), Vec::new(), rows);
    let found = rows[2].front.as_ref()?;
    assert_eq!(found.connection, Some(ConnectionId(1)));
    let split = rows[0].split.expect("both legs were answered");
    assert_eq!((split.backend_us, split.gateway_us), (60, 40));
    Some(found.method.name().to_owned())
}

const TRACE: u128 = 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c;

#[test]
fn legs_are_joined_by_id_by_trace_or_by_client() {
    let only_near = |row: &RequestRow| row.flow.seen.flow.id != FlowId(2);
    let by = |set: fn(&mut RequestRow)| {
        pair(|row| {
            if only_near(row) {
                set(row);
            }
        })
    };
    assert_eq!(by(|row| http(row).request_id = Some("7".into())).as_deref(), Some("request-id"));
    assert_eq!(by(|row| marks(row).trace = Some(TRACE)).as_deref(), Some("traceparent"));
    let forwarded = |row: &mut RequestRow| {
        if row.flow.seen.leg == Some(Leg::Client) {
            marks(row).forwarded_for = Some(("192.0.2.9".parse().expect("an address"), None));
        }
    };
    assert_eq!(by(forwarded).as_deref(), Some("forwarded-for"));
    assert_eq!(by(|_| {}), None, "host, path and time are no proof");
}

#[test]
fn two_requests_that_may_be_meant_are_none() {
    let mut rows: Vec<_> =
        [1, 2].map(|number| RequestRow::alone(numbered(front(8_080), number), request("GET a.com/x", 0, 100))).into();
    rows.push(RequestRow::alone(numbered(back("10.0.0.2"), 3), request("GET a.com/x", 20, 80)));
    for row in &mut rows {
        marks(row).trace = Some(TRACE);
    }
    let (_, rows) = settled(&shop(), Vec::new(), rows);
    assert!(rows[2].front.is_none() && rows[0].split.is_none());
}

#[test]
fn requests_of_one_client_are_told_apart_by_the_clock_of_the_gateways_own_tap() {
    let at = |number, from, to| {
        let mut row = RequestRow::alone(numbered(front(8_080), number), request("GET a.com/x", from, to));
        marks(&mut row);
        row
    };
    let mut made = RequestRow::alone(numbered(back("10.0.0.2"), 3), request("GET a.com/x", 220, 260));
    marks(&mut made).forwarded_for = Some(("192.0.2.9".parse().expect("an address"), None));
    let (_, rows) = settled(&shop(), Vec::new(), vec![at(1, 0, 100), at(2, 200, 300), made]);
    let found = rows[2].front.as_ref().map(|front| (front.connection.map(|id| id.0), front.method.name()));
    assert_eq!(found, Some((Some(2), "forwarded-for")), "the first one was answered by then");
}

#[test]
fn a_connection_that_is_passed_through_is_joined_by_its_name_where_no_other_is_meant() {
    let listener =
        "{name: tls, port: 443, protocol: TLS, tls: {mode: Passthrough}, allowedRoutes: {namespaces: {from: All}}}";
    let spec = "parentRefs: [{name: edge, namespace: infra}], hostnames: [a.com], rules: [{backendRefs: [{name: a, port: 80}]}]";
    let yaml = gateway(listener) + "status: {addresses: [{value: 203.0.113.7}]}\n";
    let tls_route = route("TLSRoute", "t", 1, spec).replace("k8s.io/v1", "k8s.io/v1alpha2");
    let routes = Timeline::always(cluster(
        &(yaml.replace("name: edge,", "name: tls,") + &tls_route.replace("name: edge", "name: tls")),
    ));
    let joined = |fronts: &[(u64, &str)]| {
        let mut rows: Vec<_> = fronts
            .iter()
            .map(|(number, name)| RequestRow::alone(numbered(front(8_443), *number), hello(Some(name))))
            .collect();
        rows.push(RequestRow::alone(numbered(back("10.0.0.2"), 9), hello(Some("a.com"))));
        let (_, rows) = settled(&routes, Vec::new(), rows);
        rows.last().and_then(|row| row.front.as_ref()?.connection).map(|id| id.0)
    };
    assert_eq!(joined(&[(1, "a.com"), (2, "b.com")]), Some(1));
    assert_eq!(joined(&[(1, "a.com"), (2, "a.com")]), None);
}

#[test]
fn a_tls_connection_is_joined_where_no_other_was_open() {
    let closed = |row: FlowRow, last_us: i64| {
        let mut row = row;
        row.seen.flow.report = weir_model::Report::End;
        row.seen.flow.last_ts = Timestamp(last_us * 1_000);
        row
    };
    let joined = |flows: Vec<FlowRow>, hellos: &[(u64, &str)]| {
        let hello =
            |(number, name): &(u64, &str)| RequestRow::alone(numbered(front(8_443), *number), hello(Some(name)));
        let mut rows: Vec<_> = hellos.iter().map(hello).collect();
        rows.push(RequestRow::alone(numbered(back("10.0.0.3"), 9), request("GET up/cart", 50, 80)));
        let (_, rows) = settled(&shop(), flows, rows);
        rows.last().and_then(|row| row.front.clone()).map(|front| (front.connection.map(|c| c.0), front.method.name()))
    };
    let fronts = |number| numbered(front(8_443), number);
    assert_eq!(joined(vec![fronts(1)], &[(1, "a.com")]), Some((Some(1), "only-one")));
    assert_eq!(joined(vec![fronts(1), fronts(2)], &[(1, "a.com"), (2, "b.com")]), Some((Some(1), "only-one")));
    assert_eq!(joined(vec![fronts(1), fronts(2)], &[(1, "a.com"), (2, "a.com")]), None);
    let ended = vec![closed(fronts(1), 40), fronts(2)];
    assert_eq!(joined(ended, &[(1, "a.com"), (2, "a.com")]), Some((Some(2), "only-one")), "the other one was over");
    assert_eq!(joined(vec![fronts(1), fronts(2)], &[(1, "a.com")]), None, "one whose hello was not seen may be meant");
}

#[test]
fn a_flow_whose_requests_met_different_rules_has_none_of_its_own() {
    let row = |paths: &[&str]| {
        let requests =
            paths.iter().map(|path| RequestRow::alone(front(8_080), request(&format!("GET a.com{path}"), 0, 9)));
        let requests = requests.zip(0..).map(|(mut row, at)| {
            row.request.ts = Timestamp(at);
            row
        });
        let mut flow = front(8_080);
        flow.seen.flow.last_ts = Timestamp(1_000);
        let (flows, _) = settled(&shop(), vec![flow], requests.collect());
        flows[0].route.as_ref().map(|route| said(route))
    };
    assert_eq!(row(&["/cart/1", "/cart/2"]).as_deref(), Some("request shop 0.0 /cart b"));
    assert_eq!(row(&["/cart/1", "/"]), None);
    assert_eq!(row(&["/cart/1", "-"]).as_deref(), None, "further requests may not have been told of");
}

fn text<'a>(value: &'a Value, path: &str) -> Option<&'a str> {
    value.pointer(path)?.as_str()
}

#[test]
fn every_recorded_request_is_at_its_rule_on_both_legs_and_they_are_joined() {
    let truth = fs::read_to_string(recording("routed", "ingress").join("truth.json")).expect("readable");
    let truth: Value = serde_json::from_str(&truth).expect("JSON");
    for order in [["node-a", "node-b"], ["node-b", "node-a"]] {
        let (_, rows) = replayed("routed", "ingress", order);
        for event in truth["events"].as_array().expect("events") {
            check(event, &rows);
        }
        let unanswered = rows.iter().filter(|row| row.flow.route.is_none() && row.request.exchange.dns().is_none());
        assert_eq!(unanswered.count(), 0, "all of the scenario passes the gateway");
    }
}

fn check(event: &Value, rows: &[RequestRow]) {
    let id = text(event, "/id").expect("an id");
    let client = event.pointer("/client/port").and_then(Value::as_u64).expect("a port");
    let fronts: Vec<_> = rows.iter().filter(|row| u64::from(row.flow.seen.flow.tuple.src_port) == client).collect();
    assert!(!fronts.is_empty(), "{id}");
    let Some(ingress) = text(event, "/ingress_rule/ingress") else {
        assert!(
            fronts.iter().all(|row| row.flow.route.as_ref().and_then(|route| route.reason) == Some("no-host")),
            "{id}"
        );
        return;
    };
    let request_id = text(event, "/ingress/request_id").expect("an id");
    let backs: Vec<_> = rows
        .iter()
        .filter(|row| row.request.exchange.http().and_then(|http| http.request_id.as_deref()) == Some(request_id))
        .filter(|row| row.flow.route.as_ref().is_some_and(|route| route.leg == RouteLeg::Back))
        .collect();
    assert!(backs.len() >= 2, "{id}: at the gateway's veth and at the backend's");
    let service = text(event, "/ingress_rule/backend_service");
    let named = |namespace: &str, name: &str| Some(format!("{namespace}/{name}"));
    for row in fronts.iter().chain(&backs) {
        let route = row.flow.route.as_ref().expect("a route");
        let place = route.place.as_ref().unwrap_or_else(|| panic!("{id}: {route:?}"));
        assert_eq!(named(&place.namespace, &place.name).as_deref(), Some(ingress), "{id}");
        assert_eq!((place.kind, route.host.as_deref()), ("Ingress", text(event, "/ingress_rule/host")), "{id}");
        let is_tls_of_several = row.request.exchange.tls().is_some() && !route.candidates.is_empty();
        let is_tls = row.request.exchange.tls().is_some();
        let path = if is_tls { None } else { text(event, "/ingress_rule/path") };
        assert_eq!(route.path.as_deref(), path, "{id}: {route:?}");
        let led = route.service.as_ref().and_then(|service| named(&service.namespace, &service.name));
        assert_eq!(led.as_deref(), service.filter(|_| !is_tls_of_several), "{id}");
    }
    for row in &backs {
        let used = row.flow.seen.service.as_ref().and_then(|service| service.used.as_ref()).expect("a Service");
        assert_eq!(named(&used.namespace, &used.name).as_deref(), service, "{id}");
        let found = row.front.as_ref().unwrap_or_else(|| panic!("{id}: not joined: {row:?}"));
        assert_eq!(found.request_id.as_deref(), Some(request_id), "{id}");
        assert!(fronts.iter().any(|front| front.flow.connection == found.connection), "{id}: {found:?}");
    }
    for row in fronts.iter().filter(|row| row.request.exchange.http().is_some()) {
        let split = row.split.unwrap_or_else(|| panic!("{id}: no split"));
        assert_eq!(row.request.latency_us, Some(split.backend_us + split.gateway_us), "{id}");
    }
}
