//! Agents whose unacked batches are on disk: killed while the collector is away, or both killed again and again.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use serde_json::Value;
use weir_tests::examples;
use weir_tests::programs::{ANY_PORT, BUSY, Collector, Dice, Pages, Program, Source, metric, number, sql};

/// How often both sides are killed.
const LIVES: u64 = 6;

const TOTALS: &str = "select count(*) n, count(distinct flow_id) flows, sum(packets_fwd + packets_rev) packets, \
                      sum(bytes_fwd + bytes_rev) bytes from flows";

/// Replays what node-a recorded of a scenario.
fn replay(scenario: &str, collector: &str, flags: &[&str]) -> Program {
    let lab = examples::lab_capture().join("routed");
    let tap = format!("file:{}/{scenario}/node-a.*.pcap,role=pod", lab.display());
    let args = ["--node-name=node-a", "--tap", &tap, "--collector", collector, ANY_PORT, "--log-format=json"];
    Program::start("weir-agent", &[&args[..], flags].concat())
}

/// An address where no collector is yet.
fn free_address() -> String {
    // A port that was free a moment ago.
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    free.expect("a free port").to_string()
}

/// What a collector has of scenarios that nothing happened to: totals of each.
fn undisturbed(scenarios: &[&str]) -> Vec<Value> {
    let totals = |scenario: &&str| {
        let data = tempfile::tempdir().expect("a folder");
        let collector = Collector::start(data.path(), &[]);
        assert!(replay(scenario, collector.url(), &[]).ended().success());
        sql(Source::Server(collector.url()), TOTALS).remove(0)
    };
    scenarios.iter().map(totals).collect()
}

/// Rows by the run that sent them, as far as another run of the same files tells the same.
fn rows(source: Source<'_>) -> BTreeMap<i64, Vec<String>> {
    let columns = "flow_id, src_ip, src_port, dst_ip, dst_port, protocol, first_ts, last_ts, packets_fwd, bytes_rev";
    let mut runs: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    for mut row in sql(source, &format!("select {columns} from flows order by first_ts, src_port")) {
        let run = number(&row, "flow_id") >> 40;
        row.as_object_mut().expect("a row").remove("flow_id");
        runs.entry(run).or_default().push(row.to_string());
    }
    for rows in runs.values_mut() {
        rows.sort();
    }
    runs
}

fn spool_flag(dir: &Path) -> String {
    format!("--spool-dir={}", dir.display())
}

#[test]
fn agents_killed_while_the_collector_is_away_lose_nothing_that_waited_for_two_seconds() {
    let scenarios = ["clusterip", "nodeport", "dns"];
    let whole = undisturbed(&scenarios);
    let [data, dir] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let (listen, spool) = (free_address(), spool_flag(dir.path()));
    let url = format!("http://{listen}");
    for (scenario, whole) in scenarios.iter().zip(&whole).take(2) {
        let agent = replay(scenario, &url, &[&spool]);
        Pages::of(agent.log()).wait_for(|now| {
            metric(now, "weir_agent_flow_rows_total") == Some(number(whole, "n") as f64)
                && metric(now, "weir_agent_unacked_batches") == Some(0.0)
                && metric(now, "weir_agent_spooled_batches") > Some(0.0)
        });
        agent.kill_9();
    }
    let agent = replay(scenarios[2], &url, &[&spool]);
    agent.log().wait_for("no collector, trying again");
    let collector = Collector::start(data.path(), &["--listen", &listen]);
    agent.log().wait_for("everything sent and acked");
    assert!(agent.ended().success());
    let now = sql(Source::Server(collector.url()), TOTALS).remove(0);
    for total in ["n", "flows", "packets", "bytes"] {
        let sum = whole.iter().map(|whole| number(whole, total)).sum::<i64>();
        assert_eq!(number(&now, total), sum, "{total}: {now} of {whole:?}");
    }
    let rows = rows(Source::Server(collector.url()));
    assert_eq!(rows.len(), 3, "each under its own run");
    assert_eq!(sql(Source::Server(collector.url()), "select * from losses"), Vec::<Value>::new());
}

#[test]
fn a_stopped_agent_leaves_the_rest_for_the_next_one() {
    let whole = undisturbed(&["clusterip", "refused"]);
    let [data, dir] = [(); 2].map(|()| tempfile::tempdir().expect("a folder"));
    let (listen, spool) = (free_address(), spool_flag(dir.path()));
    let agent = replay("clusterip", &format!("http://{listen}"), &[&spool, "--grace=100ms"]);
    Pages::of(agent.log())
        .wait_for(|now| metric(now, "weir_agent_flow_rows_total") == Some(number(&whole[0], "n") as f64));
    assert!(agent.terminate().success(), "nothing is lost");
    let collector = Collector::start(data.path(), &["--listen", &listen]);
    assert!(replay("refused", collector.url(), &[&spool]).ended().success());
    let mut sent: Vec<usize> = rows(Source::Server(collector.url())).values().map(Vec::len).collect();
    sent.sort_unstable();
    let mut counts: Vec<usize> = whole.iter().map(|whole| number(whole, "n") as usize).collect();
    counts.sort_unstable();
    assert_eq!(sent, counts);
}

#[test]
fn with_both_sides_killed_again_and_again_no_row_is_there_twice_and_the_last_run_is_whole() {
    let [data, dir, other] = [(); 3].map(|()| tempfile::tempdir().expect("a folder"));
    let undisturbed = Collector::start(other.path(), &[]);
    assert!(replay("clusterip", undisturbed.url(), &[]).ended().success());
    let whole = rows(Source::Server(undisturbed.url())).into_values().next().expect("one run");
    let (listen, spool) = (free_address(), spool_flag(dir.path()));
    let (url, flags) = (format!("http://{listen}"), [BUSY, &["--listen", &listen]].concat());
    let mut dice = Dice::new();
    for _ in 0..LIVES {
        let collector = (dice.below(2) > 0).then(|| Collector::launch(data.path(), &flags));
        let agent = replay("clusterip", &url, &[&spool]);
        thread::park_timeout(dice.millis_below(4_000));
        if dice.below(2) > 0 {
            drop(collector);
            thread::park_timeout(dice.millis_below(2_000));
        }
        agent.kill_9();
    }
    let collector = Collector::start(data.path(), &flags);
    assert!(replay("clusterip", &url, &[&spool]).ended().success());
    let runs = rows(Source::Server(collector.url()));
    for rows in runs.values() {
        let mut unseen = whole.clone();
        for row in rows {
            let at = unseen.iter().position(|whole| whole == row);
            unseen.remove(at.unwrap_or_else(|| panic!("twice, or never sent: {row}")));
        }
    }
    assert!(runs.values().any(|rows| *rows == whole), "the last run is not whole");
    assert!(collector.terminate().success());
}
