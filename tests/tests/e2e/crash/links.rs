//! Links that break, agents that vanish, names that are taken, and a journal whose end is torn.

use std::fs::{self, OpenOptions};
use std::io::Write as _;

use serde_json::Value;
use tonic::Code;
use weir_tests::programs::{
    BUSY, Collector, Dice, Kept, RawAgent, Relay, Source, Traffic, number, text, wait_for_status,
};

#[test]
fn batches_sent_twice_over_links_that_break_in_the_middle_are_kept_once() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let collector = Collector::start(data.path(), BUSY);
    let traffic = Traffic::new("node-a", 1, 100);
    let mut dice = Dice::new();
    let last = 40;
    for _ in 0..20 {
        // About as much as twenty batches take.
        let link = Relay::cut_after(collector.url(), 1_000 + dice.below(200_000));
        let Ok(mut agent) = RawAgent::connect(&link.url(), &traffic) else { continue };
        let from = dice.below(agent.durable() + 1) + 1;
        for batch in (from..=last).cycle().map(|sequence| traffic.batch(sequence)) {
            if agent.send(&batch).and_then(|()| agent.send(&batch)).is_err() {
                break;
            }
        }
        drop(agent);
        // The name is free when the collector knows of the break.
        wait_for_state(&collector, "node-a", "silent");
    }
    let mut agent = RawAgent::connect(collector.url(), &traffic).expect("the collector takes it");
    for batch in (1..=last).map(|sequence| traffic.batch(sequence)) {
        agent.send(&batch).and_then(|()| agent.send(&batch)).expect("nothing cuts this link");
    }
    agent.wait_acked(last).expect("nothing cuts this link");
    let node = wait_for_state(&collector, "node-a", "connected");
    assert!(number(&node, "duplicate_batches") > 0, "{node}");
    assert!(collector.terminate().success());
    let kept = Kept::read(Source::Lake(data.path()), &[&traffic]);
    (1..=last).for_each(|sequence| kept.assert_whole(&traffic, sequence));
    assert_eq!(kept.batches_of(&traffic) as u64, last);
}

#[test]
fn a_vanished_agent_is_silent_then_gone_and_its_name_is_free() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let collector = Collector::start(data.path(), &["--node-gone-after", "1s", "--settle", "50ms"]);
    let (first, other) = (Traffic::new("node-a", 1, 5), Traffic::new("node-b", 2, 5));
    let mut stays = RawAgent::connect(collector.url(), &other).expect("the collector takes it");
    let mut agent = RawAgent::connect(collector.url(), &first).expect("the collector takes it");
    agent.send(&first.batch(1)).and_then(|()| agent.wait_acked(1)).expect("the collector takes it");
    drop(agent);
    wait_for_state(&collector, "node-a", "silent");
    wait_for_state(&collector, "node-a", "gone");
    assert!(collector.log().text().contains("agent gone"));
    wait_for_state(&collector, "node-b", "connected");

    let again = Traffic::new("node-a", 3, 5);
    let mut agent = RawAgent::connect(collector.url(), &again).expect("the name is free");
    agent.send(&again.batch(1)).and_then(|()| agent.wait_acked(1)).expect("the collector takes it");
    stays.send(&other.batch(1)).and_then(|()| stays.wait_acked(1)).expect("others are not disturbed");
    wait_for_state(&collector, "node-a", "connected");
    let kept = Kept::read(Source::Server(collector.url()), &[&first, &other, &again]);
    for traffic in [&first, &other, &again] {
        kept.assert_whole(traffic, 1);
    }
}

#[test]
fn of_two_live_agents_with_one_name_the_second_is_told_who_holds_it() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let collector = Collector::start(data.path(), &[]);
    let (first, second) = (Traffic::new("node-a", 0xa1, 5), Traffic::new("node-a", 0xa2, 5));
    let mut holder = RawAgent::connect(collector.url(), &first).expect("the collector takes it");
    let refused = RawAgent::connect(collector.url(), &second).err().expect("the name is taken");
    assert_eq!(refused.code(), Code::AlreadyExists, "{refused}");
    let node = wait_for_state(&collector, "node-a", "connected");
    for part in ["node-a", &first.run().to_string(), text(&node, "peer"), "since 20"] {
        assert!(refused.message().contains(part), "{refused} does not say {part}");
    }
    holder.send(&first.batch(1)).and_then(|()| holder.wait_acked(1)).expect("the holder is not disturbed");
}

#[test]
fn a_torn_end_of_the_journal_costs_no_acked_batch() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let slow = ["--commit-interval", "1h", "--settle", "1h"];
    let traffic = Traffic::new("node-a", 1, 50);
    let collector = Collector::start(data.path(), &slow);
    let mut agent = RawAgent::connect(collector.url(), &traffic).expect("the collector takes it");
    for sequence in 1..=5 {
        agent.send(&traffic.batch(sequence)).expect("the collector takes it");
    }
    agent.wait_acked(5).expect("the collector takes it");
    collector.kill_9();

    let folder = fs::read_dir(data.path().join("_journal")).expect("the journal is here");
    let segments = folder.map(|entry| entry.expect("a folder entry").path());
    let last = segments.filter(|path| path.extension().is_some_and(|ending| ending == "seg")).max();
    let mut segment = OpenOptions::new().append(true).open(last.expect("a segment")).expect("the segment opens");
    // The head of an entry of 4 KiB, and not all of the entry.
    segment.write_all(&[0, 16, 0, 0, 1, 2, 3, 4, 5, 6, 7]).expect("the segment is written");
    drop(segment);

    let collector = Collector::start(data.path(), &slow);
    collector.log().wait_for("torn");
    let mut agent = RawAgent::connect(collector.url(), &traffic).expect("the collector takes it");
    assert_eq!(agent.durable(), 5);
    agent.send(&traffic.batch(6)).and_then(|()| agent.wait_acked(6)).expect("the journal goes on");
    drop(agent);
    assert!(collector.terminate().success());
    let kept = Kept::read(Source::Lake(data.path()), &[&traffic]);
    (1..=6).for_each(|sequence| kept.assert_whole(&traffic, sequence));
}

#[test]
fn a_full_journal_refuses_batches_until_there_is_room_and_loses_none() {
    let data = tempfile::tempdir().expect("a temporary folder");
    let small = ["--journal-bytes", "100KiB", "--commit-interval", "100ms", "--settle", "50ms"];
    let collector = Collector::start(data.path(), &small);
    let traffic = Traffic::new("node-a", 1, 100);
    let (last, mut refusals) = (100, 0);
    loop {
        let mut agent = match RawAgent::connect(collector.url(), &traffic) {
            Ok(agent) => agent,
            // The collector has not yet heard that the stream before is over.
            Err(status) if status.code() == Code::AlreadyExists => continue,
            Err(status) => panic!("{status}"),
        };
        // All at once, so that batches behind the one without room are on their way too.
        let from = agent.durable() + 1;
        let sent = (from..=last).try_for_each(|sequence| agent.send(&traffic.batch(sequence)));
        match sent.and_then(|()| if from > last { Ok(()) } else { agent.wait_acked(last) }) {
            Ok(()) => break,
            Err(status) => assert_eq!(status.code(), Code::ResourceExhausted, "{status}"),
        }
        refusals += 1;
    }
    assert!(refusals > 0, "the journal was never full");
    assert!(collector.terminate().success());
    let kept = Kept::read(Source::Lake(data.path()), &[&traffic]);
    (1..=last).for_each(|sequence| kept.assert_whole(&traffic, sequence));
}

/// Waits until `weir status` says that the node is in this state, and gives what it says of the node.
fn wait_for_state(collector: &Collector, node: &str, state: &str) -> Value {
    let of = |status: &Value| {
        let nodes = status.get("nodes").and_then(Value::as_array);
        nodes.and_then(|nodes| nodes.iter().find(|found| text(found, "node") == node)).cloned()
    };
    let is = |status: &Value| of(status).is_some_and(|node| text(&node, "state") == state);
    let status = wait_for_status(collector.url(), &format!("{node} {state}"), is);
    of(&status).expect("the node was just there")
}
