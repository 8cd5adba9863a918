//! What whole programs tell those who operate them, over plain HTTP.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Instant;

use serde_json::Value;
use weir_tests::examples;
use weir_tests::programs::{Collector, LIMIT, Log, Program};

/// Metrics on any port that is free.
const ANY_PORT: &str = "--metrics-listen=127.0.0.1:0";

/// Replays node-a's taps to an address where a collector may be or come.
fn replay(collector: &str) -> Program {
    let lab = examples::lab_capture().join("routed");
    let tap = format!("file:{}/clusterip/node-a.*.pcap,role=pod", lab.display());
    let objects = format!("manifests:{}", lab.join("manifests").display());
    let args = ["--node-name", "node-a", "--tap", &tap, "--cluster", &objects, "--collector", collector];
    Program::start("weir-agent", &[&args[..], &[ANY_PORT, "--log-format=json"]].concat())
}

fn address(log: &Log) -> String {
    let line = log.wait_for(r#""message":"metrics""#);
    let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("no JSON: {error}: {line}"));
    line["address"].as_str().expect("the line about metrics names the address").to_owned()
}

/// The status and the text of a page.
fn page(address: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).unwrap_or_else(|error| panic!("{address}: {error}"));
    write!(stream, "GET {path} HTTP/1.1\r\nhost: weir\r\nconnection: close\r\n\r\n").expect("it can be asked");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
    let text = answer.split_once("\r\n\r\n").map(|(_, text)| text.to_owned());
    status.zip(text).unwrap_or_else(|| panic!("no answer of HTTP: {answer}"))
}

/// The value of a metric, named with its labels; `None` = it has none.
fn value(text: &str, metric: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' ')?.parse().ok())
}

/// Reads the metrics until they are as wanted.
fn wait_for(address: &str, wanted: impl Fn(&str) -> bool) -> String {
    let start = Instant::now();
    loop {
        let (status, text) = page(address, "/metrics");
        assert_eq!(status, 200, "{text}");
        if wanted(&text) {
            return text;
        }
        assert!(start.elapsed() < LIMIT, "never came to be: {text}");
    }
}

/// Every metric has its line in the documentation.
fn check_documented(text: &str) {
    let documentation = std::fs::read_to_string(examples::workspace().join("docs/metrics.md")).expect("it is there");
    for line in text.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').expect("a name and a type");
        let suffix = if kind == "counter" { "_total" } else { "" };
        let named = ["`", "{"].map(|end| documentation.contains(&format!("`{name}{suffix}{end}")));
        assert!(named.contains(&true), "docs/metrics.md does not say what {name}{suffix} is");
    }
}

#[test]
fn agent_and_collector_count_what_went_through_them() {
    let data = tempfile::tempdir().expect("a folder");
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let listen = free.expect("a free port").to_string();
    let agent = replay(&format!("http://{listen}"));
    let at_agent = address(agent.log());
    let waiting = wait_for(&at_agent, |text| {
        value(text, "weir_agent_unacked_batches") > Some(0.0)
            && value(text, r#"weir_agent_cluster_objects{kind="Pod"}"#) > Some(0.0)
    });
    check_documented(&waiting);
    assert_eq!(value(&waiting, "weir_agent_connected"), Some(0.0), "{waiting}");
    assert!(value(&waiting, r#"weir_agent_cluster_age_seconds{kind="Pod"}"#).is_some(), "{waiting}");
    let rows = value(&waiting, "weir_agent_flow_rows_total");
    assert!(rows > Some(0.0) && value(&waiting, "weir_agent_packets_total") > Some(50.0), "{waiting}");
    assert_eq!([page(&at_agent, "/healthz").0, page(&at_agent, "/readyz").0], [200, 200]);

    let collector = Collector::start(data.path(), &["--listen", &listen, ANY_PORT]);
    let at_collector = address(collector.log());
    assert!(agent.ended().success());
    let text =
        wait_for(&at_collector, |text| value(text, r#"weir_collector_node_connected{node="node-a"}"#) == Some(0.0));
    assert_eq!(value(&text, r#"weir_collector_node_flow_rows_total{node="node-a"}"#), rows, "{text}");
    assert!(value(&text, "weir_collector_journal_bytes") > Some(0.0), "{text}");
    check_documented(&text);
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_eq!([page(&at_collector, "/healthz").0, page(&at_collector, "/readyz").0], [200, 200]);
    assert!(collector.terminate().success());
}

#[test]
fn an_address_that_is_taken_ends_the_start() {
    let data = tempfile::tempdir().expect("a folder");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let flag = format!("--metrics-listen={}", taken.local_addr().expect("an address"));
    let collector = Collector::launch(data.path(), &[&flag]);
    collector.log().wait_for("for metrics");
    assert!(!collector.ended().success());
}
