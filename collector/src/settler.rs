//! Joins legs and settles rows: durable batches in, rows for queries, tails and commits out. A thread of its own.
//!
//! A row waits `wait` of arrival time for the other legs of its connection; until then queries see it as it stands now.
//! Rows are settled in the order of the journal, so what is settled is always a prefix of it.

mod pending;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tracing::{debug, warn};
use weir_cluster::join::{Finality, Joiner, LegKey};
use weir_cluster::routing::Journeys;
use weir_cluster::{Known, Snapshot};
use weir_model::tables::ObjectRow;
use weir_model::{Batch, ConnectionId, Coverage, FlowRow, Protocol, Report, RunId, Timestamp, Tuple};
use weir_service::clock::Clock;
use weir_store::{Lake, Latencies, Rows};

use crate::audits::AuditCounts;
use crate::compiled::Compiled;
use crate::hub::{Hub, News, Subject};
use pending::{Columns, Pending};

/// The way to the settler.
pub(crate) type Sender = mpsc::Sender<Task>;

/// What the settler is asked to do.
pub(crate) enum Task {
    /// Join a batch that is durable.
    Batch {
        /// Its place in the journal.
        position: u64,
        /// The batch.
        batch: Arc<Batch>,
    },
    /// Keep changes of objects that are durable.
    Objects {
        /// Their place in the journal.
        position: u64,
        /// The changes, in order.
        changes: Arc<[ObjectRow]>,
    },
    /// Learn of taps before their first batch.
    Cover {
        /// The node.
        node: Arc<str>,
        /// The run.
        run: RunId,
        /// The taps.
        coverage: Vec<Coverage>,
    },
    /// An agent's run is over for good; its newest packet time.
    RunEnded {
        /// The node.
        node: Arc<str>,
        /// The run.
        run: RunId,
        /// Until when its taps watched.
        at: Timestamp,
    },
    /// Bring what queries see up to date with what has arrived.
    Refresh(oneshot::Sender<()>),
    /// Say when everything sent before this has been shown.
    Shown(oneshot::Sender<()>),
    /// Start a tail.
    Subscribe(Subject, oneshot::Sender<mpsc::Receiver<News>>),
    /// Tell the tails something.
    Tell(News),
    /// Settle everything at once, without waiting: the collector is stopping.
    Finish(oneshot::Sender<()>),
}

/// Owns the joiner and the hub.
pub(crate) struct Settler {
    /// Where rows go.
    pub lake: Arc<Lake>,
    /// Legs so far.
    pub joiner: Joiner,
    /// The cluster's objects, the newest.
    pub snapshots: watch::Receiver<Snapshot>,
    /// What is compiled of them.
    pub compiled: watch::Receiver<Compiled>,
    /// Requests at gateways so far.
    pub journeys: Journeys,
    /// How connections fared.
    pub audits: Arc<AuditCounts>,
    /// The cluster's name.
    pub cluster: Option<Arc<str>>,
    /// Live tails.
    pub hub: Hub,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// How long rows wait for the other legs.
    pub wait: Duration,
    /// Told how far rows are settled.
    pub settled: watch::Sender<u64>,
}

/// A leg of a connection that may have been decided before this memory begins.
struct Unsure {
    connection: ConnectionId,
    protocol: Protocol,
    start_ts: Timestamp,
    last_ts: Timestamp,
}

/// How far apart in packet time two legs of one connection may begin and still be looked for, in nanoseconds.
const NEAR_NS: i64 = 180_000_000_000;

/// The most tasks that are taken at once.
const GROUP: usize = 64;

/// How often the settler looks whether a wait is over.
const TICK: Duration = Duration::from_millis(50);

impl Settler {
    /// Works until nobody can ask any more.
    pub(crate) async fn run(mut self, mut tasks: mpsc::Receiver<Task>) {
        let mut pending = VecDeque::new();
        let mut group = Vec::with_capacity(GROUP);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                _ = tick.tick() => {
                    self.hub.is_heard();
                    self.settle_due(&mut pending);
                }
                taken = tasks.recv_many(&mut group, GROUP) => match taken {
                    0 => break,
                    _ => self.carry_out(&mut group, &mut pending).await,
                },
            }
        }
        debug!(waiting = pending.len(), "settler stopped");
    }

    /// Carries tasks out in order; batches that follow each other arrive together.
    async fn carry_out(&mut self, tasks: &mut Vec<Task>, pending: &mut VecDeque<Pending>) {
        let mut batches = Vec::new();
        for task in tasks.drain(..) {
            if !matches!(task, Task::Batch { .. }) {
                self.arrive(&mut batches, pending).await;
            }
            match task {
                Task::Batch { position, batch } => batches.push((position, batch)),
                Task::Objects { position, changes } => {
                    let next = Pending::of_objects(position, self.clock.now_ns(), changes);
                    self.show(&next);
                    pending.push_back(next);
                }
                Task::Cover { node, run, coverage } => {
                    for span in &coverage {
                        self.joiner.cover(&node, run, span);
                    }
                }
                Task::RunEnded { node, run, at } => self.joiner.run_ended(&node, run, at),
                Task::Shown(done) => drop(done.send(())),
                Task::Refresh(done) => {
                    self.show_all(pending);
                    let _ = done.send(());
                }
                Task::Subscribe(about, reply) => {
                    let _ = reply.send(self.hub.subscribe(about));
                }
                Task::Tell(news) => self.hub.publish(&news),
                Task::Finish(done) => {
                    while let Some(next) = pending.pop_front() {
                        self.settle(&next);
                    }
                    let _ = done.send(());
                }
            }
        }
        self.arrive(&mut batches, pending).await;
    }

    /// Joins batches with what has arrived, and shows them to queries. They share one question to the lake: after a start
    /// each of them may need it, and it takes longer than all the rest.
    async fn arrive(&mut self, batches: &mut Vec<(u64, Arc<Batch>)>, pending: &mut VecDeque<Pending>) {
        let now_ns = self.clock.now_ns();
        let mut unsure = Vec::new();
        for (_, batch) in batches.iter() {
            self.learn(batch, now_ns, &mut unsure);
        }
        let join = |(position, batch): (u64, Arc<Batch>)| self.join(position, &batch, now_ns, &mut unsure);
        let arrived: Vec<Pending> = batches.drain(..).map(join).collect();
        self.look_up(&unsure).await;
        for mut next in arrived {
            if self.hub.is_heard() {
                for mut row in std::mem::take(&mut next.started) {
                    self.fill(&mut row, Finality::Provisional);
                    self.hub.publish(&News::Started(Arc::new(row)));
                }
            }
            self.show_first(&next);
            pending.push_back(next);
        }
    }

    /// What a batch says of taps and of NAT, before any of its rows.
    fn learn(&mut self, batch: &Batch, now_ns: i64, unsure: &mut Vec<Unsure>) {
        for span in &batch.coverage {
            self.joiner.cover(&batch.node, batch.run, span);
        }
        for log in &batch.policy_logs {
            // What is in a form that is not known says nothing.
            let _ = self.joiner.log(log);
        }
        for translation in &batch.translations {
            let moved = self.joiner.translate(Some(&batch.node), translation, now_ns);
            unsure.extend(moved.into_iter().filter(|moved| moved.arrival.may_be_stored).map(|moved| Unsure {
                connection: moved.arrival.connection,
                protocol: moved.protocol,
                start_ts: moved.start_ts,
                last_ts: moved.last_ts,
            }));
        }
    }

    fn join(&mut self, position: u64, batch: &Batch, now_ns: i64, unsure: &mut Vec<Unsure>) -> Pending {
        let mut next = Pending::new(position, now_ns, batch, &Columns { cluster: self.cluster.clone() });
        let is_told_only = |row: &FlowRow| row.seen.flow.report == Report::Start;
        let reports = next.rows.iter_mut().chain(&mut next.started).map(|row| (is_told_only(row), row));
        let carriers = next.requests.iter_mut().map(|row| (false, &mut row.flow));
        for (is_told_only, row) in reports.chain(carriers) {
            let arrival = self.joiner.arrive(row, now_ns);
            row.connection = Some(arrival.connection);
            if arrival.may_be_stored && !is_told_only {
                let flow = &row.seen.flow;
                unsure.push(Unsure {
                    connection: arrival.connection,
                    protocol: flow.tuple.protocol,
                    start_ts: flow.start_ts,
                    last_ts: flow.last_ts,
                });
            }
        }
        next
    }

    /// Asks the lake for decisions that were made before this memory begins.
    async fn look_up(&mut self, unsure: &[Unsure]) {
        let times = unsure.iter().map(|leg| (leg.start_ts, leg.last_ts));
        let Some((from, to)) = times.reduce(|a, b| (a.0.min(b.0), a.1.max(b.1))) else { return };
        let protocols: HashMap<_, _> = unsure.iter().map(|leg| (leg.connection, leg.protocol)).collect();
        let ids: Vec<ConnectionId> = protocols.keys().copied().collect();
        let found = match self.lake.primaries(&ids, from.plus_ns(-NEAR_NS), to.plus_ns(NEAR_NS)).await {
            Ok(found) => found,
            Err(error) => {
                warn!("cannot look up earlier decisions, late legs may be counted again: {error}");
                return;
            }
        };
        for (connection, stored) in found {
            let Some(protocol) = protocols.get(&connection).copied() else { continue };
            let tuple = Tuple {
                protocol,
                src_ip: stored.src_ip,
                src_port: stored.src_port,
                dst_ip: stored.dst_ip,
                dst_port: stored.dst_port,
            };
            self.joiner.remember(connection, LegKey { node: stored.node, interface: stored.interface, tuple });
        }
    }

    /// Shows a batch that has just arrived. Only now its rows are known to be of a gateway or not.
    fn show_first(&mut self, next: &Pending) {
        let rows = self.joined_rows(next, Finality::Provisional);
        let compiled = self.compiled.borrow();
        self.journeys.arrive(&rows.flows, &rows.requests, &compiled.routes, next.arrived_ns);
        drop(compiled);
        let rows = self.finished(rows, Finality::Provisional);
        self.lake.put(next.position, &rows);
    }

    /// Puts a batch where queries see it, as it stands now.
    fn show(&mut self, next: &Pending) {
        let rows = self.settled_rows(next, Finality::Provisional);
        self.lake.put(next.position, &rows);
    }

    /// The rows of a batch with what their connections show by now.
    fn joined_rows(&mut self, next: &Pending, finality: Finality) -> Rows {
        let mut rows = next.table_rows();
        for row in &mut rows.flows {
            self.fill(row, finality);
        }
        // Requests have no columns of policies.
        let snapshot = self.snapshots.borrow();
        for row in &mut rows.requests {
            self.joiner.settle(&mut row.flow, &*snapshot, finality);
        }
        drop(snapshot);
        rows
    }

    /// The rows of a batch with all that is said of them by now.
    fn settled_rows(&mut self, next: &Pending, finality: Finality) -> Rows {
        let rows = self.joined_rows(next, finality);
        self.finished(rows, finality)
    }

    /// Joined rows with the rules that requests met, and what was measured.
    fn finished(&mut self, mut rows: Rows, finality: Finality) -> Rows {
        let compiled = self.compiled.borrow();
        self.journeys.settle(&mut rows.flows, &mut rows.requests, &compiled.routes, finality);
        drop(compiled);
        let mut latencies = Latencies::default();
        rows.flows.iter().for_each(|row| latencies.add_flow(row));
        rows.requests.iter().for_each(|row| latencies.add_request(row));
        rows.latency = latencies.into_rows();
        rows
    }

    /// Fills a row with what its connection shows by now, and what is said of that.
    fn fill(&mut self, row: &mut FlowRow, finality: Finality) {
        let (snapshot, compiled) = (self.snapshots.borrow(), self.compiled.borrow());
        self.joiner.settle(row, &*snapshot, finality);
        self.joiner.judge(row, &Known { snapshot: &snapshot, policies: &compiled.policies }, finality);
    }

    fn show_all(&mut self, pending: &VecDeque<Pending>) {
        for waiting in pending {
            self.show(waiting);
        }
    }

    /// Settles the batches whose wait is over.
    fn settle_due(&mut self, pending: &mut VecDeque<Pending>) {
        let wait_ns = i64::try_from(self.wait.as_nanos()).unwrap_or(i64::MAX);
        let due = self.clock.now_ns().saturating_sub(wait_ns);
        while pending.front().is_some_and(|first| first.arrived_ns <= due) {
            if let Some(first) = pending.pop_front() {
                self.settle(&first);
            }
        }
    }

    fn settle(&mut self, next: &Pending) {
        let rows = self.settled_rows(next, Finality::Final);
        rows.flows.iter().for_each(|row| self.audits.note(row));
        if self.hub.is_heard() {
            for row in &rows.flows {
                self.hub.publish(&News::Row(Arc::new(row.clone())));
            }
            for row in &rows.requests {
                self.hub.publish(&News::Request(Arc::new(row.clone())));
            }
        }
        self.lake.put(next.position, &rows);
        self.settled.send_replace(next.position);
    }
}
