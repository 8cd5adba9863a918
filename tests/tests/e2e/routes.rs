//! `weir route` as people run it: a folder of objects and a file of requests, lines and exit codes out.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use weir_tests::programs::path_of;

const INGRESS: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  tls: [{hosts: [shop.example], secretName: shop}]
  rules:
  - host: shop.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}
      - {path: /cart, pathType: Prefix, backend: {service: {name: gone, port: {number: 80}}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{name: http, port: 80}]}
";

const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: shop}
spec: {gatewayClassName: any, listeners: [{name: http, port: 80, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: web, namespace: shop}
spec:
  parentRefs: [{name: edge}]
  rules:
  - matches: [{path: {type: PathPrefix, value: /old}}]
    filters: [{type: RequestRedirect, requestRedirect: {scheme: https, port: 8443, statusCode: 301}}]
  - filters:
    - {type: RequestMirror, requestMirror: {backendRef: {name: web, port: 80}, percent: 5}}
    - {type: RequestHeaderModifier, requestHeaderModifier: {remove: [x-internal]}}
    backendRefs: [{name: web, port: 80, weight: 9}, {name: gone, port: 80}]
";

/// Lines of JSON, what was said on stderr, and the exit code.
fn weir(args: &[&str], folder: &Path) -> (Vec<Value>, String, Option<i32>) {
    let command =
        Command::new(path_of("weir")).arg("route").args(args).current_dir(folder).stdin(Stdio::null()).output();
    let output = command.expect("weir runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    (lines, String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code())
}

fn folder(objects: &str, requests: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("objects")).expect("a folder for objects");
    fs::write(folder.path().join("objects/all.yaml"), objects).expect("a file of objects");
    fs::write(folder.path().join("requests"), requests).expect("a file of requests");
    folder
}

const EVAL: [&str; 7] = ["eval", "--cluster", "objects", "--requests", "requests", "-o", "json"];

#[test]
fn every_request_gets_a_line_and_a_bad_one_says_why() {
    let requests = "{\"host\": \"shop.example\", \"path\": \"/x\"}\n\nnot json\n{\"path\": 1}\n\
                    {\"request\": {\"host\": \"shop.example\", \"path\": \"/cart\"}}\n{\"host\": \"other\", \"path\": \"/\"}\n";
    let folder = folder(INGRESS, requests);
    let (lines, said, code) = weir(&EVAL, folder.path());
    assert_eq!((lines.len(), code), (5, Some(0)), "{said}");
    let keys = [
        ("status", json!(200)),
        ("kind", json!("Ingress")),
        ("namespace", json!("shop")),
        ("ingress", json!("web")),
        ("rule_index", json!(0)),
        ("path_index", json!(0)),
        ("rule_host", json!("shop.example")),
        ("path", json!("/")),
        ("path_type", json!("Prefix")),
        ("backend_service", json!("web")),
        ("backend_namespace", json!("shop")),
        ("backend_port", json!({"name": "http"})),
        ("via", json!("rule")),
        ("flags", json!(["https-redirect", "no-class"])),
    ];
    for (key, want) in keys {
        assert_eq!(lines[0].get(key), Some(&want), "{key}");
    }
    assert!(lines[1]["error"].as_str().is_some_and(|error| error.starts_with("line 3")), "{}", lines[1]);
    assert!(lines[2]["error"].as_str().is_some_and(|error| error.starts_with("path")), "{}", lines[2]);
    assert_eq!((&lines[3]["status"], &lines[3]["backend_service"]), (&json!(503), &Value::Null));
    assert_eq!((&lines[4]["status"], &lines[4]["reason"]), (&json!(404), &json!("no-host")));
}

#[test]
fn redirects_rewrites_mirrors_and_shares_are_told() {
    let requests = json!([
        {"host": "a.example", "path": "/old/x?y=z", "gateway": {"namespace": "shop", "name": "edge"}},
        {"host": "a.example", "path": "/new?y=z", "headers": {"X-Internal": "1", "x-kept": "2"}},
    ]);
    let folder =
        folder(&format!("{INGRESS}---{GATEWAY}").replace("kind: Ingress", "kind: IngressX"), &requests.to_string());
    let (lines, said, code) = weir(&EVAL, folder.path());
    assert_eq!((lines.len(), code), (2, Some(0)), "{said}");
    let redirect = json!({"scheme": "https", "host": "a.example", "port": "8443", "path": "/old/x", "query": "y=z"});
    assert_eq!((&lines[0]["status"], &lines[0]["redirect"]), (&json!(301), &redirect));
    let at = &lines[1]["request_at_backend"];
    assert_eq!(at["request"]["path"], "/new?y=z");
    assert_eq!((&at["request"]["headers"], &at["absentHeaders"]), (&json!({"X-Kept": "2"}), &json!(["X-Internal"])));
    let mirror = &lines[1]["mirrored_to"][0];
    assert_eq!((&mirror["name"], &mirror["percent"]), (&json!("web"), &json!(5.0)));
    let shares: Vec<_> =
        lines[1]["backends"].as_array().expect("backends").iter().map(|b| (&b["weight"], &b["status"])).collect();
    assert_eq!(shares, [(&json!(9), &json!(200)), (&json!(1), &json!(500))]);
}

#[test]
fn the_gateway_of_a_request_is_named_whole() {
    let requests = json!([
        {"path": "/", "gateway": {"namespace": "shop", "name": "edge", "listener": "http"}},
        {"path": "/", "gateway": {"namespace": "shop", "name": "edge", "port": 8080}},
        {"path": "/", "gateway": {"namespace": "shop", "name": "edge", "listener": "other"}},
        {"path": "/", "gateway": {"name": "edge"}},
        {"path": "/", "gateway": {"namespace": "shop", "name": "other"}},
    ]);
    let folder = folder(&format!("{INGRESS}---{GATEWAY}"), &requests.to_string());
    let (lines, said, _) = weir(&EVAL, folder.path());
    assert_eq!((&lines[0]["status"], &lines[1]["status"]), (&json!(200), &json!(404)), "{said}");
    assert_eq!((&lines[1]["reason"], &lines[1]["flags"]), (&json!("no-listener"), &json!(["no-answer"])));
    assert!(lines[2]["error"].as_str().is_some_and(|error| error.starts_with("gateway.listener")), "{}", lines[2]);
    assert_eq!(lines[3]["error"], "gateway.namespace: missing");
    assert_eq!((&lines[4]["status"], &lines[4]["reason"]), (&json!(404), &json!("no-gateway")));
}

#[test]
fn an_answer_that_is_not_as_expected_fails_the_run() {
    let expected = |status: u16| {
        json!({"request": {"host": "shop.example", "path": "/"}, "expected": {"status": status, "backend_service": "web", "peer_status": 1}})
            .to_string()
    };
    let folder = folder(INGRESS, &expected(200));
    let (lines, said, code) = weir(&EVAL, folder.path());
    assert_eq!((&lines[0]["unmet"], code), (&json!([]), Some(0)), "{said}");
    fs::write(folder.path().join("requests"), expected(404)).expect("a file of requests");
    let (lines, said, code) = weir(&EVAL, folder.path());
    assert_eq!((&lines[0]["unmet"], code), (&json!(["status: expected 404, not 200"]), Some(1)));
    assert!(said.contains("1 of 1 requests"), "{said}");
}

#[test]
fn lint_says_what_is_wrong_and_fails_on_errors() {
    let folder = folder(INGRESS, "");
    let lint = ["lint", "--cluster", "objects", "-o", "json"];
    let (lines, said, code) = weir(&lint, folder.path());
    assert_eq!((lines.len(), code), (2, Some(1)), "{said}");
    assert_eq!(lines[1]["check"], "missing-secret");
    let want = json!({"severity": "error", "check": "missing-backend", "kind": "Ingress", "namespace": "shop", "name": "web",
        "field": "spec.rules[0].http.paths[1].backend", "message": "no such Service: gone"});
    assert_eq!(lines[0], want);
    let whole =
        INGRESS.replace("gone", "web") + "---\napiVersion: v1\nkind: Secret\nmetadata: {name: shop, namespace: shop}\n";
    fs::write(folder.path().join("objects/all.yaml"), whole).expect("a file of objects");
    let (lines, _, code) = weir(&lint, folder.path());
    assert_eq!((lines, code), (vec![], Some(0)));
    fs::write(folder.path().join("objects/all.yaml"), "").expect("a file of objects");
    let (_, said, code) = weir(&lint, folder.path());
    assert!(code == Some(1) && said.contains("no objects"), "{said}");
}
