//! What a lake holds of what was sent, row by row: nothing twice, nothing altered, nothing that nobody sent.

use std::collections::BTreeMap;

use serde_json::Value;
use weir_model::RunId;

use super::{BEGIN, Source, Traffic, sql};

/// How many rows of each table a batch has in a lake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// In `flows`.
    pub flows: usize,
    /// In `requests`.
    pub requests: usize,
    /// In `losses`.
    pub losses: usize,
    /// In `coverage`.
    pub coverage: usize,
}

/// The rows of each batch, by run and sequence.
#[derive(Debug, Default)]
pub struct Kept {
    batches: BTreeMap<(RunId, u64), Rows>,
}

impl Kept {
    /// Reads the lake. Panics at a row that is there twice, or that is not what one of `senders` sent.
    pub fn read(source: Source<'_>, senders: &[&Traffic]) -> Self {
        let mut kept = Self::default();
        kept.read_flows(source, senders);
        kept.read_requests(source);
        kept.read_losses(source);
        kept.read_coverage(source);
        kept.assert_measured(source);
        for (run, sequence) in kept.batches.keys() {
            assert!(senders.iter().any(|sender| sender.run() == *run), "nobody sent batch {sequence} of run {run}");
        }
        kept
    }

    /// The rows of one batch.
    pub fn of(&self, traffic: &Traffic, sequence: u64) -> Rows {
        self.batches.get(&(traffic.run(), sequence)).copied().unwrap_or_default()
    }

    /// Asserts that the lake has every row of the batch once.
    pub fn assert_whole(&self, traffic: &Traffic, sequence: u64) {
        assert_eq!(self.of(traffic, sequence), whole(traffic), "{} batch {sequence}", traffic.node());
    }

    /// Asserts that the lake has every row of the batch once, or none at all.
    pub fn assert_whole_or_nothing(&self, traffic: &Traffic, sequence: u64) {
        let rows = self.of(traffic, sequence);
        assert!(rows == whole(traffic) || rows == Rows::default(), "{} batch {sequence}: {rows:?}", traffic.node());
    }

    /// How many batches of a sender the lake has.
    pub fn batches_of(&self, traffic: &Traffic) -> usize {
        self.batches.keys().filter(|(run, _)| *run == traffic.run()).count()
    }

    fn read_flows(&mut self, source: Source<'_>, senders: &[&Traffic]) {
        let columns = "node, flow_id, packets_fwd, bytes_fwd, bytes_rev, service_name";
        let rows = sql(source, &format!("select {columns}, count(*) n from flows group by {columns}"));
        for row in rows {
            let id = number(&row, "flow_id") as u64;
            let sender = senders.iter().find(|sender| sender.id_of(0) >> 40 == id >> 40);
            let sender = sender.unwrap_or_else(|| panic!("nobody sent {row}"));
            assert_eq!(number(&row, "n"), 1, "not once: {row}");
            let sent = sender.flow(id & ((1 << 40) - 1));
            let counters = sent.flow.counters;
            let used = sent.service.as_ref().and_then(|service| service.used.as_ref());
            assert_eq!(
                (text(&row, "node"), number(&row, "packets_fwd"), number(&row, "bytes_fwd"), number(&row, "bytes_rev")),
                (sender.node(), counters.fwd.packets as i64, counters.fwd.bytes as i64, counters.rev.bytes as i64),
                "{row}"
            );
            assert_eq!(Some(text(&row, "service_name")), used.map(|used| used.name.as_ref()), "{row}");
            self.count(sender.run(), Traffic::sequence_of(id), |rows| &mut rows.flows);
        }
    }

    fn read_requests(&mut self, source: Source<'_>) {
        let columns = "request_id, status, src_name, service_name, is_primary";
        for row in sql(source, &format!("select {columns}, count(*) n from requests group by {columns}")) {
            assert_eq!((number(&row, "n"), number(&row, "status")), (1, 200), "{row}");
            assert_eq!(text(&row, "src_name"), "client-0", "{row}");
            let id = text(&row, "request_id")
                .split_once('/')
                .and_then(|(run, sequence)| Some((RunId::parse(run)?, sequence.parse().ok()?)));
            let (run, sequence) = id.unwrap_or_else(|| panic!("nobody sent {row}"));
            self.count(run, sequence, |rows| &mut rows.requests);
        }
    }

    /// Every flow and every request is measured once.
    fn assert_measured(&self, source: Source<'_>) {
        let measured = sql(source, "select measure, sum(count) n from latency group by measure");
        let of = |measure| {
            measured.iter().filter(|row| text(row, "measure") == measure).map(|row| number(row, "n")).sum::<i64>()
        };
        let rows = |pick: fn(&Rows) -> usize| self.batches.values().map(pick).sum::<usize>() as i64;
        assert_eq!(of("handshake"), rows(|rows| rows.flows), "handshakes in {measured:?}");
        assert_eq!(of("first-byte"), rows(|rows| rows.requests), "first bytes in {measured:?}");
    }

    fn read_losses(&mut self, source: Source<'_>) {
        for row in sql(source, "select run, packets from losses") {
            self.count(run(&row), number(&row, "packets") as u64, |rows| &mut rows.losses);
        }
    }

    fn read_coverage(&mut self, source: Source<'_>) {
        for row in sql(source, "select run, cast(from_ts as bigint) at from coverage") {
            let sequence = (number(&row, "at") - BEGIN.as_micros()) / 1_000_000;
            self.count(run(&row), sequence as u64, |rows| &mut rows.coverage);
        }
    }

    fn count(&mut self, run: RunId, sequence: u64, of: impl FnOnce(&mut Rows) -> &mut usize) {
        *of(self.batches.entry((run, sequence)).or_default()) += 1;
    }
}

fn whole(traffic: &Traffic) -> Rows {
    Rows { flows: traffic.flows(), requests: traffic.flows().min(1), losses: 1, coverage: 1 }
}

/// A number in a row. Panics where there is none.
pub fn number(row: &Value, column: &str) -> i64 {
    row.get(column).and_then(Value::as_i64).unwrap_or_else(|| panic!("no number {column} in {row}"))
}

/// A text in a row. Panics where there is none.
pub fn text<'a>(row: &'a Value, column: &str) -> &'a str {
    row.get(column).and_then(Value::as_str).unwrap_or_else(|| panic!("no text {column} in {row}"))
}

fn run(row: &Value) -> RunId {
    RunId::parse(text(row, "run")).unwrap_or_else(|| panic!("no run in {row}"))
}
