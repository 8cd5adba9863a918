//! What the recordings' clients asked for is in `requests`: each exchange at each tap that saw it, and once where rows stand
//! for their connections.

use std::collections::BTreeMap;
use std::fs;
use std::net::IpAddr;
use std::process::Command;

use serde::Deserialize;
use weir_tests::examples::lab_capture;
use weir_tests::programs::{Collector, Source, path_of, sql};
use weir_tests::recorded::{agent, collector};
use weir_tests::truth::{Event, Http, Truth, Verdict};

/// One row of `requests`, as far as tests look at it.
#[derive(Clone, Debug, Deserialize)]
struct Row {
    interface: String,
    connection_id: i64,
    leg: Option<String>,
    #[serde(default)]
    is_primary: bool,
    src_ip: IpAddr,
    src_port: u16,
    dst_ip: IpAddr,
    dst_port: u16,
    l7: String,
    http_version: Option<String>,
    method: Option<String>,
    host: Option<String>,
    path: Option<String>,
    status: Option<u16>,
    request_id: Option<String>,
    qname: Option<String>,
    qtype: Option<String>,
    rcode: Option<u16>,
    #[serde(default)]
    answers: Vec<String>,
    sni: Option<String>,
    tls_version: Option<String>,
    first_byte_us: Option<i64>,
    latency_us: Option<i64>,
}

struct Recording {
    mode: &'static str,
    rows: Vec<Row>,
    data: tempfile::TempDir,
}

impl Recording {
    fn replay(mode: &'static str) -> Self {
        let data = tempfile::tempdir().expect("a folder for the lake");
        let collector = collector(mode, data.path(), &[]);
        for agent in ["node-a", "node-b"].map(|node| agent(mode, node, collector.url(), &[])) {
            assert!(agent.ended().success(), "the agent sends everything");
        }
        let rows = rows(&collector);
        assert!(collector.terminate().success());
        Self { mode, rows, data }
    }

    fn events(&self) -> Vec<Event> {
        let scenarios = fs::read_dir(lab_capture().join(self.mode)).expect("the recordings are here");
        let truths = scenarios.map(|scenario| scenario.expect("a folder entry").path().join("truth.json"));
        let truths = truths.filter(|path| path.is_file()).map(|path| Truth::read(&path).expect("a truth"));
        truths.flat_map(|truth| truth.events).collect()
    }

    /// What the event's client said on the connection it made, as the tap nearest to it heard it.
    fn front(&self, event: &Event) -> Vec<&Row> {
        let leg = if event.client.pod.is_some() { "client" } else { "transit" };
        let is_front = |row: &&Row| {
            row.leg.as_deref() == Some(leg)
                && (row.src_ip, row.src_port) == (event.client.ip, event.client.port)
                && (row.dst_ip, row.dst_port) == (event.dst.ip, event.dst.port)
        };
        self.rows.iter().filter(is_front).collect()
    }

    fn primaries(&self, connection_id: i64) -> Vec<&Row> {
        self.rows.iter().filter(|row| row.connection_id == connection_id && row.is_primary).collect()
    }
}

fn rows(collector: &Collector) -> Vec<Row> {
    let rows = sql(Source::Server(collector.url()), "select * from requests order by ts, interface");
    let read = |row| serde_json::from_value(row).unwrap_or_else(|error| panic!("no row: {error}"));
    rows.into_iter().map(read).collect()
}

/// Asserts what the event's client asked for and got; how many exchanges that were.
fn check(recording: &Recording, event: &Event, events: &[Event]) -> usize {
    let asked = check_http(recording, event, events) + check_dns(recording, event);
    if asked > 0
        && let Some(ingress) = &event.ingress
    {
        let is_back = |row: &&Row| {
            row.request_id.as_ref() == Some(&ingress.request_id)
                && format!("{}:{}", row.dst_ip, row.dst_port) == ingress.upstream
        };
        let passed_on: Vec<_> = recording.rows.iter().filter(is_back).collect();
        let counted = passed_on.iter().filter(|row| row.is_primary).count();
        assert_eq!(counted, 1, "{}: the back counts once: {passed_on:#?}", event.id);
    }
    asked
}

/// Asserts what the event's client heard over HTTP; how many exchanges that were. Of `events` some may share a connection.
fn check_http(recording: &Recording, event: &Event, events: &[Event]) -> usize {
    let Some(http) = said_over_http(event) else { return 0 };
    let id = &event.id;
    let seen = recording.front(event);
    let first = *seen.first().unwrap_or_else(|| panic!("{id}: nothing was heard of {event:#?}"));
    let counted = recording.primaries(first.connection_id);
    if let Some(rest) = http.url.as_deref().and_then(|url| url.strip_prefix("https://")) {
        let host = rest.split('/').next();
        assert_eq!((seen.len(), first.l7.as_str(), first.sni.as_deref()), (1, "tls", host), "{id}");
        assert!(first.tls_version.is_some() && first.latency_us.is_some(), "{id}: {first:?}");
        assert_eq!(counted.len(), 1, "{id}: one hello counts");
        return 1;
    }
    let on_connection = events.iter().filter(|other| (other.client.port, other.dst) == (event.client.port, event.dst));
    let mut expected: Vec<_> = on_connection.filter_map(said_over_http).flat_map(expected).collect();
    expected.sort();
    assert_eq!(said(&seen), expected, "{id}: hosts, paths and statuses");
    assert_eq!(said(&counted), expected, "{id}: each counts once");
    for row in seen {
        assert_eq!((row.l7.as_str(), row.method.as_deref()), ("http", Some("GET")), "{id}");
        assert_eq!(row.http_version.as_ref(), Some(&http.version), "{id}");
        // To the controller's address a client may send the name of any host.
        let dialled = http.url.as_deref().and_then(|url| url.split('/').nth(2)).filter(|_| event.scenario != "ingress");
        let host = event.ingress_rule.as_ref().map(|rule| rule.host.as_str()).or(dialled);
        assert!(host.is_none() || row.host.as_deref() == host, "{id}: {host:?} in {row:?}");
    }
    self::expected(http).len()
}

fn said_over_http(event: &Event) -> Option<&Http> {
    let http = event.http.as_ref().filter(|_| event.verdict == Verdict::Allowed)?;
    Some(http).filter(|http| http.status.is_some() || !http.paths.is_empty())
}

/// Path and status of each exchange.
fn expected(http: &Http) -> Vec<(String, u16)> {
    match &http.url {
        Some(url) => {
            let rest = url.strip_prefix("http://").expect("the lab speaks HTTP");
            let path = rest.find('/').map_or("/", |at| &rest[at..]);
            vec![(path.to_owned(), http.status.expect("a status"))]
        }
        None => http.paths.iter().cloned().zip(http.statuses.iter().copied()).collect(),
    }
}

fn said(rows: &[&Row]) -> Vec<(String, u16)> {
    let pair = |row: &&Row| (row.path.clone().unwrap_or_default(), row.status.unwrap_or_default());
    let mut said: Vec<_> = rows.iter().map(pair).collect();
    said.sort();
    said
}

fn check_dns(recording: &Recording, event: &Event) -> usize {
    let Some(dns) = &event.dns else { return 0 };
    let id = &event.id;
    let named = |row: &&&Row| {
        row.qname.as_deref() == Some(dns.name.trim_end_matches('.')) && row.qtype.as_ref() == Some(&dns.record_type)
    };
    let seen: Vec<_> = recording.front(event);
    let found = *seen.iter().find(named).unwrap_or_else(|| panic!("{id}: {dns:?} among {seen:#?}"));
    let rcode = ["NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN"].iter().position(|name| *name == dns.rcode);
    assert_eq!(found.rcode.map(usize::from), rcode, "{id}");
    for answer in dns.answers.iter().filter(|answer| answer.parse::<IpAddr>().is_ok()) {
        assert!(found.answers.contains(answer), "{id}: {answer} in {:?}", found.answers);
    }
    assert!(found.latency_us.is_some(), "{id}");
    let counted = recording.primaries(found.connection_id);
    assert_eq!(counted.iter().filter(named).count(), 1, "{id}: counts once");
    1
}

/// How many requests each tap saw, as `weir read` tells it.
fn read(mode: &str) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for scenario in fs::read_dir(lab_capture().join(mode)).expect("the recordings are here") {
        for file in fs::read_dir(scenario.expect("a folder entry").path()).into_iter().flatten() {
            let path = file.expect("a folder entry").path();
            let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let is_tapped = name.strip_prefix("node-").and_then(|rest| rest.split_once('.'));
            let is_tapped = is_tapped.is_some_and(|(_, tap)| tap == "eth0" || tap.starts_with("veth-"));
            if !is_tapped || path.extension().is_none_or(|ending| ending != "pcap") {
                continue;
            }
            let args = ["read", "--requests", "-o", "json"];
            let output = Command::new(path_of("weir")).args(args).arg(&path).output().expect("weir runs");
            assert!(output.status.success(), "{}", path.display());
            let lines = String::from_utf8_lossy(&output.stdout).lines().count();
            *counts.entry(name).or_default() += lines;
        }
    }
    counts.retain(|_, count| *count > 0);
    counts
}

fn check_all(mode: &'static str, least: usize) -> Recording {
    let recording = Recording::replay(mode);
    let events = recording.events();
    let exchanges: usize = events.iter().map(|event| check(&recording, event, &events)).sum();
    assert!(exchanges >= least, "{exchanges} exchanges");
    let mut stored: BTreeMap<String, usize> = BTreeMap::new();
    for row in &recording.rows {
        *stored.entry(row.interface.clone()).or_default() += 1;
    }
    assert_eq!(stored, read(mode), "the lake has what weir read says");
    recording
}

#[test]
fn what_clients_of_the_routed_recording_said_is_kept() {
    let recording = check_all("routed", 45);
    let lake = recording.data.path().display().to_string();
    latency_is_told_of_the_lake(&lake, recording.rows.iter().filter(|row| row.is_primary));
}

#[test]
fn what_clients_of_the_bridge_recording_said_is_kept() {
    check_all("bridge", 9);
}

#[test]
fn what_clients_of_the_vxlan_recording_said_is_kept() {
    check_all("vxlan", 6);
}

/// `weir latency` over the folder counts what the rows measured, and its percentiles lie among the values.
fn latency_is_told_of_the_lake<'a>(lake: &str, primaries: impl Iterator<Item = &'a Row>) {
    let output =
        Command::new(path_of("weir")).args(["latency", "--lake", lake, "-o", "json"]).output().expect("weir runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told: Vec<serde_json::Value> = String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON lines"))
        .collect();
    let mut firsts: Vec<i64> = primaries.filter(|row| row.l7 == "http").filter_map(|row| row.first_byte_us).collect();
    firsts.sort_unstable();
    let line = told.iter().find(|line| line["measure"] == "first-byte").expect("first bytes were measured");
    assert_eq!(line["count"], firsts.len());
    assert_eq!(line["max_us"].as_i64(), firsts.last().copied());
    let median = firsts[(firsts.len() - 1) / 2] as f64;
    let told_median = line["p50_us"].as_f64().expect("a number");
    assert!((told_median - median).abs() <= median * 0.02 + 1.0, "{told_median} for {median}");
    for measure in ["handshake", "dns", "tls-hello"] {
        assert!(told.iter().any(|line| line["measure"] == measure), "{measure} in {told:?}");
    }
}
