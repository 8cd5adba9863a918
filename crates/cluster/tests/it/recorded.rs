//! What was recorded on the two nodes of the lab: the rows and the coverage that each node's agent would send.

use std::collections::BTreeMap;
use std::fs;
use std::io::BufReader;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_capture::CaptureFile;
use weir_cluster::conntrack::{Entries, Text};
use weir_cluster::objects::Objects;
use weir_cluster::{OwnerCandidates, Snapshot, attribute, is_telling, manifests, settle_owners};
use weir_flow::{Decoder, Tracker, TrackerConfig};
use weir_model::{Coverage, EndReason, Flow, FlowRow, PolicyLog, Tap, TapRole, Timestamp, Translation};

/// One node.
pub(crate) struct Node {
    pub(crate) name: Arc<str>,
    pub(crate) rows: Vec<FlowRow>,
    pub(crate) coverage: Vec<Coverage>,
    /// What its connection tracking told.
    pub(crate) translations: Vec<Translation>,
}

/// A recording: `routed`, `bridge` or `vxlan`.
#[derive(Clone, Copy)]
pub(crate) struct Recording(pub(crate) &'static str);

impl Recording {
    pub(crate) fn folder(self) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lab-capture").join(self.0)
    }

    pub(crate) fn objects(self) -> Objects {
        manifests::load(&self.folder().join("manifests")).expect("the recorded objects").objects
    }

    /// Both nodes.
    pub(crate) fn nodes(self, snapshot: &Snapshot) -> Vec<Node> {
        ["node-a", "node-b"].map(|name| self.node(name, snapshot, Passes::Everything)).into()
    }

    /// Both nodes as if their CNI handed packets to pods past the host end of their veth, but for what their node sends.
    pub(crate) fn one_way_nodes(self, snapshot: &Snapshot) -> Vec<Node> {
        ["node-a", "node-b"].map(|name| self.node(name, snapshot, Passes::WhatThePodSends)).into()
    }

    /// What both nodes' own enforcement logged.
    pub(crate) fn logs(self) -> Vec<PolicyLog> {
        let scenarios = fs::read_dir(self.folder()).expect("the recordings are here");
        let folders = scenarios.map(|scenario| scenario.expect("a folder entry").path());
        let files =
            folders.flat_map(|folder| ["node-a", "node-b"].map(|node| folder.join(format!("{node}.nflog.pcap"))));
        let mut logs = Vec::new();
        let mut decoder = Decoder::new(Vec::new());
        for path in files.filter(|path| path.is_file()) {
            let mut file = CaptureFile::open(&path).expect("a capture");
            while let Some(frame) = file.next_frame().expect("a whole capture") {
                logs.push(decoder.policy_log(&frame).expect("a record with a packet"));
            }
        }
        logs
    }

    fn node(self, name: &str, snapshot: &Snapshot, passes: Passes) -> Node {
        let captures = self.captures(name);
        let seen: BTreeMap<String, (Vec<Flow>, Vec<_>)> = captures
            .iter()
            .zip(1..)
            .map(|((interface, paths), first)| (interface.clone(), flows(paths, first, |_| true)))
            .collect();
        let candidates =
            seen.iter().filter(|(interface, _)| interface.contains("veth")).map(|(interface, (flows, _))| {
                let mut candidates = OwnerCandidates::default();
                for flow in flows {
                    candidates.narrow(flow, snapshot, Some(name));
                }
                (interface.clone(), candidates)
            });
        let owners = settle_owners(candidates.collect());
        let mut node = Node {
            name: name.into(),
            rows: Vec::new(),
            coverage: Vec::new(),
            translations: self.translations(name, snapshot),
        };
        for ((interface, (mut seen, spans)), first) in seen.into_iter().zip(1..) {
            let pod = owners.get(&interface).cloned();
            let entry = pod.as_ref().and_then(|pod| snapshot.pod_named(pod));
            if let (Passes::WhatThePodSends, Some(entry)) = (passes, entry) {
                let is_seen = |source| entry.ips.contains(&source) || snapshot.node_of(source).as_deref() == Some(name);
                let paths = captures.get(&interface).expect("it was just read");
                seen = flows(paths, first, |frame| source(frame).is_none_or(is_seen)).0;
            }
            let role = if pod.is_some() { TapRole::Pod } else { TapRole::Uplink };
            let tap = Arc::new(Tap { interface: interface.into(), role, pod, sampling: 1 });
            for (from_ts, to_ts) in spans {
                let (interface, pod) = (Some(Arc::clone(&tap.interface)), tap.pod.clone());
                node.coverage.push(Coverage { interface, role, pod, from_ts, to_ts: Some(to_ts), reason: None });
            }
            let rows = seen.into_iter().map(|flow| FlowRow::alone(attribute(snapshot, &tap, flow)));
            node.rows.extend(rows.map(|row| FlowRow { node: Some(Arc::clone(&node.name)), ..row }));
        }
        node
    }

    /// What one node's connection tracking told in all scenarios.
    fn translations(self, node: &str, snapshot: &Snapshot) -> Vec<Translation> {
        let scenarios =
            fs::read_dir(self.folder()).expect("the recordings are here").map(|entry| entry.expect("an entry"));
        let texts = scenarios.map(|scenario| scenario.path().join(format!("{node}.conntrack.txt")));
        let mut texts: Vec<PathBuf> = texts.filter(|text| text.is_file()).collect();
        texts.sort();
        let (mut entries, mut told) = (Entries::new(10_000), Vec::new());
        for path in texts {
            let mut text = Text::new(BufReader::new(fs::File::open(&path).expect("readable")));
            while let Some(event) = text.next_event().expect("readable") {
                told.extend(entries.learn(&event).filter(|translation| is_telling(snapshot, node, translation)));
            }
            assert_eq!((text.malformed(), text.problem()), (0, None), "{}", path.display());
        }
        told
    }

    /// The interface and files of every capture of one node, without those over all interfaces.
    pub(crate) fn captures(self, node: &str) -> BTreeMap<String, Vec<PathBuf>> {
        let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for scenario in fs::read_dir(self.folder()).expect("the recordings are here") {
            let Ok(files) = fs::read_dir(scenario.expect("a folder entry").path()) else { continue };
            for file in files {
                let path = file.expect("a folder entry").path();
                let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let wanted = name.starts_with(&format!("{node}.veth-")) || name == format!("{node}.eth0");
                if wanted && path.extension().is_some_and(|ending| ending == "pcap") {
                    found.entry(name).or_default().push(path);
                }
            }
        }
        for paths in found.values_mut() {
            paths.sort();
        }
        found
    }
}

/// What taps of pods see.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Passes {
    Everything,
    WhatThePodSends,
}

/// The source address of an Ethernet frame with an IP packet.
fn source(frame: &[u8]) -> Option<IpAddr> {
    match frame.get(12..14)? {
        [0x08, 0x00] => Some(IpAddr::from(<[u8; 4]>::try_from(frame.get(26..30)?).ok()?)),
        [0x86, 0xdd] => Some(IpAddr::from(<[u8; 16]>::try_from(frame.get(22..38)?).ok()?)),
        _ => None,
    }
}

/// The flows of one interface, and the span of packet time in each of its files.
fn flows(
    paths: &[PathBuf],
    first_flow: u64,
    is_seen: impl Fn(&[u8]) -> bool,
) -> (Vec<Flow>, Vec<(Timestamp, Timestamp)>) {
    let (mut flows, mut spans) = (Vec::new(), Vec::new());
    let mut tracker = Tracker::new(TrackerConfig { first_flow, flow_stride: 100, ..TrackerConfig::default() });
    for path in paths {
        let mut file = CaptureFile::open(path).expect("a capture");
        let mut span: Option<(Timestamp, Timestamp)> = None;
        while let Some(frame) = file.next_frame().expect("a whole capture") {
            span = Some(span.map_or((frame.time, frame.time), |(from, to)| (from.min(frame.time), to.max(frame.time))));
            if is_seen(frame.bytes) {
                tracker.observe(&frame, &mut flows);
            }
        }
        spans.extend(span);
    }
    tracker.finish(EndReason::CaptureEnd, &mut flows);
    (flows, spans)
}
