//! The history of the cluster's objects: every version once, whatever happens to the collector meanwhile.

use serde_json::{Value, json};
use weir_tests::programs::{ApiServer, BUSY, Collector, Source, sql, wait_for_sql};

const HISTORY: &str = "select event, kind, name, resource_version, uid, object from objects order by seen_ts";
const SINCE: &str = "select event, name, since_ts is null as always from objects order by seen_ts";

fn pod(name: &str, phase: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop", "creationTimestamp": "2026-01-05T08:00:00Z",
            "managedFields": [{"manager": "kubelet"}]},
        "spec": {"nodeName": "node-a", "containers": [{"name": "c", "image": "secret/image", "env": [{"name": "PASSWORD"}]}]},
        "status": {"phase": phase, "podIP": "10.1.0.5", "startTime": "2026-01-05T08:00:00Z"},
    })
}

/// What became of whom, in order.
fn said(rows: &[Value]) -> Vec<String> {
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or("-").to_owned();
    rows.iter()
        .map(|row| format!("{} {} {}", text(row, "event"), text(row, "name"), text(row, "resource_version")))
        .collect()
}

#[test]
fn every_version_of_an_object_is_kept_once_through_kills_and_restarts() {
    let data = tempfile::tempdir().expect("a folder");
    let server = ApiServer::start();
    server.create("pods", pod("web", "Pending"));
    let kubeconfig = data.path().join("kubeconfig");
    server.kubeconfig(&kubeconfig);
    let place = format!("kube:{}", kubeconfig.display());
    let lake = data.path().join("lake");
    let mut flags = vec!["--cluster", &place];
    flags.extend(BUSY);

    let collector = Collector::start(&lake, &flags);
    let server_of = |collector: &Collector| collector.url().to_owned();
    let url = server_of(&collector);
    wait_for_sql(Source::Server(&url), HISTORY, |rows| said(rows) == ["applied web 1"]);
    server.update("pods", pod("web", "Running"));
    let mut expected = vec!["applied web 1", "applied web 2"];
    wait_for_sql(Source::Server(&url), HISTORY, |rows| said(rows) == expected);
    collector.kill_9();

    server.create("pods", pod("api", "Running"));
    server.delete("pods", "web");
    let collector = Collector::start(&lake, &flags);
    let url = server_of(&collector);
    // Which of the two is told first is the list's matter.
    wait_for_sql(Source::Server(&url), HISTORY, |rows| rows.len() == 4);
    server.update("pods", pod("api", "Failed"));
    wait_for_sql(Source::Server(&url), HISTORY, |rows| rows.len() == 5);
    assert!(collector.terminate().success());

    let collector = Collector::start(&lake, &flags);
    let url = server_of(&collector);
    server.create("pods", pod("last", "Running"));
    wait_for_sql(Source::Server(&url), HISTORY, |rows| said(rows).last().is_some_and(|last| last == "applied last 6"));
    assert!(collector.terminate().success());

    let rows = sql(Source::Lake(&lake), HISTORY);
    expected.extend(["applied api 3", "deleted web 2", "applied api 5", "applied last 6"]);
    assert_eq!(said(&rows), expected);
    let object: Value = serde_json::from_str(rows[1]["object"].as_str().expect("a text")).expect("JSON");
    assert_eq!((&object["kind"], &object["status"]["podIP"]), (&json!("Pod"), &json!("10.1.0.5")));
    for dropped in ["secret/image", "PASSWORD", "managedFields"] {
        assert!(!object.to_string().contains(dropped), "{dropped} is not kept: {object}");
    }
    assert_eq!(rows[0]["uid"], rows[3]["uid"], "the deletion says of which");
}

#[test]
fn a_folder_is_written_once_and_then_what_differs() {
    let (data, folder) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let write = |name: &str, object: &Value| {
        std::fs::write(folder.path().join(name), object.to_string()).expect("a file can be written");
    };
    write("web.json", &pod("web", "Running"));
    write("api.json", &pod("api", "Running"));
    let place = format!("manifests:{}", folder.path().display());
    let mut flags = vec!["--cluster", &place];
    flags.extend(BUSY);
    let known = |rows: &[Value]| -> Vec<String> {
        rows.iter().map(|row| format!("{} {} {}", row["event"], row["name"], row["always"]).replace('"', "")).collect()
    };
    let first = ["applied api true", "applied web true"];
    for _ in 0..2 {
        let collector = Collector::start(data.path(), &flags);
        wait_for_sql(Source::Server(collector.url()), SINCE, |rows| rows.len() >= 2);
        assert!(collector.terminate().success());
        assert_eq!(known(&sql(Source::Lake(data.path()), SINCE)), first);
    }
    write("api.json", &pod("api", "Failed"));
    std::fs::remove_file(folder.path().join("web.json")).expect("it is there");
    let collector = Collector::start(data.path(), &flags);
    let rows = wait_for_sql(Source::Server(collector.url()), SINCE, |rows| rows.len() == 4);
    assert_eq!(known(&rows)[2..], ["applied api false", "deleted web false"]);
    assert!(collector.terminate().success());
}
