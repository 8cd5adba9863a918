//! What `deploy` asks for is what the programs know and what the API takes.

use std::process::{Command, Stdio};

use serde_json::{Value, json};
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

/// Renders the chart with each of some sets of values, as Helm does, and validates what comes out as the API would. Kinds
/// that are not the API's own are left to their operators.
const RENDER: &str = "
import json, sys, yaml, helm_python, kubernetes_validate
found = helm_python.lint(sys.argv[1])
assert not found['errors'], found
releases = []
with helm_python.Chart.load(sys.argv[1]) as chart:
    for values in json.loads(sys.argv[2]):
        files = chart.render(values, name='weir', namespace='observed')
        documents = [document for name in sorted(files) for document in yaml.safe_load_all(files[name]) if document]
        for document in documents:
            if not document['apiVersion'].startswith('monitoring.coreos.com/'):
                kubernetes_validate.validate(document, '1.33', strict=True)
        releases.append(documents)
print(json.dumps(releases))
";

/// The objects of the chart with each of these values; `None` where no renderer is installed.
fn rendered(values: &Value) -> Option<Vec<Vec<Value>>> {
    let Some(python) = examples::python() else {
        eprintln!("not run: no .venv, see scripts/setup");
        return None;
    };
    let chart = examples::workspace().join("deploy/helm/weir").display().to_string();
    let output = Command::new(python).args(["-c", RENDER, &chart, &values.to_string()]).stdin(Stdio::null()).output();
    let output = output.expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(serde_json::from_slice(&output.stdout).expect("objects"))
}

fn of_kind<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    objects.iter().find(|object| object["kind"] == kind).unwrap_or_else(|| panic!("no {kind}"))
}

/// What a container's program is told, as it says itself: every variable and flag is a setting that it knows.
fn settings(container: &Value) -> String {
    let (command, args) = (texts(&container["command"]), texts(&container["args"]));
    let mut program = Command::new(path_of(&command[0]));
    let variables: Vec<&Value> = container["env"].as_array().into_iter().flatten().collect();
    for variable in &variables {
        let value = variable["value"].as_str().unwrap_or("as-the-cluster-says");
        program.env(variable["name"].as_str().expect("a name"), value);
    }
    let output = program.args(&args).args(["config", "show"]).stdin(Stdio::null()).output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    let settings = String::from_utf8_lossy(&output.stdout).into_owned();
    for variable in variables {
        let name = format!("environment {}", variable["name"].as_str().expect("a name"));
        assert!(settings.contains(&name), "{name} is no setting: {settings}");
    }
    for port in container["ports"].as_array().expect("ports") {
        let number = format!(":{}\"", port["containerPort"]);
        assert!(settings.contains(&number), "nothing listens on {port}: {settings}");
    }
    for probe in ["readinessProbe", "livenessProbe"] {
        assert_eq!(container[probe]["httpGet"]["port"], "metrics", "{command:?}: {probe}");
    }
    settings
}

/// The files that a program is told to read are in a volume that is mounted for reading.
fn check_files(container: &Value, settings: &str) {
    let mounts = container["volumeMounts"].as_array().expect("mounts");
    for file in [r#"tls_ca = "/tls/ca.crt""#, r#"tls_cert = "/tls/tls.crt""#, r#"tls_key = "/tls/tls.key""#] {
        assert!(settings.contains(file), "{settings}");
    }
    assert!(mounts.iter().any(|mount| mount["mountPath"] == "/tls" && mount["readOnly"] == true), "{mounts:?}");
}

#[test]
fn the_programs_know_every_setting_and_listen_where_the_probes_ask() {
    for (file, kind) in [("agent.yaml", "DaemonSet"), ("collector.yaml", "StatefulSet")] {
        let container = container(file, kind);
        let settings = settings(&container);
        assert!(settings.contains(r#"cluster = "kube""#), "{file}: {settings}");
        check_files(&container, &settings);
    }
}

#[test]
fn the_chart_is_the_base_with_values() {
    let changed = json!({
        "tls": {"enabled": false},
        "tokens": {"enabled": false},
        "clusterName": "prod",
        "image": {"tag": "1.2.3", "pullSecrets": [{"name": "registry"}]},
        "agent": {"taps": ["pods", "uplink"], "settings": {"report_start": "true"}, "tolerations": [], "spool": {"enabled": false}},
        "collector": {
            "retentionBytes": "7GiB",
            "storage": {"size": "20Gi", "className": "fast"},
            "settings": {"settle": "5s"},
            "nodeSelector": {"disk": "ssd"},
        },
        "networkPolicy": {"nodes": ["10.0.0.0/16"]},
        "serviceMonitor": {"enabled": true, "labels": {"release": "prometheus"}},
    });
    let Some(releases) = rendered(&json!([{}, changed])) else { return };
    let [plain, changed] = &releases[..] else { panic!("two releases") };
    let container =
        |objects: &[Value], kind: &str| of_kind(objects, kind)["spec"]["template"]["spec"]["containers"][0].clone();
    for kind in ["DaemonSet", "StatefulSet"] {
        let plain = container(plain, kind);
        check_files(&plain, &settings(&plain));
        assert_eq!(plain["securityContext"], self::container(file_of(kind), kind)["securityContext"], "{kind}");
        let settings = settings(&container(changed, kind));
        assert!(settings.contains(r#"plaintext = "true""#) && !settings.contains("/tls/"), "{settings}");
    }
    let base: Vec<Value> =
        serde_saphyr::from_multiple(&read(&examples::workspace().join("deploy/base/rbac.yaml"))).expect("YAML");
    assert_eq!(of_kind(plain, "ClusterRole")["rules"], of_kind(&base, "ClusterRole")["rules"]);

    let agent = settings(&container(changed, "DaemonSet"));
    assert!(agent.contains(r#"tap = ["pods", "uplink"]"#) && agent.contains(r#"report_start = "true""#), "{agent}");
    assert!(agent.contains(r#"collector = "http://weir-collector.observed.svc:4317""#), "{agent}");
    let collector = settings(&container(changed, "StatefulSet"));
    for setting in [r#"retention_bytes = "7GiB""#, r#"settle = "5s""#, r#"cluster_name = "prod""#] {
        assert!(collector.contains(setting), "{collector}");
    }
    assert_eq!(container(changed, "StatefulSet")["image"], "weir:1.2.3");
    let claim = &of_kind(changed, "StatefulSet")["spec"]["volumeClaimTemplates"][0]["spec"];
    assert_eq!(
        (&claim["storageClassName"], &claim["resources"]["requests"]["storage"]),
        (&json!("fast"), &json!("20Gi"))
    );
    assert_eq!(of_kind(changed, "ServiceMonitor")["metadata"]["labels"]["release"], "prometheus");
    assert!(plain.iter().all(|object| object["kind"] != "ServiceMonitor"));
}

fn file_of(kind: &str) -> &'static str {
    if kind == "DaemonSet" { "agent.yaml" } else { "collector.yaml" }
}
