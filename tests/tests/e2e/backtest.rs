//! `weir policy test` over recorded traffic: what a changed policy would have done to it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use weir_tests::examples::lab_capture;
use weir_tests::programs::path_of;
use weir_tests::recorded::{agent, collector};
use weir_tests::truth::{Truth, Verdict};

const DENY_DB: &str = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: db-closed
  namespace: shop
spec:
  podSelector: {matchLabels: {app: db}}
  policyTypes: [Ingress]
";

const ALLOW_INTRUDER: &str = "apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: db-intruder
  namespace: shop
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
    - from:
        - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: guest}}
          podSelector: {matchLabels: {app: intruder}}
      ports:
        - port: 5432
    - ports:
        - port: 9999
";

pub(crate) const LAB: [&str; 3] = ["routed", "bridge", "vxlan"];

/// The lake of a recording.
pub(crate) fn lake(mode: &'static str) -> TempDir {
    let data = tempfile::tempdir().expect("a folder for the lake");
    let collector = collector(mode, data.path(), &["--settle=10m", "--retention-age=36500d"]);
    let agents = ["node-a", "node-b"].map(|node| agent(mode, node, collector.url(), &[]));
    for agent in agents {
        assert!(agent.ended().success(), "the agent sends everything");
    }
    assert!(collector.terminate().success());
    data
}

pub(crate) fn run(lake: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(path_of("weir"));
    command.args(["policy", "test", "--since", "2020-01-01T00:00:00Z", "--lake"]).arg(lake).args(args);
    command.output().expect("weir can be run")
}

pub(crate) fn json(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text} {}", said(output)))
}

pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

pub(crate) fn edges(report: &Value, effect: &str) -> BTreeSet<(String, String)> {
    let edges = report["edges"].as_array().expect("edges").iter().filter(|edge| edge["effect"] == effect);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    edges.map(|edge| (text(&edge["src"]), format!("{}:{}", text(&edge["dst"]), edge["port"]))).collect()
}

pub(crate) fn pairs(of: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    of.iter().map(|(src, dst)| ((*src).to_owned(), (*dst).to_owned())).collect()
}

/// Who connected to a port of the database and was let in, by the truth.
fn let_in(mode: &str) -> BTreeSet<(String, String)> {
    let truth = Truth::read(&lab_capture().join(mode).join("truth.json")).expect("the truth");
    let allowed = truth.events.iter().filter(|event| {
        let to_db = event.backend.as_ref().is_some_and(|backend| backend.pod.starts_with("shop/db-"));
        event.verdict == Verdict::Allowed && to_db
    });
    let workload = |by: &str| by.trim_end_matches(|letter: char| letter == '-' || letter.is_ascii_digit()).to_owned();
    allowed.map(|event| (format!("shop/{}", workload(&event.by)), "shop/db:5432".to_owned())).collect()
}

#[test]
fn taking_a_policy_away_turns_exactly_its_edges() {
    let folder = tempfile::tempdir().expect("a folder");
    let closed = folder.path().join("closed.yaml");
    let intruder = folder.path().join("intruder.yaml");
    fs::write(&closed, DENY_DB).expect("written");
    fs::write(&intruder, ALLOW_INTRUDER).expect("written");
    let (closed, intruder) = (closed.display().to_string(), intruder.display().to_string());
    let of_intruder = pairs(&[("guest/intruder", "shop/db:5432")]);
    for mode in LAB {
        let data = lake(mode);
        // Where the database stays isolated, all that the policy let in is denied.
        let output = run(data.path(), &["-f", &closed, "--remove", "shop/db-allow-web", "-o", "json"]);
        let report = json(&output);
        assert_eq!(edges(&report, "newly-denied"), let_in(mode), "{mode}: {report:#}");
        assert_eq!(edges(&report, "newly-allowed"), pairs(&[]), "{mode}: {report:#}");
        assert_eq!(output.status.code(), Some(i32::from(!let_in(mode).is_empty())), "{mode}: {}", said(&output));
        assert_eq!(report["history"]["stored_otherwise"], 0, "{mode}: {report:#}");

        // Where nothing else isolates it, everybody is let in.
        let output = run(data.path(), &["--remove", "NetworkPolicy/shop/db-allow-web", "-o", "json"]);
        let report = json(&output);
        assert_eq!(edges(&report, "newly-denied"), pairs(&[]), "{mode}: {report:#}");
        assert_eq!(edges(&report, "newly-allowed"), of_intruder, "{mode}: {report:#}");
        assert_eq!(output.status.code(), Some(0), "{mode}: {}", said(&output));

        let output = run(data.path(), &["-f", &intruder, "-o", "json", "--fail-on", "newly-allowed"]);
        let report = json(&output);
        assert_eq!(edges(&report, "newly-allowed"), of_intruder, "{mode}: {report:#}");
        assert_eq!(edges(&report, "newly-denied"), pairs(&[]), "{mode}: {report:#}");
        let rules = &report["candidate"][0]["rules"];
        assert_eq!((&rules[0]["decided"], &rules[1]["decided"]), (&2.into(), &0.into()), "{mode}: {report:#}");
        assert_eq!((&rules[0]["line"], &rules[1]["line"]), (&9.into(), &14.into()), "{mode}: {report:#}");
        assert_eq!(output.status.code(), Some(1), "{mode}: {}", said(&output));
        if mode == "bridge" {
            forms(data.path(), &intruder);
        }
    }
}

/// The other forms of the same answer.
fn forms(lake: &Path, candidate: &str) {
    let run = |form| run(lake, &["-f", candidate, "--fail-on", "none", "-o", form]);
    let sarif = json(&run("sarif"));
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!((&sarif["version"], &result["ruleId"]), (&"2.1.0".into(), &"newly-allowed".into()), "{sarif:#}");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["region"]["startLine"], 9, "{sarif:#}");
    assert!(place["artifactLocation"]["uri"].as_str().is_some_and(|uri| uri.ends_with("intruder.yaml")), "{sarif:#}");
    let text = |form| String::from_utf8_lossy(&run(form).stdout).into_owned();
    let markdown = text("markdown");
    assert!(markdown.contains("| guest/intruder -&gt; shop/db:5432 tcp | 2 |"), "{markdown}");
    let plain = text("text");
    for line in [
        "newly-allowed  guest/intruder -> shop/db:5432 tcp  2 connections",
        "; ingress: allowed by rule 0 of shop/db-intruder",
        "ingress rule 1: never decided",
        "newly denied: 0 edges, 0 connections",
    ] {
        assert!(plain.contains(line), "{line}: {plain}");
    }
}

#[test]
fn what_cannot_be_tested_is_refused() {
    let data = lake("vxlan");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bad.yaml");
    let refused = |text: &str, more: &[&str]| {
        fs::write(&file, text).expect("written");
        let name = file.display().to_string();
        let args = [&["-f", &name], more].concat();
        let output = run(data.path(), &args);
        (output.status.code(), said(&output))
    };
    let (code, why) = refused(&DENY_DB.replace("policyTypes: [Ingress]", "ingress: [{ports: [{endPort: 90}]}]"), &[]);
    assert_eq!(code, Some(2), "{why}");
    assert!(why.contains("bad.yaml") && why.contains("spec.ingress[0].ports[0]: endPort without port"), "{why}");
    let (code, why) = refused("kind: [", &[]);
    assert!(code == Some(2) && why.contains("bad.yaml: document 1, line"), "{why}");
    let (code, why) = refused("{apiVersion: v1, kind: Namespace, metadata: {name: x}}", &[]);
    assert!(code == Some(2) && why.contains("nothing to test"), "{why}");
    let (code, why) = refused(DENY_DB, &["--remove", "shop/no-such"]);
    assert!(code == Some(2) && why.contains("no such policy is stored: NetworkPolicy shop/no-such"), "{why}");
    let (code, why) = refused(DENY_DB, &["--remove", "pod/shop/web"]);
    assert!(code == Some(2) && why.contains("--remove pod/shop/web: not"), "{why}");
    let (code, why) = refused(DENY_DB, &["--until", "2020-01-02T00:00:00Z"]);
    assert!(code == Some(1) && why.contains("no connections are stored in this time"), "{why}");
}
