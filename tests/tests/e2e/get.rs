//! `weir get`: what is known of the recorded cluster, and what was seen of it.

use std::path::Path;

use serde_json::{Value, json};
use weir_tests::programs::{Source, sql, weir};
use weir_tests::recorded::{agent, collector};

fn get(what: &str, lake: &Path, more: &[&str]) -> Vec<Value> {
    let lake = lake.display().to_string();
    let mut args = vec!["get", what, "--lake", &lake, "--since", "2020-01-01T00:00:00Z", "-o", "json"];
    args.extend(more);
    weir(&args).unwrap_or_else(|said| panic!("weir get {what}: {said}"))
}

fn named<'a>(lines: &'a [Value], name: &str) -> &'a Value {
    lines.iter().find(|line| line["name"] == name).unwrap_or_else(|| panic!("no {name} among {lines:#?}"))
}

#[test]
fn what_is_known_is_shown_with_what_was_seen() {
    let data = tempfile::tempdir().expect("a folder for the lake");
    let lake = data.path();
    let collector = collector("routed", lake, &["--settle=10m", "--retention-age=36500d"]);
    for agent in ["node-a", "node-b"].map(|node| agent("routed", node, collector.url(), &[])) {
        assert!(agent.ended().success());
    }
    assert!(collector.terminate().success());

    let services = get("services", lake, &["-n", "shop"]);
    assert!(services.iter().all(|line| line["namespace"] == "shop"));
    let web = named(&services, "web");
    assert_eq!((&web["type"], &web["endpoints_ready"]), (&json!("cluster-ip"), &json!(2)));
    assert_eq!(named(&services, "db")["type"], "headless");
    let counted = sql(
        Source::Lake(lake),
        "select sum(bytes_fwd + bytes_rev) bytes, count(*) filter (where is_first) flows from flows \
         where is_primary and service_namespace = 'shop' and service_name = 'web'",
    );
    assert_eq!((&web["bytes"], &web["flows"]), (&counted[0]["bytes"], &counted[0]["flows"]));
    assert_eq!(get("svc", lake, &["web", "-n", "shop"]), std::slice::from_ref(web));

    let pods = get("pods", lake, &[]);
    let client = pods.iter().find(|line| line["workload"] == "client").expect("the client is a pod");
    assert_eq!((&client["node"], &client["workload_kind"]), (&json!("node-a"), &json!("Deployment")));
    assert!(client["watched"]["interface"].is_string() && client["flows"].as_i64() > Some(0), "{client}");
    assert!(pods.iter().any(|line| line["flows"] == 0), "pods that never spoke are there too");

    let nodes = get("nodes", lake, &[]);
    assert!(named(&nodes, "node-a")["flows"].as_i64() > Some(0));
    assert_eq!(named(&nodes, "node-a")["zone"], "zone-1");
    let namespaces = get("namespaces", lake, &[]);
    let shop = named(&namespaces, "shop");
    assert_eq!(shop["services"].as_u64(), Some(services.len() as u64));
    assert_eq!(get("pods", lake, &["--at", "2021-01-01T00:00:00Z"]).len(), pods.len(), "it has always been so");
    assert_eq!(get("pods", lake, &["-n", "nowhere"]), [] as [Value; 0]);
}
