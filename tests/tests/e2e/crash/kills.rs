//! `kill -9` of a collector under load, again and again on the same data.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use std::{fs, thread};

use weir_model::Batch;
use weir_tests::programs::{
    Answer, BUSY, Collector, Dice, Kept, LIMIT, RawAgent, Source, Traffic, Unanswered, number, sql, try_sql,
};

const LIVES: u64 = 50;
const FLOWS: usize = 8;

/// Batches on their way at the same time.
const UNDER_WAY: usize = 8;

/// New batches of one sender in one life: no more than a slow machine can commit.
const BATCHES: u64 = 40;

/// Sends batch after batch, keeps what was not acked, and remembers what was.
struct Sender {
    traffic: Traffic,
    unacked: VecDeque<Batch>,
    next: u64,
    acked: Arc<AtomicU64>,
}

impl Sender {
    fn new(node: &str, run: u128) -> Self {
        let traffic = Traffic::new(node, run, FLOWS);
        Self { traffic, unacked: VecDeque::new(), next: 1, acked: Arc::default() }
    }

    /// Sends until the link breaks, first what was not acked on an earlier one.
    fn send_until_cut(&mut self, url: &str) {
        let Ok(mut agent) = self.reconnect(url) else { return };
        let enough = self.next + BATCHES;
        while self.go_on(&mut agent, enough).is_ok() {}
    }

    /// Sends what was not acked, and waits until it is.
    fn finish(&mut self, url: &str) {
        let mut agent = self.reconnect(url).expect("nobody kills this collector");
        while !self.unacked.is_empty() {
            let answer = agent.answer().expect("nobody kills this collector");
            self.note(&answer);
        }
    }

    fn reconnect(&mut self, url: &str) -> Result<RawAgent, Unanswered> {
        let mut agent = RawAgent::connect(url, &self.traffic)?;
        let promised = self.acked.load(Ordering::SeqCst);
        assert!(agent.durable() >= promised, "acked {promised}, now only {} is durable", agent.durable());
        // Also what is durable already: its ack was lost, and it must not be taken twice.
        self.unacked.iter().try_for_each(|batch| agent.send(batch))?;
        self.note(&Answer::Acked(agent.durable()));
        Ok(agent)
    }

    fn go_on(&mut self, agent: &mut RawAgent, enough: u64) -> Result<(), Unanswered> {
        if self.unacked.len() >= UNDER_WAY || self.next == enough {
            let answer = agent.answer()?;
            self.note(&answer);
            return Ok(());
        }
        let batch = self.traffic.batch(self.next);
        self.next += 1;
        self.unacked.push_back(batch.clone());
        agent.send(&batch)
    }

    fn note(&mut self, answer: &Answer) {
        let Answer::Acked(sequence) = answer else { panic!("not an ack: {answer:?}") };
        self.unacked.retain(|batch| batch.sequence > *sequence);
        self.acked.fetch_max(*sequence, Ordering::SeqCst);
    }

    /// The last batch that was sent, and the last that was acked.
    fn extent(&self) -> (u64, u64) {
        (self.next - 1, self.acked.load(Ordering::SeqCst))
    }
}

/// Asks while the collector lives: no row twice, and every row that was acked before the question.
fn ask_until_killed(url: &str, alive: &AtomicBool, acked: &AtomicU64) -> u64 {
    let mut answers = 0;
    loop {
        let floor = acked.load(Ordering::SeqCst) as i64 * FLOWS as i64;
        let statement =
            "select count(*) n, count(distinct flow_id) d, count(*) filter (where node = 'steady') s from flows";
        match try_sql(Source::Server(url), statement) {
            Ok(rows) => {
                let row = rows.first().expect("counting gives a row");
                assert_eq!(number(row, "n"), number(row, "d"), "a query saw a row twice");
                assert!(number(row, "s") >= floor, "a query saw {row}, but {floor} rows were acked");
                answers += 1;
            }
            Err(said) => {
                assert!(!alive.load(Ordering::SeqCst), "a live collector does not answer: {said}");
                return answers;
            }
        }
    }
}

/// When to kill.
#[derive(Clone, Copy)]
enum Moment {
    /// This long after it serves.
    Served(Duration),
    /// This long after it has committed something.
    Committed(Duration),
}

impl Moment {
    fn any(dice: &mut Dice) -> Self {
        match dice.below(3) {
            0 => Self::Committed(dice.millis_below(300)),
            _ => Self::Served(dice.millis_below(900)),
        }
    }

    /// Returns when it has come. Waits for the clock, never for something to be ready.
    fn wait(self, data: &Path) {
        let versions = || fs::read_dir(data.join("flows/_delta_log")).map_or(0, Iterator::count);
        let (before, start) = (versions(), Instant::now());
        let jitter = match self {
            Self::Served(jitter) => jitter,
            Self::Committed(jitter) => {
                while versions() == before && start.elapsed() < LIMIT {
                    thread::park_timeout(Duration::from_millis(5));
                }
                jitter
            }
        };
        thread::park_timeout(jitter);
    }
}

#[test]
fn fifty_kills_under_load_lose_no_acked_row_and_double_none() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let mut dice = Dice::new();
    let mut steady = Sender::new("steady", 1);
    let acked = Arc::clone(&steady.acked);
    let (mut forgetful, mut answers) = (Vec::new(), 0);
    for life in 0..LIVES {
        if dice.below(5) == 0 {
            // Killed before it serves: in the middle of the replay.
            let starting = Collector::launch(data.path(), BUSY);
            thread::park_timeout(dice.millis_below(400));
            starting.kill_9();
        }
        let collector = Collector::start(data.path(), BUSY);
        let url = collector.url().to_owned();
        let (moment, alive) = (Moment::any(&mut dice), AtomicBool::new(true));
        // It never sends again what was not acked; each life is a run of its own.
        let mut other = Sender::new("forgetful", 100 + u128::from(life));
        // Packet time goes on meanwhile, into the next hour in the end.
        for sender in [&mut steady, &mut other] {
            sender.traffic.move_by(life * 100);
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                moment.wait(data.path());
                alive.store(false, Ordering::SeqCst);
                collector.kill_9();
            });
            scope.spawn(|| other.send_until_cut(&url));
            let asking = scope.spawn(|| ask_until_killed(&url, &alive, &acked));
            steady.send_until_cut(&url);
            answers += asking.join().expect("no query saw anything wrong");
        });
        forgetful.push(other);
    }
    let collector = Collector::start(data.path(), BUSY);
    steady.finish(collector.url());
    let seen = sql(Source::Server(collector.url()), "select count(*) n from flows where node = 'steady'");
    assert_eq!(seen.first().map(|row| number(row, "n")), Some((steady.next as i64 - 1) * FLOWS as i64));
    assert!(collector.terminate().success());
    check(&steady, &forgetful, &Kept::read(Source::Lake(data.path()), &traffic(&steady, &forgetful)));
    let (last, _) = steady.extent();
    eprintln!("{last} batches, {answers} answers between {LIVES} kills");
    assert!(last > LIVES && answers > 0, "too little happened to say anything");
}

fn traffic<'a>(steady: &'a Sender, forgetful: &'a [Sender]) -> Vec<&'a Traffic> {
    forgetful.iter().chain([steady]).map(|sender| &sender.traffic).collect()
}

fn check(steady: &Sender, forgetful: &[Sender], kept: &Kept) {
    let (last, acked) = steady.extent();
    assert_eq!(last, acked, "everything was acked in the end");
    for sequence in 1..=last {
        kept.assert_whole(&steady.traffic, sequence);
    }
    assert_eq!(kept.batches_of(&steady.traffic) as u64, last);
    let mut unacked = 0;
    for sender in forgetful {
        let (last, acked) = sender.extent();
        (1..=acked).for_each(|sequence| kept.assert_whole(&sender.traffic, sequence));
        (acked + 1..=last).for_each(|sequence| kept.assert_whole_or_nothing(&sender.traffic, sequence));
        assert!(kept.batches_of(&sender.traffic) as u64 <= last);
        unacked += last - acked;
    }
    assert!(unacked > 0, "no kill fell on a batch that was under way");
}
