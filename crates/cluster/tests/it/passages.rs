//! What was recorded around a gateway of the lab: the flows and requests that the agents of both nodes would send, joined
//! and settled as the collector does.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_capture::CaptureFile;
use weir_cluster::gateways::GatewayOptions;
use weir_cluster::join::{Finality, JoinOptions, Joiner};
use weir_cluster::routing::{Journeys, PairOptions, Routing};
use weir_cluster::{OwnerCandidates, Snapshot, SnapshotOptions, Timeline, attribute, manifests, settle_owners};
use weir_flow::{FlowSink, NoRoom, Tracker, TrackerConfig};
use weir_model::tables::RequestRow;
use weir_model::{EndReason, Flow, FlowRow, Request, Tap, TapRole};

/// What one tap recorded.
#[derive(Default)]
struct Tapped {
    flows: Vec<Flow>,
    requests: Vec<(Flow, Request)>,
}

impl FlowSink for Tapped {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        self.flows.push(flow);
        Ok(())
    }

    fn request(&mut self, flow: Flow, request: Request) -> Result<(), NoRoom> {
        self.requests.push((flow, request));
        Ok(())
    }
}

/// The folder of a recorded scenario.
pub(crate) fn recording(mode: &str, scenario: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lab-capture").join(mode).join(scenario)
}

/// Rows of a scenario as the agents of both nodes send them.
pub(crate) fn recorded(folder: &Path, snapshot: &Snapshot) -> (Vec<FlowRow>, Vec<RequestRow>) {
    let files = fs::read_dir(folder).expect("the recordings are here");
    let mut paths: Vec<_> = files.map(|file| file.expect("a folder entry").path()).collect();
    paths.retain(|path| {
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        path.extension().is_some_and(|ending| ending == "pcap")
            && (name.contains("veth") || name.starts_with("node") && name.ends_with("eth0"))
    });
    paths.sort();
    let mut taps = Vec::new();
    for (path, number) in paths.iter().zip(1..) {
        let mut tapped = Tapped::default();
        let mut tracker =
            Tracker::new(TrackerConfig { first_flow: number, flow_stride: 100, ..TrackerConfig::default() });
        let mut file = CaptureFile::open(path).expect("a capture");
        while let Some(frame) = file.next_frame().expect("a whole capture") {
            tracker.observe(&frame, &mut tapped);
        }
        tracker.finish(EndReason::CaptureEnd, &mut tapped);
        taps.push((path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), tapped));
    }
    let veths = taps.iter().filter(|(name, _)| name.contains("veth")).map(|(name, tapped)| {
        let mut candidates = OwnerCandidates::default();
        tapped.flows.iter().for_each(|flow| candidates.narrow(flow, snapshot, None));
        (name.clone(), candidates)
    });
    let owners = settle_owners(veths.collect());
    let (mut flows, mut requests) = (Vec::new(), Vec::new());
    for (name, tapped) in taps {
        let pod = owners.get(&name).cloned();
        let role = if pod.is_some() { TapRole::Pod } else { TapRole::Uplink };
        let node = name.split('.').next().map(Arc::from);
        let tap = Arc::new(Tap { interface: name.as_str().into(), role, pod, sampling: 1 });
        let row = |flow| FlowRow { node: node.clone(), ..FlowRow::alone(attribute(snapshot, &tap, flow)) };
        flows.extend(tapped.flows.into_iter().map(row));
        requests.extend(tapped.requests.into_iter().map(|(flow, request)| RequestRow::alone(row(flow), request)));
    }
    (flows, requests)
}

/// Settles a scenario's rows that arrive node by node.
pub(crate) fn replayed(mode: &str, scenario: &str, order: [&str; 2]) -> (Vec<FlowRow>, Vec<RequestRow>) {
    let cluster = Cluster::of(mode);
    cluster.settled(&recorded(&recording(mode, scenario), &cluster.snapshot), order, Rules::Told)
}

/// Whether requests are told the rules that they met.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rules {
    Told,
    #[allow(dead_code, reason = "for the benchmark beside the tests")]
    Left,
}

/// What is known of a recorded cluster.
pub(crate) struct Cluster {
    pub(crate) snapshot: Snapshot,
    routing: Timeline<Routing>,
}

impl Cluster {
    pub(crate) fn of(mode: &str) -> Self {
        let objects = manifests::load(&recording(mode, "manifests")).expect("the recorded objects").objects;
        let snapshot = Snapshot::build(&objects, &SnapshotOptions::default());
        Self { snapshot, routing: Timeline::always(Routing::build(&objects, &GatewayOptions::default())) }
    }

    /// Joins and settles rows.
    pub(crate) fn settled(
        &self,
        (flows, requests): &(Vec<FlowRow>, Vec<RequestRow>),
        order: [&str; 2],
        rules: Rules,
    ) -> (Vec<FlowRow>, Vec<RequestRow>) {
        let Self { snapshot, routing } = self;
        let mut joiner = Joiner::new(JoinOptions::default(), None);
        let mut journeys = Journeys::new(PairOptions::default());
        let (mut all_flows, mut all_requests) = (Vec::new(), Vec::new());
        for node in order {
            let mut flows: Vec<_> = flows.iter().filter(|row| row.node.as_deref() == Some(node)).cloned().collect();
            let mut requests: Vec<_> =
                requests.iter().filter(|row| row.flow.node.as_deref() == Some(node)).cloned().collect();
            for row in flows.iter_mut().chain(requests.iter_mut().map(|row| &mut row.flow)) {
                row.connection = Some(joiner.arrive(row, 0).connection);
            }
            for row in flows.iter_mut().chain(requests.iter_mut().map(|row| &mut row.flow)) {
                joiner.settle(row, snapshot, Finality::Provisional);
            }
            if rules == Rules::Told {
                journeys.arrive(&flows, &requests, routing, 0);
            }
            all_flows.extend(flows);
            all_requests.extend(requests);
        }
        for row in all_flows.iter_mut().chain(all_requests.iter_mut().map(|row| &mut row.flow)) {
            joiner.settle(row, snapshot, Finality::Final);
        }
        if rules == Rules::Told {
            journeys.settle(&mut all_flows, &mut all_requests, routing, Finality::Final);
        }
        (all_flows, all_requests)
    }
}
