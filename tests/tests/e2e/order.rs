//! Whatever the order in which two nodes' batches arrive, connections, their primary legs and their sums are the same.

use std::collections::BTreeMap;

use weir_tests::recorded::{Row, agent, collector, primaries, rows};

/// What is compared of a connection: protocol, payload, and the names, which may be unknown but never others.
#[derive(Clone, Debug, PartialEq)]
struct Summary {
    payload: i64,
    src: Option<String>,
    dst: Option<String>,
    service: Option<String>,
}

fn summaries(rows: &[Row]) -> BTreeMap<i64, Summary> {
    let tcp = primaries(rows).into_iter().filter(|(_, row)| row.protocol == "tcp");
    let summary = |row: &Row| Summary {
        payload: row.payload,
        src: row.src.clone().or_else(|| Some(row.client_ip.unwrap_or(row.src_ip).to_string())),
        dst: row.dst.clone(),
        service: row.service.clone(),
    };
    tcp.map(|(id, row)| (id, summary(row))).collect()
}

fn run(order: &[&[&'static str]], flags: &[&str]) -> Vec<Row> {
    let data = tempfile::tempdir().expect("a folder for the lake");
    let collector = collector("routed", data.path(), &["--commit-interval", "1s"]);
    for together in order {
        let agents: Vec<_> = together.iter().map(|node| agent("routed", node, collector.url(), flags)).collect();
        for agent in agents {
            assert!(agent.ended().success());
        }
    }
    let rows = rows(&collector);
    assert!(collector.terminate().success());
    rows
}

#[test]
fn small_dictionaries_and_small_batches_change_nothing() {
    let usual = summaries(&run(&[&["node-a", "node-b"]], &[]));
    assert!(usual.len() > 50);
    let small = summaries(&run(&[&["node-a", "node-b"]], &["--dictionary-cap", "16", "--batch-records", "3"]));
    assert_eq!(usual, small);
}

#[test]
fn one_node_after_the_other_gives_the_same_connections_and_sums() {
    let together = summaries(&run(&[&["node-a", "node-b"]], &[]));
    for order in [["node-a", "node-b"], ["node-b", "node-a"]] {
        let apart = summaries(&run(&[&order[..1], &order[1..]], &[]));
        assert_eq!(together.keys().collect::<Vec<_>>(), apart.keys().collect::<Vec<_>>(), "the same connections");
        for (id, one) in &together {
            let other = &apart[id];
            assert_eq!(one.payload, other.payload, "{order:?}: {one:?} {other:?}");
            // A collector that has not heard of an agent cannot wait for its legs; it may know less, never otherwise.
            assert!(other.service.is_none() || other.service == one.service, "{order:?}: {one:?} {other:?}");
            assert!(
                other.dst == one.dst || one.dst.is_none() || other.dst == one.service,
                "{order:?}: {one:?} {other:?}"
            );
        }
    }
}

#[test]
fn without_one_agent_every_connection_still_has_one_primary_leg() {
    for node in ["node-a", "node-b"] {
        let rows = run(&[&[node]], &[]);
        let primaries = primaries(&rows);
        for row in rows.iter().filter(|row| row.protocol == "tcp") {
            assert!(primaries.contains_key(&row.connection_id), "{row:#?}");
        }
    }
}
