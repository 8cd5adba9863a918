//! A cluster that has policies and enforces none: what they deny passes, and that is said.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use weir_tests::examples::lab_capture;
use weir_tests::programs::{Source, sql, weir};
use weir_tests::recorded::{agent, collector};
use weir_tests::truth::{Truth, Verdict};

const DENIED: &str = "SELECT DISTINCT client_ip, src_ip, src_port, verdict, evidence, audit, outcome FROM flows WHERE is_primary \
                      AND (verdict = 'denied' OR audit = 'denied-but-passed')";

#[test]
fn what_policies_deny_and_nobody_stops_is_denied_but_passed() {
    let data = tempfile::tempdir().expect("a folder");
    let collector = collector("unenforced", data.path(), &[]);
    let agents = ["node-a", "node-b"].map(|node| agent("unenforced", node, collector.url(), &[]));
    for agent in agents {
        assert!(agent.ended().success(), "the agent sends everything");
    }
    let truth = Truth::read(&lab_capture().join("unenforced/truth.json")).expect("the truth");
    assert_eq!(truth.lab.enforce.as_deref(), Some("off"));
    let denied = truth.events.iter().filter(|event| event.verdict == Verdict::Denied);
    let denied: BTreeSet<(String, u64)> =
        denied.map(|event| (event.client.ip.to_string(), u64::from(event.client.port))).collect();
    assert_eq!(denied.len(), 5, "{denied:?}");

    let rows = sql(Source::Server(collector.url()), DENIED);
    let socket = |row: &Value| {
        let ip = row["src_ip"].as_str().unwrap_or_default().to_owned();
        (ip, row["src_port"].as_u64().unwrap_or_default())
    };
    assert_eq!(rows.iter().map(socket).collect::<BTreeSet<_>>(), denied, "{rows:#?}");
    for row in &rows {
        assert_eq!((&row["verdict"], &row["audit"]), (&json!("denied"), &json!("denied-but-passed")), "{row:#}");
    }

    let audit = weir(&["policy", "audit", "--server", collector.url(), "-o", "json"]).expect("an answer").remove(0);
    let counts = ["denied_but_passed", "stopped", "nothing_enforced"].map(|key| &audit[key]);
    assert_eq!(counts, [&json!(5), &json!(0), &json!(true)], "{audit:#}");
    let likely: BTreeSet<&str> = audit["edges"]
        .as_array()
        .expect("edges")
        .iter()
        .filter(|edge| edge["audit"] == "denied-but-passed")
        .filter_map(|edge| edge["likely"].as_str())
        .collect();
    assert_eq!(likely, BTreeSet::from(["not-enforced"]), "{audit:#}");
    assert!(collector.terminate().success());
}
