//! What `deploy` asks for is what the programs know and what the API takes.

use std::process::{Command, Stdio};

use serde_json::Value;
use weir_tests::examples;
use weir_tests::programs::path_of;

/// Validates each document of the files that it is given; what is wrong goes to stderr.
const VALIDATE: &str = "
import sys, yaml, kubernetes_validate
for name in sys.argv[1:]:
    for document in yaml.safe_load_all(open(name)):
        kubernetes_validate.validate(document, '1.33', strict=True)
        print(document['kind'])
";

/// The files of the base, all but the list of them.
fn files() -> Vec<String> {
    let base = examples::workspace().join("deploy/base");
    let list: Value = serde_saphyr::from_str(&read(&base.join("kustomization.yaml"))).expect("a list of files");
    let resources = list["resources"].as_array().expect("resources");
    resources.iter().map(|name| base.join(name.as_str().expect("a name")).display().to_string()).collect()
}

fn read(path: &std::path::Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The container of a workload, and the workload.
fn container(file: &str, kind: &str) -> Value {
    let path = examples::workspace().join("deploy/base").join(file);
    let documents: Vec<Value> = serde_saphyr::from_multiple(&read(&path)).expect("YAML");
    let workload = documents.into_iter().find(|document| document["kind"] == kind).expect("the workload");
    workload["spec"]["template"]["spec"]["containers"][0].clone()
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().expect("text").to_owned()).collect()
}

#[test]
fn every_object_is_valid_for_the_api() {
    let Some(python) = examples::python() else {
        eprintln!("not run: no .venv, see scripts/setup");
        return;
    };
    let output = Command::new(python).args(["-c", VALIDATE]).args(files()).stdin(Stdio::null()).output();
    let output = output.expect("python runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let kinds = String::from_utf8_lossy(&output.stdout);
    for kind in ["DaemonSet", "StatefulSet", "ClusterRoleBinding", "NetworkPolicy"] {
        assert!(kinds.lines().any(|line| line == kind), "{kind} is not among {kinds}");
    }
}

#[test]
fn the_programs_know_every_flag_and_listen_where_the_probes_ask() {
    for (file, kind) in [("agent.yaml", "DaemonSet"), ("collector.yaml", "StatefulSet")] {
        let container = container(file, kind);
        let (command, args) = (texts(&container["command"]), texts(&container["args"]));
        let mut program = Command::new(path_of(&command[0]));
        let variables: Vec<&Value> = container["env"].as_array().into_iter().flatten().collect();
        for variable in &variables {
            let value = variable["value"].as_str().unwrap_or("as-the-cluster-says");
            program.env(variable["name"].as_str().expect("a name"), value);
        }
        let output = program.args(&args).args(["config", "show"]).stdin(Stdio::null()).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{file}: {said}");
        let settings = String::from_utf8_lossy(&output.stdout);
        for setting in [r#"cluster = "kube""#, r#"tls_cert = "/tls/tls.crt""#, r#"tls_key = "/tls/tls.key""#] {
            assert!(settings.contains(setting), "{file}: {settings}");
        }
        for variable in variables {
            let name = format!("environment {}", variable["name"].as_str().expect("a name"));
            assert!(settings.contains(&name), "{file}: {name} is no setting: {settings}");
        }
        let mounts = container["volumeMounts"].as_array().expect("mounts");
        assert!(mounts.iter().any(|mount| mount["mountPath"] == "/tls" && mount["readOnly"] == true), "{file}");

        for port in container["ports"].as_array().expect("ports") {
            let number = format!(":{}", port["containerPort"]);
            assert!(settings.contains(&format!("{number}\"")), "{file}: nothing listens on {port}: {settings}");
        }
        for probe in ["readinessProbe", "livenessProbe"] {
            assert_eq!(container[probe]["httpGet"]["port"], "metrics", "{file}: {probe}");
        }
    }
}
