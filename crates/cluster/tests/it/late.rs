//! The recorded cluster, its two nodes' rows arriving in any order and an hour apart: the same connections, primary
//! legs, sums and names, as long as it is known from the start which pods are watched.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_capture::CaptureFile;
use weir_cluster::join::{Finality, JoinOptions, Joiner, LegKey};
use weir_cluster::{OwnerCandidates, Snapshot, SnapshotOptions, attribute, manifests, settle_owners};
use weir_flow::{Tracker, TrackerConfig};
use weir_model::{ConnectionId, Coverage, EndReason, Flow, FlowRow, Leg, RunId, Tap, TapRole, Timestamp};

const HOUR_NS: i64 = 3_600_000_000_000;

struct Node {
    name: Arc<str>,
    rows: Vec<FlowRow>,
    coverage: Vec<Coverage>,
}

fn recording() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lab-capture/routed")
}

/// The interface and files of every capture of one node, without those over all interfaces.
fn captures(node: &str) -> BTreeMap<String, Vec<PathBuf>> {
    let mut found: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for scenario in fs::read_dir(recording()).expect("the recordings are here") {
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

/// The flows of one interface, and the span of packet time in each of its files.
fn flows(paths: &[PathBuf], first_flow: u64) -> (Vec<Flow>, Vec<(Timestamp, Timestamp)>) {
    let (mut flows, mut spans) = (Vec::new(), Vec::new());
    let mut tracker = Tracker::new(TrackerConfig { first_flow, flow_stride: 100, ..TrackerConfig::default() });
    for path in paths {
        let mut file = CaptureFile::open(path).expect("a capture");
        let mut span: Option<(Timestamp, Timestamp)> = None;
        while let Some(frame) = file.next_frame().expect("a whole capture") {
            span = Some(span.map_or((frame.time, frame.time), |(from, to)| (from.min(frame.time), to.max(frame.time))));
            tracker.observe(&frame, &mut flows);
        }
        spans.extend(span);
    }
    tracker.finish(EndReason::CaptureEnd, &mut flows);
    (flows, spans)
}

fn node(name: &str, snapshot: &Snapshot) -> Node {
    let seen: BTreeMap<String, (Vec<Flow>, Vec<_>)> = captures(name)
        .into_iter()
        .zip(1..)
        .map(|((interface, paths), first)| (interface, flows(&paths, first)))
        .collect();
    let candidates = seen.iter().filter(|(interface, _)| interface.contains("veth")).map(|(interface, (flows, _))| {
        let mut candidates = OwnerCandidates::default();
        for flow in flows {
            candidates.narrow(flow, snapshot, Some(name));
        }
        (interface.clone(), candidates)
    });
    let owners = settle_owners(candidates.collect());
    let mut node = Node { name: name.into(), rows: Vec::new(), coverage: Vec::new() };
    for (interface, (flows, spans)) in seen {
        let pod = owners.get(&interface).cloned();
        let role = if pod.is_some() { TapRole::Pod } else { TapRole::Uplink };
        let tap = Arc::new(Tap { interface: interface.into(), role, pod, sampling: 1 });
        for (from_ts, to_ts) in spans {
            let (interface, pod) = (Some(Arc::clone(&tap.interface)), tap.pod.clone());
            node.coverage.push(Coverage { interface, role, pod, from_ts, to_ts: Some(to_ts), reason: None });
        }
        let rows = flows.into_iter().map(|flow| FlowRow::alone(attribute(snapshot, &tap, flow)));
        node.rows.extend(rows.map(|row| FlowRow { node: Some(Arc::clone(&node.name)), ..row }));
    }
    node
}

/// What becomes of rows that arrive in groups, an hour apart; decisions that were forgotten are found in what is stored.
fn arrive(groups: &[Vec<FlowRow>], nodes: &[Node], snapshot: &Snapshot) -> Vec<FlowRow> {
    let mut joiner = Joiner::new(JoinOptions::default(), None);
    for node in nodes {
        for span in &node.coverage {
            joiner.cover(&node.name, RunId(1), span);
        }
    }
    let mut stored: HashMap<ConnectionId, LegKey> = HashMap::new();
    let mut settled = Vec::new();
    for (group, hour) in groups.iter().zip(0..) {
        for row in group {
            let arrival = joiner.arrive(row, hour * HOUR_NS);
            if let Some(primary) = stored.get(&arrival.connection).filter(|_| arrival.may_be_stored) {
                joiner.remember(arrival.connection, primary.clone());
            }
        }
        for row in group {
            let mut row = row.clone();
            joiner.settle(&mut row, snapshot, Finality::Final);
            if let (Some(id), Some(true)) = (row.connection, row.is_primary) {
                stored.entry(id).or_insert_with(|| LegKey::of(&row));
            }
            settled.push(row);
        }
    }
    settled
}

#[derive(Clone, Debug, PartialEq)]
struct Summary {
    payload: u64,
    leg: Option<&'static str>,
    src: Option<Arc<str>>,
    dst: Option<Arc<str>>,
    service: Option<Arc<str>>,
}

/// One entry for each connection: its one primary leg, summed over windows.
fn summaries(rows: &[FlowRow]) -> BTreeMap<ConnectionId, Summary> {
    let mut all: BTreeMap<ConnectionId, (LegKey, Summary)> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.is_primary == Some(true)) {
        let counters = row.seen.flow.counters;
        let payload = counters.fwd.payload + counters.rev.payload;
        let used = row.seen.service.as_ref().and_then(|service| service.used.as_ref());
        let summary = Summary {
            payload,
            leg: row.seen.leg.map(Leg::name),
            src: row.seen.src.name.clone(),
            dst: row.seen.dst.name.clone(),
            service: used.map(|used| Arc::clone(&used.name)),
        };
        let id = row.connection.expect("settled rows have a connection");
        match all.get_mut(&id) {
            Some((key, sum)) => {
                assert_eq!(*key, LegKey::of(row), "two primary legs");
                sum.payload += payload;
            }
            None => drop(all.insert(id, (LegKey::of(row), summary))),
        }
    }
    all.into_iter().map(|(id, (_, summary))| (id, summary)).collect()
}

fn nodes(snapshot: &Snapshot) -> Vec<Node> {
    ["node-a", "node-b"].map(|name| node(name, snapshot)).into()
}

fn snapshot() -> Snapshot {
    let loaded = manifests::load(&recording().join("manifests")).expect("the recorded objects");
    Snapshot::build(&loaded.objects, &SnapshotOptions::default())
}

#[test]
fn a_node_that_is_an_hour_late_changes_nothing_but_an_unnamed_client() {
    let snapshot = snapshot();
    let nodes = nodes(&snapshot);
    let (a, b) = (nodes[0].rows.clone(), nodes[1].rows.clone());
    let together = summaries(&arrive(&[[a.clone(), b.clone()].concat()], &nodes, &snapshot));
    assert!(together.len() > 60, "{} connections", together.len());
    for late in [[a.clone(), b.clone()], [b, a]] {
        let apart = summaries(&arrive(&late, &nodes, &snapshot));
        assert_eq!(together.keys().collect::<Vec<_>>(), apart.keys().collect::<Vec<_>>());
        for (id, one) in &together {
            let other = &apart[id];
            assert_eq!(one.payload, other.payload, "{one:?} {other:?}");
            // The other leg may not be there yet: its end then has the Service's name, and a client behind SNAT, with
            // the Service it dialled, is not known.
            assert!(other.dst == one.dst || other.dst == one.service, "{one:?} {other:?}");
            let hidden = other.src.as_deref().is_some_and(|src| src.starts_with("node-"));
            assert!(other.src == one.src || hidden, "{one:?} {other:?}");
            assert!(other.leg == one.leg || one.leg != Some("client") || hidden, "{one:?} {other:?}");
            assert!(other.service == one.service || hidden && other.service.is_none(), "{one:?} {other:?}");
        }
    }
}

#[test]
fn the_order_within_the_wait_changes_nothing() {
    let snapshot = snapshot();
    let nodes = nodes(&snapshot);
    let rows = [nodes[0].rows.clone(), nodes[1].rows.clone()].concat();
    let usual = summaries(&arrive(std::slice::from_ref(&rows), &nodes, &snapshot));
    for seed in 1..20_u64 {
        let mut shuffled = rows.clone();
        shuffled.sort_by_key(|row| {
            let mixed = (row.seen.flow.id.0 ^ row.seen.flow.first_ts.0 as u64).wrapping_mul(seed | 1);
            mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(seed as u32)
        });
        assert_eq!(usual, summaries(&arrive(&[shuffled], &nodes, &snapshot)), "seed {seed}");
    }
}

#[test]
fn with_one_agent_left_out_every_connection_that_the_other_saw_has_one_primary_leg() {
    let snapshot = snapshot();
    for node in nodes(&snapshot) {
        let rows = arrive(std::slice::from_ref(&node.rows), std::slice::from_ref(&node), &snapshot);
        let primaries = summaries(&rows);
        for row in rows {
            // A connection whose opener is watched through a Service's address has its own row for the opener.
            let id = row.connection.expect("settled rows have a connection");
            let is_tcp = row.seen.flow.tcp.is_some();
            assert!(!is_tcp || primaries.contains_key(&id), "{row:#?}");
        }
    }
}
