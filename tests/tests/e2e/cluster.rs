//! What is known of the cluster follows the cluster, without a restart, and the status says how well.

use std::fs;

use serde_json::{Value, json};
use weir_tests::programs::{ApiServer, Collector, status, wait_for_status};

fn pod(name: &str, ip: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": "shop"},
        "spec": {"nodeName": "node-a"},
        "status": {"phase": "Running", "podIP": ip, "startTime": "2026-01-05T08:00:00Z"},
    })
}

fn node(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": {"podCIDR": "10.1.0.0/24"}})
}

/// The state and how many objects.
fn known(status: &Value) -> (Option<&str>, Option<u64>) {
    (status["cluster_source"]["state"].as_str(), status["cluster_objects"].as_u64())
}

fn problems(status: &Value) -> String {
    status["cluster_source"]["problems"].to_string()
}

#[test]
fn a_folder_of_manifests_is_followed() {
    let (data, folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("a file can be written");
    write("node.json", &node("node-a").to_string());
    write("web.json", &pod("web", "10.1.0.5").to_string());
    let place = format!("manifests:{}", folder.path().display());
    let collector = Collector::start(data.path(), &["--cluster", &place]);
    let url = collector.url();
    let first = wait_for_status(url, "both are known", |now| known(now) == (Some("current"), Some(2)));
    assert_eq!(first["cluster_source"]["place"], place);
    write("api.json", &pod("api", "10.1.0.6").to_string());
    wait_for_status(url, "the new pod is known", |now| known(now) == (Some("current"), Some(3)));
    write("api.json", "{");
    let broken = wait_for_status(url, "the mistake is told", |now| known(now) == (Some("stale"), Some(3)));
    assert!(problems(&broken).contains("api.json"), "{broken:#}");
    collector.log().wait_for("api.json");
    fs::remove_file(folder.path().join("api.json")).expect("it is there");
    let last = wait_for_status(url, "the pod is gone", |now| known(now) == (Some("current"), Some(2)));
    assert_eq!(problems(&last), "[]");
    assert!(collector.terminate().success());
}

#[test]
fn an_api_server_is_followed_and_its_loss_ends_nothing() {
    let data = tempfile::tempdir().expect("a folder");
    let server = ApiServer::start();
    server.create("nodes", node("node-a"));
    server.create("pods", pod("web", "10.1.0.5"));
    let kubeconfig = data.path().join("kubeconfig");
    server.kubeconfig(&kubeconfig);
    let place = format!("kube:{}", kubeconfig.display());
    let lake = data.path().join("lake");
    let collector = Collector::start(&lake, &["--cluster", &place]);
    let url = collector.url();
    wait_for_status(url, "both are known", |now| known(now) == (Some("current"), Some(2)));
    server.create("pods", pod("api", "10.1.0.6"));
    wait_for_status(url, "the new pod is known", |now| known(now) == (Some("current"), Some(3)));
    server.delete("pods", "web");
    wait_for_status(url, "the pod is gone", |now| known(now) == (Some("current"), Some(2)));
    drop(server);
    let lost = wait_for_status(url, "the loss is told", |now| known(now) == (Some("stale"), Some(2)));
    assert!(lost["cluster_source"]["age_ms"].is_u64() && problems(&lost) != "[]", "{lost:#}");
    assert!(collector.terminate().success());
}

#[test]
fn a_collector_without_a_source_says_so() {
    let data = tempfile::tempdir().expect("a folder");
    let collector = Collector::start(data.path(), &[]);
    let status = status(collector.url());
    assert_eq!((known(&status), &status["cluster_source"]), ((None, Some(0)), &Value::Null));
}
