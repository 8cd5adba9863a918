//! Cutting the queue of events into contents of batches: attributed, bounded in records, bytes and time.

use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{Instant, sleep_until};
use weir_model::{AttributedFlow, AttributedRequest, Coverage, Loss, PolicyLog};

use crate::event::Event;
use crate::naming::Naming;

/// What a batch holds, before it has a number.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents {
    /// Reports of flows.
    pub(crate) flows: Vec<AttributedFlow>,
    /// Requests; those of one flow share it.
    pub(crate) requests: Vec<AttributedRequest>,
    /// Spans of watching.
    pub(crate) coverage: Vec<Coverage>,
    /// Losses.
    pub(crate) losses: Vec<Loss>,
    /// What the packet filter logged.
    pub(crate) policy_logs: Vec<PolicyLog>,
}

/// Contents as they grow.
struct Growing {
    naming: Naming,
    contents: Contents,
}

impl Contents {
    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.records() == 0
    }

    fn records(&self) -> usize {
        let Self { flows, requests, coverage, losses, policy_logs } = self;
        flows.len() + requests.len() + coverage.len() + losses.len() + policy_logs.len()
    }
}

impl Growing {
    fn add(&mut self, event: Event) {
        match event {
            Event::Flow(tap, flow) => self.contents.flows.push(self.naming.flow(&tap, flow)),
            Event::Request(tap, heard) => {
                let (flow, request) = *heard;
                self.contents.requests.push(self.naming.request(&tap, flow, request));
            }
            Event::Coverage(span) => self.contents.coverage.push(span),
            Event::Loss(loss) => self.contents.losses.push(loss),
            Event::PolicyLog(log) => self.contents.policy_logs.push(*log),
        }
    }

    fn take(&mut self) -> Contents {
        self.naming.cut();
        std::mem::take(&mut self.contents)
    }
}

/// Where a batch is cut.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CutAt {
    /// This many records.
    pub(crate) records: usize,
    /// This long after its first record.
    pub(crate) age: Duration,
}

impl CutAt {
    /// The most records with which a batch never uses more names than a dictionary of `cap` entries holds: each record
    /// names a tap, two endpoints and a Service.
    pub(crate) fn within_dictionary(self, cap: usize) -> Self {
        Self { records: self.records.min(cap / 4).max(1), ..self }
    }
}

/// Attributes and cuts until the taps are done. Ends when every tap's end of the queue is gone.
pub(crate) async fn cut(mut events: Receiver<Event>, naming: Naming, at: CutAt, out: Sender<Contents>) {
    let mut growing = Growing { naming, contents: Contents::default() };
    let mut deadline = Instant::now() + at.age;
    loop {
        tokio::select! {
            biased;
            event = events.recv() => match event {
                Some(event) => {
                    if growing.contents.is_empty() {
                        deadline = Instant::now() + at.age;
                    }
                    growing.add(event);
                    if growing.contents.records() < at.records {
                        continue;
                    }
                }
                None => break,
            },
            () = sleep_until(deadline), if !growing.contents.is_empty() => {}
        }
        if out.send(growing.take()).await.is_err() {
            return;
        }
    }
    if !growing.contents.is_empty() {
        // The sender is gone only when the agent is.
        let _ = out.send(growing.take()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{mpsc, watch};
    use weir_cluster::{History, ResolvedLimits, SnapshotOptions};
    use weir_model::{Batch, Flow, LossStage, RunId, TapRole, Timestamp};

    use super::*;
    use crate::sample;

    const AGE: Duration = Duration::from_millis(200);

    struct Cutter {
        events: Sender<Event>,
        contents: Receiver<Contents>,
    }

    impl Cutter {
        fn start(at: CutAt) -> Self {
            let (events, queue) = mpsc::channel(1_024);
            let (out, contents) = mpsc::channel(1_024);
            let (_, snapshots) = watch::channel(History::new(SnapshotOptions::default()).latest());
            tokio::spawn(cut(queue, Naming::new(snapshots, ResolvedLimits::default()), at, out));
            Self { events, contents }
        }

        async fn flow(&self, count: u8) {
            self.events.send(Event::Flow(sample::tap(), sample::flow(count))).await.expect("read");
        }

        /// How many records the next contents have, and after how long they came.
        async fn next(&mut self) -> Option<(usize, Duration)> {
            let asked = Instant::now();
            let contents = self.contents.recv().await?;
            Some((contents.records(), asked.elapsed()))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn cuts_at_the_most_records_without_waiting() {
        let mut cutter = Cutter::start(CutAt { records: 3, age: AGE });
        for count in 0..7 {
            cutter.flow(count).await;
        }
        assert_eq!(cutter.next().await, Some((3, Duration::ZERO)));
        assert_eq!(cutter.next().await, Some((3, Duration::ZERO)));
        assert_eq!(cutter.next().await, Some((1, AGE)), "the rest waits for more");
    }

    #[tokio::test(start_paused = true)]
    async fn age_counts_from_the_first_record() {
        let mut cutter = Cutter::start(CutAt { records: 100, age: AGE });
        tokio::time::advance(Duration::from_secs(10)).await;
        cutter.flow(1).await;
        // The cutter takes the first record before time goes on.
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_millis(150)).await;
        cutter.flow(2).await;
        assert_eq!(cutter.next().await, Some((2, Duration::from_millis(50))));
        cutter.flow(3).await;
        assert_eq!(cutter.next().await, Some((1, AGE)));
    }

    #[tokio::test(start_paused = true)]
    async fn gives_out_the_rest_at_the_end_and_nothing_empty() {
        let mut cutter = Cutter::start(CutAt { records: 100, age: AGE });
        tokio::time::advance(Duration::from_secs(1)).await;
        cutter.flow(1).await;
        let (events, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut cutter.events, events));
        assert_eq!(cutter.next().await, Some((1, Duration::ZERO)));
        assert_eq!(cutter.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn coverage_and_losses_are_records_too() {
        let mut cutter = Cutter::start(CutAt { records: 3, age: AGE });
        let (from_ts, to_ts) = (Timestamp(1), Timestamp(2));
        let (interface, pod, reason) = (None, None, None);
        let span = Coverage { interface, role: TapRole::Other, pod, from_ts, to_ts: Some(to_ts), reason };
        let (packets, bytes, rows) = (Some(1), None, None);
        let loss = Loss { stage: LossStage::Kernel, interface: None, from_ts, to_ts, packets, bytes, rows };
        cutter.flow(1).await;
        cutter.events.send(Event::Coverage(span.clone())).await.expect("read");
        cutter.events.send(Event::Loss(loss.clone())).await.expect("read");
        let contents = cutter.contents.recv().await.expect("cut");
        assert_eq!((contents.flows.len(), contents.coverage, contents.losses), (1, vec![span], vec![loss]));
    }

    #[tokio::test(start_paused = true)]
    async fn flows_are_named_by_who_had_the_address_when_they_began() {
        // The address of flow 1's opener, whose flow begins at 10 s.
        let pod = |name: &str, second: u8| {
            let text = format!(
                "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop}}, spec: {{nodeName: a}},
                 status: {{phase: Running, podIP: 10.0.1.1, startTime: '1970-01-01T00:00:{second:02}Z'}}}}"
            );
            let loaded = weir_cluster::manifests::parse(&text, "pod.yaml").expect("a pod");
            loaded.objects.iter().map(|(key, object)| (key.clone(), object.clone())).next().expect("one")
        };
        let seconds = |seconds| Timestamp::from_parts(seconds, 0);
        let mut history = History::new(SnapshotOptions::default());
        let (newest, snapshots) = watch::channel(history.latest());
        let (events, queue) = mpsc::channel(16);
        let (out, mut contents) = mpsc::channel(16);
        let naming = Naming::new(snapshots, ResolvedLimits::default());
        tokio::spawn(cut(queue, naming, CutAt { records: 1, age: AGE }, out));
        let (key, first) = pod("first", 0);
        history.apply(&first, seconds(1));
        history.remove(&key, seconds(20));
        history.apply(&pod("second", 30).1, seconds(30));
        newest.send(history.latest()).expect("somebody cuts");
        let mut named = Vec::new();
        for start in [10, 25, 40] {
            let times = |flow: Flow| Flow { start_ts: seconds(start), last_ts: seconds(60), ..flow };
            events.send(Event::Flow(sample::tap(), times(sample::flow(1)))).await.expect("read");
            let flow = contents.recv().await.expect("cut").flows.remove(0);
            named.push(flow.src.name.as_deref().map(str::to_owned));
        }
        assert_eq!(named, [Some("first".to_owned()), None, Some("second".to_owned())]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_names_of_a_batch_fit_into_the_smallest_dictionary() {
        const CAP: usize = 16;
        let mut cutter = Cutter::start(CutAt { records: 500, age: AGE }.within_dictionary(CAP));
        for count in 0..50 {
            cutter.flow(count).await;
        }
        let mut flows = 0;
        while flows < 50 {
            let contents = cutter.contents.recv().await.expect("cut");
            flows += contents.flows.len();
            let batch = Batch {
                node: "node-a".into(),
                run: RunId(1),
                sequence: 1,
                flows: distinct(contents.flows),
                requests: contents.requests,
                coverage: contents.coverage,
                losses: contents.losses,
                policy_logs: contents.policy_logs,
            };
            assert!(weir_proto::names_in(&batch) <= CAP);
        }
        let at = |records| CutAt { records, age: AGE };
        assert_eq!(at(500).within_dictionary(65_536).records, 500);
        assert_eq!(at(500).within_dictionary(3).records, 1, "never nothing");
    }

    /// The worst case: no record shares a name with another.
    fn distinct(flows: Vec<AttributedFlow>) -> Vec<AttributedFlow> {
        use weir_model::{Endpoint, Service, Tap};
        let name = |part: &str, at: usize| Arc::<str>::from(format!("{part}{at}"));
        let endpoint = |name| Arc::new(Endpoint { name: Some(name), ..Endpoint::default() });
        flows
            .into_iter()
            .enumerate()
            .map(|(at, seen)| AttributedFlow {
                tap: Arc::new(Tap { interface: name("eth", at), ..Tap::clone(&seen.tap) }),
                src: endpoint(name("src", at)),
                dst: endpoint(name("dst", at)),
                service: Some(Arc::new(Service { candidates: vec![name("shop/web", at)], ..Service::default() })),
                ..seen
            })
            .collect()
    }
}
