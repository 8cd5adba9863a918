//! The tables of the policy suites of other projects: every probe gets the verdict that its table says.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use weir_cluster::manifests;
use weir_cluster::policy::{Connection, Party, PolicyOptions, PolicySet};
use weir_model::Protocol;

/// The folder of tables; `None` = absent, which only passes outside CI.
#[expect(clippy::disallowed_methods, reason = "a test finds its examples by the environment")]
pub(crate) fn tables() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/examples");
    let folder = std::env::var_os("WEIR_EXAMPLES").map_or(default, PathBuf::from).join("policy");
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no tables at {}", folder.display());
    eprintln!("skipped: no tables at {} (set WEIR_EXAMPLES)", folder.display());
    None
}

pub(crate) fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The cluster of a case as the objects that `kubectl` would give.
pub(crate) fn manifests_of(cluster: &Value) -> String {
    let nodes = list(cluster, "nodes").iter().map(|node| {
        let addresses: Vec<Value> =
            list(node, "ips").iter().map(|ip| json!({"type": "InternalIP", "address": ip})).collect();
        json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": node["name"], "labels": node["labels"]},
            "status": {"addresses": addresses},
        })
    });
    let namespaces = list(cluster, "namespaces").iter().map(|namespace| {
        let metadata = json!({"name": namespace["name"], "labels": namespace["labels"]});
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    });
    let pods = list(cluster, "pods").iter().map(|pod| {
        let ports: Vec<Value> = list(pod, "ports")
            .iter()
            .map(|port| json!({"name": port["name"], "containerPort": port["port"], "protocol": port["protocol"]}))
            .collect();
        let ips: Vec<Value> = list(pod, "ips").iter().map(|ip| json!({"ip": ip})).collect();
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"namespace": pod["namespace"], "name": pod["name"], "labels": pod["labels"]},
            "spec": {
                "nodeName": pod["node"], "hostNetwork": pod["hostNetwork"],
                "containers": [{"name": "c", "ports": ports}],
            },
            "status": {"podIP": pod["ips"][0], "podIPs": ips},
        })
    });
    let policies = list(cluster, "policies").iter().cloned();
    nodes.chain(namespaces).chain(pods).chain(policies).map(|object| object.to_string() + "\n").collect()
}

fn party(set: &PolicySet, text: &str) -> Party {
    let found = match text.split_once(':') {
        Some(("ip", ip)) => Some(set.party(ip.parse().expect("an address"))),
        Some(("node", name)) => set.node(name),
        _ => text.split_once('/').and_then(|(namespace, name)| set.pod(namespace, name)),
    };
    found.unwrap_or_else(|| panic!("no such party: {text}"))
}

/// What is wrong with the answers to the probes of a case.
fn mistakes(case: &Value) -> Vec<String> {
    let text = manifests_of(&case["cluster"]);
    let objects = manifests::parse(&text, "case.json").unwrap_or_else(|error| panic!("{error}")).objects;
    let set = PolicySet::build(&objects, PolicyOptions::default());
    let mut mistakes = Vec::new();
    for probe in list(case, "probes") {
        let word = |key: &str| probe[key].as_str().map(str::to_ascii_lowercase);
        let connection = Connection {
            src: party(&set, probe["src"].as_str().expect("a source")),
            dst: party(&set, probe["dst"].as_str().expect("a destination")),
            protocol: word("protocol").and_then(|name| Protocol::parse(&name)).expect("a protocol"),
            port: probe["port"].as_u64().and_then(|port| u16::try_from(port).ok()).expect("a port"),
            dst_dns_name: None,
        };
        let judged = set.judge(&connection);
        let sides = [
            ("expected", judged.verdict),
            ("expected_ingress", judged.ingress.verdict),
            ("expected_egress", judged.egress.verdict),
        ];
        for (key, verdict) in sides {
            if word(key).is_some_and(|expected| expected != verdict.name()) {
                mistakes.push(format!("{}: {probe}: {key}: {judged:?}", case["id"]));
            }
        }
    }
    mistakes
}

#[test]
fn every_probe_of_every_suite_gets_the_verdict_of_its_table() {
    let Some(folder) = tables() else { return };
    let (mut cases, mut probes, mut wrong) = (0, 0, Vec::new());
    for entry in fs::read_dir(folder).expect("the tables can be listed") {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("a table can be read");
        let table: Value = serde_json::from_str(&text).expect("a table is JSON");
        for case in list(&table, "cases") {
            cases += 1;
            probes += list(case, "probes").len();
            wrong.extend(mistakes(case));
        }
    }
    assert!(cases >= 132 && probes >= 18_000, "only {cases} cases with {probes} probes");
    let some: Vec<_> = wrong.iter().take(20).collect();
    assert!(wrong.is_empty(), "{} mistakes: {some:#?}", wrong.len());
}
