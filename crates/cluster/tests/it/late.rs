//! The recorded cluster, its two nodes' rows arriving in any order and an hour apart: the same connections, primary
//! legs, sums and names, as long as it is known from the start which pods are watched.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use weir_cluster::join::{Finality, JoinOptions, Joiner, LegKey};
use weir_cluster::{Snapshot, SnapshotOptions};
use weir_model::{ConnectionId, FlowRow, Leg, RunId};

use crate::recorded::{Node, Recording};

const HOUR_NS: i64 = 3_600_000_000_000;

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
    Recording("routed").nodes(snapshot)
}

fn snapshot() -> Snapshot {
    Snapshot::build(&Recording("routed").objects(), &SnapshotOptions::default())
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
