//! What whole programs tell those who operate them, over plain HTTP.

use weir_tests::examples;
use weir_tests::programs::{ANY_PORT, Collector, Pages, Program, metric};

/// Replays node-a's taps to an address where a collector may be or come.
fn replay(collector: &str) -> Program {
    let lab = examples::lab_capture().join("routed");
    let tap = format!("file:{}/clusterip/node-a.*.pcap,role=pod", lab.display());
    let objects = format!("manifests:{}", lab.join("manifests").display());
    let args = ["--node-name", "node-a", "--tap", &tap, "--cluster", &objects, "--collector", collector];
    Program::start("weir-agent", &[&args[..], &[ANY_PORT, "--log-format=json"]].concat())
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
    let at_agent = Pages::of(agent.log());
    let waiting = at_agent.wait_for(|text| {
        metric(text, "weir_agent_unacked_batches") > Some(0.0)
            && metric(text, r#"weir_agent_cluster_objects{kind="Pod"}"#) > Some(0.0)
    });
    check_documented(&waiting);
    assert_eq!(metric(&waiting, "weir_agent_connected"), Some(0.0), "{waiting}");
    assert!(metric(&waiting, r#"weir_agent_cluster_age_seconds{kind="Pod"}"#).is_some(), "{waiting}");
    let rows = metric(&waiting, "weir_agent_flow_rows_total");
    assert!(rows > Some(0.0) && metric(&waiting, "weir_agent_packets_total") > Some(50.0), "{waiting}");
    assert_eq!([at_agent.page("/healthz").0, at_agent.page("/readyz").0], [200, 200]);

    let collector = Collector::start(data.path(), &["--listen", &listen, ANY_PORT]);
    let at_collector = Pages::of(collector.log());
    assert!(agent.ended().success());
    let text =
        at_collector.wait_for(|text| metric(text, r#"weir_collector_node_connected{node="node-a"}"#) == Some(0.0));
    assert_eq!(metric(&text, r#"weir_collector_node_flow_rows_total{node="node-a"}"#), rows, "{text}");
    assert!(metric(&text, "weir_collector_journal_bytes") > Some(0.0), "{text}");
    check_documented(&text);
    assert!(text.ends_with("# EOF\n"), "{text}");
    assert_eq!([at_collector.page("/healthz").0, at_collector.page("/readyz").0], [200, 200]);
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
