//! Another reader of Delta tables, `DuckDB`, on a lake that is being written, compacted and vacuumed meanwhile.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use serde_json::Value;
use weir_tests::examples;
use weir_tests::programs::{BUSY, Collector, RawAgent, Source, Traffic, number, sql};

const FLOWS: usize = 50;

/// Totals of each service: of the flows with an id up to the one given, and of all.
const DUCKDB: &str = r#"
import glob, json, os, sys
import duckdb, duckdb_extension_delta

lake, last = sys.argv[1], int(sys.argv[2])
folder = os.path.dirname(duckdb_extension_delta.__file__)
duck = duckdb.connect(config={"autoinstall_known_extensions": False})
duck.load_extension(glob.glob(folder + "/extensions/*/delta.duckdb_extension")[0])
duck.execute("set timezone = 'UTC'")
TOTALS = f"""select service_name, count(*) n, count(distinct flow_id) ids,
    sum(packets_fwd)::bigint packets, sum(bytes_fwd)::bigint fwd, sum(bytes_rev)::bigint rev,
    epoch_us(min(first_ts)) opened, epoch_us(max(last_ts)) closed
    from delta_scan('{lake}/flows') where {{}} group by all order by all"""

def rows(condition):
    found = duck.execute(TOTALS.format(condition))
    names = [column[0] for column in found.description]
    return [dict(zip(names, row)) for row in found.fetchall()]

print(json.dumps({"prefix": rows(f"flow_id <= {last}"), "all": rows("true")}))
"#;

fn duckdb(python: &Path, lake: &Path, last: u64) -> Value {
    let output = Command::new(python).args(["-c", DUCKDB]).arg(lake).arg(last.to_string()).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {}: {error}", python.display()));
    assert!(output.status.success(), "DuckDB: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("no JSON: {error}"))
}

fn weir_sql(source: Source<'_>, last: u64) -> Vec<Value> {
    let statement = format!(
        "select service_name, count(*) n, count(distinct flow_id) ids, sum(packets_fwd) packets, sum(bytes_fwd) fwd, \
         sum(bytes_rev) rev, cast(min(first_ts) as bigint) opened, cast(max(last_ts) as bigint) closed from flows \
         where flow_id <= {last} group by service_name order by 1"
    );
    sql(source, &statement)
}

fn list<'a>(answer: &'a Value, key: &str) -> &'a [Value] {
    answer.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// What was sent up to and including this batch: rows and bytes there.
fn sent(traffic: &Traffic, last: u64) -> (i64, i64) {
    let flows = (1..=last).flat_map(|sequence| traffic.batch(sequence).flows);
    flows.fold((0, 0), |(rows, bytes), seen| (rows + 1, bytes + seen.flow.counters.fwd.bytes as i64))
}

/// Sends while `go`, and says how far it was acked.
fn send(url: &str, traffic: &Traffic, go: &AtomicBool, acked: &AtomicU64) {
    let mut agent = RawAgent::connect(url, traffic).expect("the collector takes it");
    for sequence in 1.. {
        if !go.load(Ordering::SeqCst) {
            return;
        }
        let done = agent.send(&traffic.batch(sequence)).and_then(|()| agent.wait_acked(sequence));
        done.expect("the collector takes it");
        acked.store(sequence, Ordering::SeqCst);
    }
}

/// The last batch of which every table's rows are in the lake, after it has grown since.
fn committed(lake: &Path, after: u64) -> u64 {
    loop {
        let rows = sql(Source::Lake(lake), "select max(flow_id) last from flows");
        let last = rows.first().and_then(|row| row.get("last")).and_then(Value::as_u64).map_or(0, Traffic::sequence_of);
        if last > after {
            return last;
        }
    }
}

#[test]
fn duckdb_sees_the_same_totals_while_the_lake_is_written_and_compacted() {
    let Some(python) = examples::python() else {
        eprintln!("not run: there is no .venv; scripts/setup makes it");
        return;
    };
    let data = tempfile::tempdir().expect("a temporary folder");
    let collector = Collector::start(data.path(), BUSY);
    let traffic = Traffic::new("node-a", 1, FLOWS);
    let (go, acked) = (AtomicBool::new(true), AtomicU64::new(0));
    thread::scope(|scope| {
        let sending = scope.spawn(|| send(collector.url(), &traffic, &go, &acked));
        let stop = StopWhenDone(&go);
        let mut last = 0;
        for _ in 0..8 {
            last = committed(data.path(), last);
            let up_to = traffic.id_of((last + 1) * 1_000 - 1);
            let answer = duckdb(&python, data.path(), up_to);
            let theirs = list(&answer, "prefix");
            assert_eq!(theirs, weir_sql(Source::Server(collector.url()), up_to), "rows up to batch {last}");
            let sum = |key| theirs.iter().map(|row| number(row, key)).sum::<i64>();
            assert_eq!((sum("n"), sum("fwd")), sent(&traffic, last), "rows up to batch {last}");
            let all = list(&answer, "all");
            let rows: i64 = all.iter().map(|row| number(row, "n")).sum();
            assert!(all.iter().all(|row| number(row, "n") == number(row, "ids")), "a row twice: {answer}");
            assert_eq!(rows % FLOWS as i64, 0, "a part of a batch: {answer}");
        }
        drop(stop);
        sending.join().expect("everything was taken");
    });
    let log = collector.log().text();
    assert!(collector.terminate().success());
    let compacted = |line: &str| line.contains("compacted_files") && !line.contains("compacted_files: 0,");
    assert!(log.lines().any(compacted), "nothing was compacted:\n{log}");
    let last = acked.load(Ordering::SeqCst);
    let up_to = traffic.id_of((last + 1) * 1_000 - 1);
    let answer = duckdb(&python, data.path(), up_to);
    assert_eq!(list(&answer, "all"), weir_sql(Source::Lake(data.path()), up_to));
    let rows: i64 = list(&answer, "all").iter().map(|row| number(row, "n")).sum();
    assert_eq!(rows, sent(&traffic, last).0);
}

/// Ends the sending also where the test fails.
struct StopWhenDone<'a>(&'a AtomicBool);

impl Drop for StopWhenDone<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}
