//! Routes against the examples beside the checkout: every key that a case expects.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs};

use serde_json::{Map, Value, json};
use weir_cluster::manifests;
use weir_cluster::route::{Answer, BackendPort, RouteOptions, RouteRequest, Routes, Scheme};

/// The examples' folder; `None` = absent, which only passes outside CI.
#[expect(clippy::disallowed_methods, reason = "a test finds its examples by the environment")]
pub(crate) fn examples() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/examples");
    let folder = env::var_os("WEIR_EXAMPLES").map_or(default, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(env::var("CI").as_deref() != Ok("true"), "no examples at {}", folder.display());
    eprintln!("skipped: no examples at {} (set WEIR_EXAMPLES)", folder.display());
    None
}

pub(crate) fn cases(folder: &Path) -> Vec<Value> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder of cases")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "json"))
        .collect();
    files.sort();
    let read = |path: &PathBuf| {
        let text = fs::read_to_string(path).expect("a file of cases");
        let file: Value = serde_json::from_str(&text).expect("JSON");
        file["cases"].as_array().cloned().expect("cases")
    };
    files.iter().flat_map(read).collect()
}

fn routes(case: &Value) -> Routes {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": case["manifests"]});
    let loaded = manifests::parse(&list.to_string(), "case.json").unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.notes, [], "{}", case["id"]);
    Routes::build(&loaded.objects, &RouteOptions::default())
}

/// What is said about a request, by the keys of `expected`.
fn answer(routes: &Routes, written: &Value) -> Map<String, Value> {
    let text = |key: &str| written[key].as_str();
    let headers: Vec<(&str, &str)> = written["headers"]
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (&**name, value.as_str().expect("a value")))
        .collect();
    let request = RouteRequest {
        scheme: if text("scheme") == Some("https") { Scheme::Https } else { Scheme::Http },
        method: text("method").expect("a method"),
        host: text("host"),
        target: text("path").expect("a path"),
        sni: text("sni"),
        port: None,
        headers: &headers,
    };
    let gateway = &written["gateway"];
    let answer = match (gateway["namespace"].as_str(), gateway["name"].as_str()) {
        (Some(namespace), Some(name)) => routes.gateway(namespace, name, &request),
        _ => routes.ingress(&request),
    };
    said(&answer, &request)
}

fn said(answer: &Answer<'_>, request: &RouteRequest<'_>) -> Map<String, Value> {
    let (rule, backend) = (answer.rule, answer.backend());
    let port = backend.and_then(|backend| backend.port.as_ref()).map(|port| match port {
        BackendPort::Number(number) => json!({"number": number}),
        BackendPort::Name(name) => json!({"name": name}),
    });
    let redirect = answer.location(request).map(|to| {
        let port = to.port.map(|port| port.to_string());
        json!({"scheme": to.scheme, "host": to.host, "port": port, "path": to.path})
    });
    let at_backend = answer.forwarded(request).map(|at| {
        let request = json!({"path": at.path, "host": at.host, "method": at.method, "headers": at.headers});
        json!({"request": request, "absentHeaders": at.removed})
    });
    let said = json!({
        "status": answer.status,
        "ingress": rule.map(|rule| &*rule.route.name),
        "rule_index": rule.and_then(|rule| rule.rule_index),
        "path_index": rule.and_then(|rule| rule.match_index),
        "rule_host": rule.and_then(|rule| rule.host),
        "path": rule.and_then(|rule| rule.path),
        "path_type": rule.and_then(|rule| rule.path_type).map(|path_type| format!("{path_type:?}")),
        "backend_service": backend.and_then(|backend| backend.service.as_deref()),
        "backend_namespace": backend.map(|backend| &*backend.namespace),
        "backend_port": port,
        "via": rule.map(|rule| rule.via.name()),
        "redirect": redirect,
        "request_at_backend": at_backend,
    });
    said.as_object().cloned().expect("an object")
}

/// Whether everything that is expected is said; of objects every key.
fn holds(expected: &Value, said: &Value) -> bool {
    match (expected, said) {
        (Value::Object(expected), Value::Object(said)) => {
            expected.iter().all(|(key, expected)| holds(expected, said.get(key).unwrap_or(&Value::Null)))
        }
        _ => expected == said,
    }
}

fn check(folder: &str) {
    let Some(examples) = examples() else { return };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in cases(&examples.join(folder)) {
        let routes = routes(&case);
        *counts.entry("cases").or_default() += 1;
        for request in case["requests"].as_array().expect("requests") {
            *counts.entry("requests").or_default() += 1;
            let said = answer(&routes, &request["request"]);
            for (key, expected) in request["expected"].as_object().expect("expectations") {
                let met = match (&**key, expected) {
                    // What that controller answers in place of the status that the specification asks for.
                    ("peer_status", _) => continue,
                    ("status", Value::Array(any)) => any.contains(&said["status"]),
                    _ => said.get(key).is_some_and(|said| holds(expected, said)),
                };
                *counts.entry("keys").or_default() += 1;
                if !met {
                    wrong.push(format!(
                        "{} {}: {key}: {expected}, not {}",
                        case["id"],
                        request["request"],
                        json!(said)
                    ));
                }
            }
        }
    }
    println!("{folder}: {counts:?}");
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(counts.get("requests").is_some_and(|requests| *requests >= 30), "{counts:?}");
}

#[test]
fn every_ingress_case_gets_the_expected_answer() {
    check("ingress");
}

#[test]
fn every_gateway_case_gets_the_expected_answer() {
    check("gateway");
}
