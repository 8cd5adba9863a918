//! `weir policy eval`, run as a script would run it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use weir_tests::programs::path_of;

const CLUSTER: &str = "
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {nodeName: n1}, status: {podIP: 10.0.1.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}, spec: {nodeName: n1}, status: {podIP: 10.0.1.2}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - ports: [{endPort: 90}]
  - from: [{podSelector: {matchLabels: {app: web}}}]
    ports: [{port: 5432}]
";

fn eval(folder: &Path, probes: &str, more: &[&str]) -> Output {
    fs::write(folder.join("objects.yaml"), CLUSTER).expect("objects can be written");
    fs::write(folder.join("probes"), probes).expect("probes can be written");
    let mut command = Command::new(path_of("weir"));
    command.args(["policy", "eval", "--cluster"]).arg(folder.join("objects.yaml"));
    command.arg("--probes").arg(folder.join("probes")).args(more);
    command.output().expect("weir can be run")
}

fn answers(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("a line is JSON")).collect()
}

#[test]
fn probes_are_answered_in_their_order_and_a_bad_one_stops_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let probes = [
        json!({"src": "shop/web", "dst": "shop/db", "port": 5432, "protocol": "TCP", "id": 1, "expected": "ALLOWED"}),
        json!({"src": "shop/nobody", "dst": "shop/db", "port": 5432}),
        json!({"src": "ip:203.0.113.7", "dst": "shop/db", "port": 5432, "expected_ingress": "Denied"}),
        json!({"src": "node:n1", "dst": "shop/db", "port": 1, "protocol": "udp"}),
    ];
    let lines: Vec<_> = probes.iter().map(ToString::to_string).collect();
    let lines = lines.join("\n");
    for text in [lines, json!(probes).to_string()] {
        let output = eval(folder.path(), &text, &["-o", "json"]);
        let answers = answers(&output);
        let no_policy =
            json!({"verdict": "allowed", "reason": "no-policy", "tier": null, "policies": [], "rule": null});
        let by = json!({"verdict": "allowed", "reason": "allowed-by", "tier": "network-policy", "policies": ["shop/db"], "rule": 1});
        let verdicts: Vec<&Value> = answers.iter().map(|answer| &answer["verdict"]).collect();
        assert_eq!(
            verdicts,
            ["allowed", "null", "denied", "allowed"]
                .map(|v| if v == "null" { json!(null) } else { json!(v) })
                .iter()
                .collect::<Vec<_>>()
        );
        assert_eq!((&answers[0]["egress"], &answers[0]["ingress"], &answers[0]["id"]), (&no_policy, &by, &json!(1)));
        assert_eq!(answers[1]["error"], "src: no such pod: shop/nobody");
        assert_eq!(answers[2]["ingress"]["reason"], "isolated-no-match");
        assert_eq!(answers[3]["ingress"]["reason"], "local-node");
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains("NetworkPolicy shop/db: spec.ingress[0].ports[0]: endPort without port"), "{said}");
    }
}

#[test]
fn what_is_left_out_is_told_in_the_answers_that_it_may_touch() {
    let folder = tempfile::tempdir().expect("a folder");
    let more = "
---
{apiVersion: v1, kind: Pod, metadata: {name: bad, namespace: shop}, spec: {containers: [{ports: [{containerPort: 99999}]}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: far, namespace: ops, labels: {on: y}}, status: {podIP: 10.0.1.9}}
";
    let probes = r#"{"src": "shop/web", "dst": "shop/db", "port": 5432}
{"src": "shop/bad", "dst": "shop/db", "port": 5432}
{"src": "ops/far", "dst": "node:n1", "port": 22}"#;
    fs::write(folder.path().join("more.yaml"), more).expect("objects can be written");
    let run = |more: &[&str]| {
        fs::write(folder.path().join("objects.yaml"), CLUSTER).expect("objects can be written");
        fs::write(folder.path().join("probes.jsonl"), probes).expect("probes can be written");
        let mut command = Command::new(path_of("weir"));
        command.args(["policy", "eval", "-o", "json", "--cluster"]).arg(folder.path());
        command.arg("--probes").arg(folder.path().join("probes.jsonl")).args(more);
        command.output().expect("weir can be run")
    };
    let output = run(&[]);
    let answers = answers(&output);
    assert_eq!(answers.len(), 3, "{}", String::from_utf8_lossy(&output.stderr));
    let notes: Vec<&str> = answers[0]["notes"].as_array().expect("notes").iter().filter_map(Value::as_str).collect();
    let [note] = notes[..] else { panic!("one: {notes:?}") };
    assert!(
        note.contains("objects.yaml") && note.contains("NetworkPolicy shop/db: spec.ingress[0].ports[0]"),
        "{note}"
    );
    let error = answers[1]["error"].as_str().expect("an error");
    assert!(
        error.contains("src: the pod is left out: ") && error.contains("spec.containers[0].ports[0].containerPort"),
        "{error}"
    );
    assert_eq!((&answers[2]["verdict"], answers[2].get("notes")), (&json!("allowed"), None));
    assert_eq!(run(&["--strict"]).status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("left out: ") && said.contains("Pod shop/bad"), "{said}");
}

#[test]
fn the_exit_code_says_whether_all_is_as_expected() {
    let folder = tempfile::tempdir().expect("a folder");
    let code = |expected: &str, more: &[&str]| {
        let probe = format!(r#"{{"src": "shop/web", "dst": "shop/db", "port": 80, {expected}}}"#);
        eval(folder.path(), &probe, more).status.code()
    };
    assert_eq!(code(r#""expected": "denied", "expected_egress": "Allowed""#, &[]), Some(0));
    assert_eq!(code(r#""expected": "allowed""#, &[]), Some(1));
    assert_eq!(code(r#""expected_ingress": "ALLOWED""#, &["-o", "json"]), Some(1));
    assert_eq!(code(r#""expected": "maybe""#, &[]), Some(1));
    assert_eq!(code(r#""expected": "denied""#, &["--no-such-flag"]), Some(2));
}
