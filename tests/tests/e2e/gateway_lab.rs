//! Requests through a Gateway and an Ingress controller with a default backend, as two agents and a collector tell them: every
//! event of the recording at its rule on both legs, joined, and counted once. `make lab` does the same with a fresh recording.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use weir_tests::examples::{lab_capture, workspace};
use weir_tests::programs::{Source, path_of, sql};
use weir_tests::recorded::{agent_of, collector_of};
use weir_tests::truth::{Event, Route, Truth};

const ROWS: &str = "select leg, is_primary, l7, src_ip, src_port, path, status, grpc_status, request_id, route_leg, route_kind, \
    route_namespace, route_name, route_rule, route_match, route_host, route_path, route_method, route_reason, \
    service_namespace || '/' || service_name service, connection_id, front_connection_id, latency_us, gateway_us, backend_us \
    from requests where route_leg is not null order by ts";

#[test]
fn every_event_is_at_its_rule_joined_and_counted_once() {
    check_all(&lab_capture().join("gateway"));
}

#[test]
#[ignore = "needs root and the lab's packages: make lab"]
fn every_event_of_a_fresh_recording_is_at_its_rule() {
    let folder = tempfile::tempdir().expect("a folder for the recording");
    let lab = Lab::up();
    lab.run(&["record", &folder.path().display().to_string(), "gateway"]);
    drop(lab);
    check_all(folder.path());
}

#[test]
fn a_service_that_is_said_to_be_before_gateways_has_fronts() {
    let recording = lab_capture().join("gateway");
    let (capture, cluster) = (recording.join("gateway/node-b.veth-v1.pcap"), recording.join("manifests"));
    let fronts = |flags: &[&str]| {
        let mut command = Command::new(path_of("weir"));
        command.arg("read").arg(&capture).arg("--cluster").arg(&cluster).args(["--requests", "-o", "json"]);
        let output = command.args(flags).output().expect("weir runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let rows = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON lines"));
        rows.filter(|row| row["route_leg"] == "front").count()
    };
    assert_eq!(fronts(&[]), 0, "a backend");
    assert!(fronts(&["--gateway", "mall/v1"]) > 0);
}

/// A lab of its own, taken down at the end.
struct Lab(PathBuf);

impl Lab {
    fn up() -> Self {
        let lab = Self(workspace().join("tests/lab/lab"));
        lab.run(&["up"]);
        lab
    }

    fn run(&self, args: &[&str]) {
        assert!(self.command(args).status().expect("the lab runs").success(), "lab {}", args.join(" "));
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.0);
        command.args(args).env("LAB_PREFIX", "weirtest");
        command
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        // What it left behind is named by its prefix, and the next one takes it down first.
        let _ = self.command(&["down"]).status();
    }
}

fn check_all(recording: &Path) {
    let events = Truth::read(&recording.join("gateway/truth.json")).expect("a truth").events;
    let data = tempfile::tempdir().expect("a folder for the lake");
    let collector = collector_of(recording, data.path(), &["--settle", "5s"]);
    for agent in ["node-a", "node-b"].map(|node| agent_of(recording, node, collector.url(), &[])) {
        assert!(agent.ended().success(), "the agent sends everything");
    }
    let rows = sql(Source::Server(collector.url()), ROWS);
    let counted = top_routes(collector.url());
    assert!(collector.terminate().success());
    for event in &events {
        Told { event, rows: &rows }.check();
    }

    let mut want: BTreeMap<Counted, i64> = BTreeMap::new();
    for event in &events {
        *want.entry(event.route.as_ref().map(place_of)).or_default() += 1;
    }
    assert_eq!(counted, want, "a user's request counts once");
}

/// Kind, namespace, name, rule and match; `None` = no rule was met.
type Counted = Option<(String, String, String, Option<u32>, Option<u32>)>;

fn place_of(route: &Route) -> (String, String, String, Option<u32>, Option<u32>) {
    (route.kind.clone(), route.namespace.clone(), route.name.clone(), route.rule, route.matched)
}

/// What `weir top routes` counts, without the rules that were never met.
fn top_routes(server: &str) -> BTreeMap<Counted, i64> {
    let output = Command::new(path_of("weir"))
        .args(["--server", server, "top", "routes", "-o", "json"])
        .output()
        .expect("weir runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON lines"));
    let word = |line: &Value, key: &str| line[key].as_str().map(str::to_owned);
    let number = |line: &Value, key: &str| line[key].as_u64().and_then(|number| u32::try_from(number).ok());
    let place = |line: &Value| {
        let names = (word(line, "kind")?, word(line, "namespace")?, word(line, "name")?);
        Some((names.0, names.1, names.2, number(line, "rule"), number(line, "match")))
    };
    let met = lines.filter(|line| line["requests"].as_i64() > Some(0));
    met.map(|line| (place(&line), line["requests"].as_i64().unwrap_or_default())).collect()
}

/// What is told of one event.
#[derive(Clone, Copy)]
struct Told<'a> {
    event: &'a Event,
    rows: &'a [Value],
}

impl<'a> Told<'a> {
    fn check(self) {
        let (event, id) = (self.event, &self.event.id);
        let (fronts, backs) = (self.fronts(), self.backs());
        assert_eq!(
            fronts.iter().filter(|row| row["is_primary"] == true).count(),
            1,
            "{id}: one front counts: {fronts:#?}"
        );
        for row in &fronts {
            if row["l7"] == "tls" {
                let route = event.route.as_ref().expect("a rule");
                let told = ["route_kind", "route_name", "route_host"].map(|column| row[column].as_str());
                assert_eq!(told, [Some(&*route.kind), Some(&*route.name), route.host.as_deref()], "{id}: {row:#}");
                assert_eq!((row["route_method"].as_str(), row["route_path"].as_str()), (Some("sni"), None), "{id}");
                continue;
            }
            self.check_rule(row);
            let http = event.http.as_ref().expect("an exchange");
            assert_eq!(row["status"].as_u64(), http.status.map(u64::from), "{id}");
            assert_eq!(row["grpc_status"].as_u64(), http.grpc_status.map(u64::from), "{id}");
            assert_eq!(row["route_reason"].as_str(), event.reason.as_deref(), "{id}");
            if row["is_primary"] == true && event.backend.is_some() {
                let spent = row["gateway_us"].as_i64().zip(row["backend_us"].as_i64());
                assert_eq!(
                    spent.map(|(gateway, backend)| gateway + backend),
                    row["latency_us"].as_i64(),
                    "{id}: {row:#}"
                );
            }
        }
        assert_eq!(
            backs.len() >= 2,
            event.backend.is_some(),
            "{id}: at the gateway's veth and at the backend's: {backs:#?}"
        );
        for row in backs {
            self.check_rule(row);
            let is_one = fronts.iter().any(|front| front["connection_id"] == row["front_connection_id"]);
            assert!(is_one && !row["front_connection_id"].is_null(), "{id}: joined: {row:#}");
            let pod = &event.backend.as_ref().expect("a backend").pod;
            let of_pod = pod.split_once('-').map_or(&**pod, |(service, _)| service);
            let service = event.route.as_ref().and_then(|route| route.backend_service.as_deref()).unwrap_or(of_pod);
            assert_eq!(row["service"].as_str(), Some(service), "{id}: {row:#}");
        }
    }

    /// The request, or client hello, at every tap before the gateway.
    fn fronts(self) -> Vec<&'a Value> {
        let is_client = |row: &&Value| row["src_port"] == self.event.client.port && row["route_leg"] == "front";
        let connections: Vec<_> = self.rows.iter().filter(is_client).map(|row| &row["connection_id"]).collect();
        let is_it = |row: &&Value| row["l7"] == "tls" || row["path"].as_str() == Some(self.asked());
        self.rows.iter().filter(|row| connections.contains(&&row["connection_id"])).filter(is_it).collect()
    }

    /// The request that the gateway made for it, by the id that it gave it; what it passed on has none.
    fn backs(self) -> Vec<&'a Value> {
        let id = self.event.ingress.as_ref().map(|ingress| &*ingress.request_id);
        let is_tls_route = self.event.route.as_ref().is_some_and(|route| route.kind == "TLSRoute");
        let is_it = |row: &&Value| match row["request_id"].as_str() {
            Some(other) => id == Some(other),
            None => is_tls_route && row["l7"] == "tls",
        };
        self.rows.iter().filter(|row| row["route_leg"] == "back").filter(is_it).collect()
    }

    fn check_rule(self, row: &Value) {
        let id = &self.event.id;
        let number = |column: &str| row[column].as_u64().and_then(|number| u32::try_from(number).ok());
        let told = row["route_kind"].as_str().map(|kind| {
            let text = |column: &str| row[column].as_str().unwrap_or_default().to_owned();
            (kind.to_owned(), text("route_namespace"), text("route_name"), number("route_rule"), number("route_match"))
        });
        assert_eq!(told, self.event.route.as_ref().map(place_of), "{id}: {row:#}");
        let want = self.event.route.as_ref().map(|route| [route.host.as_deref(), route.path.as_deref()]);
        let told = ["route_host", "route_path"].map(|column| row[column].as_str());
        assert_eq!(told, want.unwrap_or_default(), "{id}: {row:#}");
    }

    /// The path that was asked for.
    fn asked(self) -> &'a str {
        let url = self.event.http.as_ref().and_then(|http| http.url.as_deref()).expect("a URL");
        let target = url.split_once("://").and_then(|(_, rest)| rest.find('/').and_then(|at| rest.get(at..)));
        target.and_then(|target| target.split('?').next()).expect("a path")
    }
}
