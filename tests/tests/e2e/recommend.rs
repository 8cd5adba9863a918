//! `weir policy recommend` over recorded traffic: policies under which what worked works and what was denied is denied.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use weir_tests::programs::path_of;

use crate::backtest::{LAB, edges, json, lake, pairs, run, said};

fn recommend(lake: &Path, namespace: &str, args: &[&str]) -> Output {
    let mut command = Command::new(path_of("weir"));
    command.args(["policy", "recommend", "-n", namespace, "--since", "2020-01-01T00:00:00Z", "--lake"]).arg(lake);
    command.args(args).output().expect("weir can be run")
}

/// Every policy that the lab has.
const THERE: &str = "shop/db-allow-web,shop/api-allow-shop,shop/web-http-only,guest/intruder-egress";

#[test]
fn what_worked_works_and_what_was_denied_is_denied_under_what_is_recommended() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("all.yaml");
    for mode in LAB {
        let data = lake(mode);
        let mut all = Vec::new();
        for namespace in ["shop", "guest", "ingress-nginx", "kube-system"] {
            let output = recommend(data.path(), namespace, &["--force"]);
            let why = said(&output);
            if why.contains("no connections of namespace") {
                continue;
            }
            assert_eq!(output.status.code(), Some(0), "{mode} {namespace}: {why}");
            assert!(why.contains("warning: the history is short") && why.contains(", 0 would not; "), "{mode}: {why}");
            all.push(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let text = all.join("---\n");
        assert!(text.contains("connections, 20") && text.contains(", flow "), "{mode}: rules cite flows: {text}");
        fs::write(&file, &text).expect("written");
        let name = file.display().to_string();
        let output = run(data.path(), &["-f", &name, "--remove", THERE, "-o", "json", "--fail-on", "none"]);
        let report: Value = json(&output);
        assert_eq!(edges(&report, "newly-allowed"), pairs(&[]), "{mode}: {report:#}\n{text}");
        // What was allowed and never worked is no need to allow: a closed port.
        let closed = pairs(&[("shop/client", "shop/cart:8081")]);
        let denied = edges(&report, "newly-denied");
        assert!(denied.is_subset(&closed), "{mode}: {denied:?}\n{text}");
        if mode == "routed" {
            assert!(
                text.contains("left out: guest/intruder -> shop/db:5432 tcp, 2 connections: it was denied"),
                "{text}"
            );
        }
    }
}

#[test]
fn a_short_history_is_refused_and_silent_pods_are_left_alone() {
    let data = lake("bridge");
    let output = recommend(data.path(), "shop", &[]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(output.stdout.is_empty(), "nothing is proposed");
    let why = said(&output);
    assert!(why.contains("too little is known") && why.contains("the history is short: "), "{why}");
    let silent = |more: &[&str]| {
        let output = recommend(data.path(), "ingress-nginx", &[&["--force"], more].concat());
        (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), said(&output))
    };
    let (code, _, why) = silent(&[]);
    assert!(code == Some(1) && why.contains("no connections of namespace ingress-nginx"), "{why}");
    let policies = |more: &[&str]| {
        let output = recommend(data.path(), "shop", &[&["--force", "-o", "json"], more].concat());
        let made: Value = json(&output);
        made["items"].as_array().map_or(0, Vec::len)
    };
    assert!(policies(&[]) < policies(&["--include-silent"]), "pods without traffic get policies only where asked");
}
