//! A collector that is not there yet: the agent keeps what it has, says so, and tries on.

use std::net::TcpListener;

use serde_json::Value;
use weir_tests::examples;
use weir_tests::programs::{Collector, Program, Source, number, sql};

const TOTALS: &str = "select count(*) n, count(distinct flow_id) flows, sum(packets_fwd + packets_rev) packets, \
                      sum(bytes_fwd + bytes_rev) bytes from flows";

fn replay(collector: &str) -> Program {
    let lab = examples::lab_capture().join("routed");
    let tap = format!("file:{}/clusterip/node-a.*.pcap,role=pod", lab.display());
    let args = ["--node-name", "node-a", "--tap", &tap, "--collector", collector];
    Program::start("weir-agent", &args)
}

fn totals(collector: &Collector) -> Value {
    sql(Source::Server(collector.url()), TOTALS).remove(0)
}

#[test]
fn a_replay_begun_without_a_collector_loses_nothing() {
    let [early, late] = [(); 2].map(|()| tempfile::tempdir().expect("a temporary folder"));
    let present = Collector::start(early.path(), &[]);
    assert!(replay(present.url()).ended().success());
    let expected = totals(&present);
    assert!(number(&expected, "packets") > 50, "{expected}");

    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let agent = replay(&format!("http://{free}"));
    agent.log().wait_for("no collector, trying again");
    let listen = free.to_string();
    let collector = Collector::start(late.path(), &["--listen", &listen]);
    agent.log().wait_for("everything sent and acked");
    assert!(agent.ended().success());
    assert_eq!(totals(&collector), expected);
}
