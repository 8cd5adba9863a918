//! Requests through the recorded Ingress controller, as two agents and a collector tell them: the rule on both legs, joined
//! with each other, and counted once.

use std::path::Path;
use std::process::Command;

use serde_json::Value;
use weir_tests::examples::lab_capture;
use weir_tests::programs::{Collector, Source, path_of, sql};
use weir_tests::recorded::{agent, collector};
use weir_tests::truth::{Event, Truth};

const ROWS: &str = "select leg, is_primary, l7, src_ip, src_port, dst_port, request_id, route_leg, \
    route_kind || ' ' || route_namespace || '/' || route_name rule, route_host, route_path, route_method, route_reason, \
    route_service_namespace || '/' || route_service_name led_to, service_namespace || '/' || service_name service, \
    service_method, connection_id, front_request_id, front_connection_id, front_method, latency_us, gateway_us, backend_us \
    from requests where route_leg is not null order by ts";

const FLOWS: &str = "select src_port, route_leg, route_namespace || '/' || route_name rule, route_path, route_method, \
    is_primary from flows where route_leg is not null or src_port = 40630 order by first_ts";

fn truth() -> Vec<Event> {
    Truth::read(&lab_capture().join("routed/ingress/truth.json")).expect("a truth").events
}

fn replayed(data: &Path) -> Collector {
    let collector = collector("routed", data, &["--settle", "5s"]);
    for agent in ["node-a", "node-b"].map(|node| agent("routed", node, collector.url(), &[])) {
        assert!(agent.ended().success(), "the agent sends everything");
    }
    collector
}

fn text<'a>(row: &'a Value, column: &str) -> Option<&'a str> {
    row[column].as_str()
}

fn check(event: &Event, rows: &[Value]) {
    let id = &event.id;
    let fronts: Vec<_> =
        rows.iter().filter(|row| row["src_port"] == event.client.port && row["route_leg"] == "front").collect();
    assert!(fronts.iter().any(|row| row["is_primary"] == true), "{id}: the front counts");
    let Some(rule) = &event.ingress_rule else {
        assert!(
            fronts.iter().all(|row| row["route_reason"] == "no-host" && row["rule"].is_null()),
            "{id}: {fronts:#?}"
        );
        return;
    };
    let request_id = &event.ingress.as_ref().expect("it passed the controller").request_id;
    let backs: Vec<_> =
        rows.iter().filter(|row| row["request_id"] == **request_id && row["route_leg"] == "back").collect();
    assert!(backs.len() >= 2, "{id}: at the controller's veth and at the backend's: {backs:#?}");
    for row in fronts.iter().chain(&backs) {
        assert_eq!(text(row, "rule"), Some(&*format!("Ingress {}", rule.ingress)), "{id}: {row:#?}");
        assert_eq!(text(row, "route_host"), Some(&*rule.host), "{id}");
    }
    for row in &backs {
        assert_eq!(text(row, "route_path"), Some(&*rule.path), "{id}: {row:#?}");
        assert_eq!(text(row, "led_to"), Some(&*rule.backend_service), "{id}");
        assert_eq!(text(row, "service"), Some(&*rule.backend_service), "{id}");
        assert_eq!(text(row, "service_method"), Some("route"), "{id}");
        assert_eq!(text(row, "front_request_id"), Some(&**request_id), "{id}: joined: {row:#?}");
        assert!(fronts.iter().any(|front| front["connection_id"] == row["front_connection_id"]), "{id}");
    }
    for row in fronts.iter().filter(|row| row["l7"] == "http") {
        assert_eq!(text(row, "route_path"), Some(&*rule.path), "{id}");
        let spent =
            row["gateway_us"].as_i64().zip(row["backend_us"].as_i64()).map(|(gateway, backend)| gateway + backend);
        assert_eq!(spent, row["latency_us"].as_i64(), "{id}: {row:#?}");
    }
    for row in fronts.iter().filter(|row| row["l7"] == "tls") {
        assert_eq!((text(row, "route_method"), text(row, "route_path")), (Some("sni"), None), "{id}");
    }
}

fn weir(args: &[&str]) -> String {
    let output = Command::new(path_of("weir")).args(args).output().expect("weir runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn recorded_requests_are_at_their_rules_joined_and_counted_once() {
    let data = tempfile::tempdir().expect("a folder for the lake");
    let collector = replayed(data.path());
    let (rows, flows) = (sql(Source::Server(collector.url()), ROWS), sql(Source::Server(collector.url()), FLOWS));
    let asked = weir(&["--server", collector.url(), "get", "gateways"]);
    let live = weir(&["--server", collector.url(), "top", "routes"]);
    assert!(collector.terminate().success());
    let events = truth();
    for event in &events {
        check(event, &rows);
    }

    // Both requests of the connection that two users' requests share met one rule, so their flow has it.
    let shared: Vec<_> = flows.iter().filter(|row| row["src_port"] == 40_630 && row["is_primary"] == true).collect();
    assert!(shared.iter().all(|row| row["rule"] == "shop/shop" && row["route_path"] == "/cart"), "{shared:#?}");

    let cluster = lab_capture().join("routed/manifests").display().to_string();
    let told =
        weir(&["top", "routes", "--lake", &data.path().display().to_string(), "--cluster", &cluster, "-o", "json"]);
    let told: Vec<Value> = told.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let of_events: usize = events.iter().filter(|event| event.ingress_rule.is_some()).count();
    let counted: i64 =
        told.iter().filter(|line| !line["kind"].is_null()).filter_map(|line| line["requests"].as_i64()).sum();
    assert_eq!(usize::try_from(counted), Ok(of_events), "a user's request counts once: {told:#?}");
    let carts =
        events.iter().filter(|event| event.ingress_rule.as_ref().is_some_and(|rule| rule.path == "/cart")).count();
    let cart = told.iter().find(|line| line["path"] == "/cart").expect("a rule");
    assert_eq!((cart["requests"].as_u64(), cart["errors"].as_u64()), (Some(carts as u64), Some(0)));
    assert!(
        cart["bytes"].as_i64().is_some_and(|bytes| bytes > 0) && cart["p99_us"].as_f64() >= cart["p50_us"].as_f64()
    );

    let gateways = weir(&["get", "gateways", "--cluster", &cluster]);
    assert!(gateways.contains("Ingresses of class nginx") && gateways.contains("ingress-status, label"), "{gateways}");
    assert_eq!(asked, gateways, "the collector knows the same");
    assert!(live.contains("Ingress shop/shop 0/0") && !live.contains("never"), "{live}");
}
