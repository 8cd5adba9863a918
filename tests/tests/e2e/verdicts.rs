//! Verdicts as people ask for them: rows and filters, `weir policy audit`, `weir why`.

use std::process::Command;

use serde_json::Value;
use weir_tests::examples::lab_capture;
use weir_tests::programs::{Collector, path_of};
use weir_tests::recorded::{agent, collector};

/// What `weir` prints, a JSON value a line.
fn weir(args: &[&str]) -> Vec<Value> {
    let output = Command::new(path_of("weir")).args(args).output().expect("weir can be run");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn replayed(data: &std::path::Path) -> Collector {
    let collector = collector("routed", data, &[]);
    let agents = ["node-a", "node-b"].map(|node| {
        let logs = format!("file:{}/*/{node}.nflog.pcap", lab_capture().join("routed").display());
        agent("routed", node, collector.url(), &["--nflog", &logs])
    });
    for agent in agents {
        assert!(agent.ended().success(), "the agent sends everything");
    }
    collector
}

fn names(edges: &[Value], key: &str) -> Vec<String> {
    edges.iter().map(|edge| edge[key].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_recorded_cluster_is_audited_and_explained() {
    let data = tempfile::tempdir().expect("a folder");
    let collector = replayed(data.path());
    let url = collector.url();
    let denied = weir(&["observe", "--server", url, "--first", "100", "--verdict", "denied", "-o", "json"]);
    assert_eq!(denied.len(), 5, "{denied:#?}");
    for row in &denied {
        assert_eq!((&row["audit"], &row["cause"]), (&"consistent".into(), &"policy".into()), "{row:#}");
        assert_eq!(row["evidence"], "enforced", "{row:#}");
    }
    let of_db = ["observe", "--server", url, "--first", "100", "--policy", "shop/db-allow-web", "-o", "json"];
    assert_eq!(weir(&of_db).iter().filter(|row| row["verdict"] == "denied").count(), 2);

    let audit = weir(&["policy", "audit", "--server", url, "-o", "json"]).remove(0);
    assert_eq!((&audit["stopped"], &audit["nothing_enforced"]), (&5.into(), &false.into()), "{audit:#}");
    assert_eq!((&audit["denied_but_passed"], &audit["allowed_but_blocked"]), (&0.into(), &0.into()), "{audit:#}");
    let edges = audit["edges"].as_array().expect("edges");
    let causes = names(edges, "cause");
    for cause in ["policy", "no-endpoints", "no-local-endpoint", "closed-port"] {
        assert!(causes.iter().any(|known| known == cause), "{cause}: {audit:#}");
    }

    let folder = lab_capture().join("routed/manifests").display().to_string();
    let why = |ends: &str| weir(&["why", ends, "--cluster", &folder, "--server", url, "-o", "json"]).remove(0);
    let web = why("pod/shop/client -> svc/shop/web:80");
    assert_eq!((&web["verdict"], &web["service"]["ready"]), (&"allowed".into(), &2.into()), "{web:#}");
    assert!(web["seen"].as_array().is_some_and(|seen| seen[0]["outcome"] == "established"), "{web:#}");
    let db = why("pod/guest/intruder -> pod/shop/db-0:5432");
    let ingress = &db["ways"][0]["ingress"];
    assert_eq!((&db["verdict"], &ingress["policies"][0]), (&"denied".into(), &"shop/db-allow-web".into()), "{db:#}");
    let nearest = ingress["nearest"].as_str().unwrap_or_default();
    assert!(nearest.starts_with("rule 0 of shop/db-allow-web would match if the other pod"), "{nearest}");
    assert_eq!(db["seen"][0]["audit"], "consistent", "{db:#}");
    let ghost = why("pod/shop/client -> svc/shop/ghost:80");
    assert_eq!((&ghost["verdict"], &ghost["service"]["ready"]), (&"undecided".into(), &0.into()), "{ghost:#}");
    assert!(collector.terminate().success());
}
