//! Cutting the queue of events into contents of batches: attributed, bounded in records, bytes and time.

use std::time::Duration;

use tokio::sync::mpsc::{Receiver, Sender};
use tokio::time::{Instant, sleep_until};
use weir_model::{AttributedFlow, AttributedRequest, Coverage, Input, Loss, PolicyLog, Translation};

use crate::event::Event;
use crate::held::Held;
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
    /// How this node rewrites connections.
    pub(crate) translations: Vec<Translation>,
    /// How inputs beside the taps stand.
    pub(crate) inputs: Vec<Input>,
}

/// Contents as they grow.
struct Growing {
    naming: Naming,
    held: Held,
    contents: Contents,
}

impl Contents {
    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.records() == 0
    }

    fn records(&self) -> usize {
        let Self { flows, requests, coverage, losses, policy_logs, translations, inputs } = self;
        let told = policy_logs.len() + translations.len() + inputs.len();
        flows.len() + requests.len() + coverage.len() + losses.len() + told
    }
}

impl Growing {
    /// Gives the event back, unless it is a report that has to wait.
    fn hold(&mut self, event: Event) -> Option<Event> {
        let Some(wait) = self.held.wait(&event) else { return Some(event) };
        if let Event::Request(tap, heard) = &event {
            self.naming.hear(tap, &heard.0, &heard.1);
        }
        self.held.hold(event, wait);
        None
    }

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
            Event::Conntrack(heard) => self.contents.translations.extend(self.naming.conntrack(heard)),
            Event::Input(input) => self.contents.inputs.push(input),
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

/// Attributes and cuts until the taps are done; what is held then goes out as it is. Ends when every tap's end of the
/// queue is gone.
pub(crate) async fn cut(mut events: Receiver<Event>, (naming, held): (Naming, Held), at: CutAt, out: Sender<Contents>) {
    let mut growing = Growing { naming, held, contents: Contents::default() };
    let mut deadline = Instant::now() + at.age;
    loop {
        let event = tokio::select! {
            biased;
            event = growing.held.next(), if !growing.held.is_empty() => Some(event),
            event = events.recv() => match event {
                Some(event) => match growing.hold(event) {
                    Some(event) => Some(event),
                    None => continue,
                },
                None => break,
            },
            () = sleep_until(deadline), if !growing.contents.is_empty() => None,
        };
        if let Some(event) = event {
            let was_empty = growing.contents.is_empty();
            growing.add(event);
            if was_empty {
                deadline = Instant::now() + at.age;
            }
            if growing.contents.records() < at.records {
                continue;
            }
        }
        if out.send(growing.take()).await.is_err() {
            return;
        }
    }
    for event in growing.held.take() {
        growing.add(event);
        if growing.contents.records() >= at.records && out.send(growing.take()).await.is_err() {
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
    use weir_service::clock::ManualClock;

    use super::*;
    use crate::cluster::Snapshots;
    use crate::sample;

    const AGE: Duration = Duration::from_millis(200);

    fn naming(snapshots: Snapshots, hold: Duration, clock: &ManualClock) -> (Naming, Held) {
        let held = Held::new(snapshots.clone(), Arc::new(clock.clone()), hold);
        (Naming::new("a".into(), snapshots, ResolvedLimits::default()), held)
    }

    struct Cutter {
        events: Sender<Event>,
        contents: Receiver<Contents>,
    }

    impl Cutter {
        fn start(at: CutAt) -> Self {
            let (events, queue) = mpsc::channel(1_024);
            let (out, contents) = mpsc::channel(1_024);
            let (_, snapshots) = watch::channel(History::new(SnapshotOptions::default()).latest());
            tokio::spawn(cut(queue, naming(snapshots, Duration::ZERO, &ManualClock::default()), at, out));
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
        let naming = naming(snapshots, Duration::ZERO, &ManualClock::default());
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

    /// A cutter that holds for 2 s, whose clock says 10 s, when the sample's flows begin, and half a second.
    struct Holding {
        cutter: Cutter,
        history: History,
        newest: watch::Sender<weir_cluster::Snapshot>,
    }

    impl Holding {
        fn start() -> Self {
            let history = History::new(SnapshotOptions::default());
            let (newest, snapshots) = watch::channel(history.latest());
            let clock = ManualClock::at(10_500_000_000);
            let (events, queue) = mpsc::channel(8_192);
            let (out, contents) = mpsc::channel(8_192);
            let naming = naming(snapshots, Duration::from_secs(2), &clock);
            tokio::spawn(cut(queue, naming, CutAt { records: 1, age: AGE }, out));
            Self { cutter: Cutter { events, contents }, history, newest }
        }

        /// The pods that have the addresses of the sample's flow of that number are told now.
        fn tell(&mut self, count: u8) {
            for (name, net) in [("client", 1), ("server", 2)] {
                let text = format!(
                    "{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop}}, status: {{phase: Running,
                     podIP: 10.0.{net}.{count}, startTime: '1970-01-01T00:00:09Z'}}}}"
                );
                let loaded = weir_cluster::manifests::parse(&text, "pod.yaml").expect("a pod");
                for (_, object) in loaded.objects.iter() {
                    self.history.apply(object, Timestamp::from_parts(11, 0));
                }
            }
            self.newest.send(self.history.latest()).expect("somebody cuts");
        }

        /// After how long the next flow came, and what its ends are called.
        async fn next(&mut self) -> (Duration, Option<String>, Option<String>) {
            let asked = Instant::now();
            let flow = self.cutter.contents.recv().await.expect("cut").flows.remove(0);
            let name = |endpoint: &weir_model::Endpoint| endpoint.name.as_deref().map(str::to_owned);
            (asked.elapsed(), name(&flow.src), name(&flow.dst))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_young_flow_of_an_unknown_address_waits_for_the_late_news_of_it() {
        let mut holding = Holding::start();
        holding.cutter.flow(1).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        holding.tell(9);
        tokio::time::sleep(Duration::from_millis(300)).await;
        assert!(holding.cutter.contents.is_empty(), "that was news of somebody else");
        holding.tell(1);
        let named = (Duration::ZERO, Some("client".to_owned()), Some("server".to_owned()));
        assert_eq!(holding.next().await, named, "nobody waits longer than for the news");
        holding.cutter.flow(1).await;
        assert_eq!(holding.next().await, named, "what is known never waits");
    }

    #[tokio::test(start_paused = true)]
    async fn what_nobody_tells_goes_out_as_it_is_when_the_flow_is_as_old_as_that() {
        let mut holding = Holding::start();
        holding.cutter.flow(1).await;
        let (waited, src, dst) = holding.next().await;
        assert_eq!((waited.as_millis() / 10, src, dst), (150, None, None));
        let old = Flow { start_ts: Timestamp::from_parts(8, 500_000_000), ..sample::flow(1) };
        holding.cutter.events.send(Event::Flow(sample::tap(), old)).await.expect("read");
        assert_eq!(holding.next().await, (Duration::ZERO, None, None), "an old flow waits no more");
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_waits_with_its_flow_and_everything_goes_out_at_the_end() {
        let mut holding = Holding::start();
        let exchange = weir_model::Exchange::Dns(weir_model::Dns::default());
        let request = weir_model::Request { ts: Timestamp(0), first_byte_us: None, latency_us: None, exchange };
        let heard = Box::new((sample::flow(1), request));
        holding.cutter.events.send(Event::Request(sample::tap(), heard)).await.expect("read");
        holding.cutter.flow(2).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(holding.cutter.contents.is_empty());
        let (events, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut holding.cutter.events, events));
        let asked = Instant::now();
        let (first, second) = (holding.cutter.contents.recv().await, holding.cutter.contents.recv().await);
        let counts = [first, second].map(|cut| cut.map(|cut| (cut.requests.len(), cut.flows.len())));
        assert_eq!((counts, asked.elapsed()), ([Some((1, 0)), Some((0, 1))], Duration::ZERO));
        assert!(holding.cutter.contents.recv().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn without_room_those_that_waited_longest_go_out_as_they_are() {
        let holding = Holding::start();
        for _ in 0..5_000 {
            holding.cutter.flow(1).await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(holding.cutter.contents.len(), 5_000 - 4_096);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(holding.cutter.contents.len(), 5_000, "none is lost");
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
                translations: contents.translations,
                inputs: contents.inputs,
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
