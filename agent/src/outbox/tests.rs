//! An outbox in memory alone: order, acks, what is dropped and how it is counted.

use weir_model::{Report, Timestamp};

use super::*;
use crate::sample;

const RUN: RunId = RunId(7);

/// Room for `records` records in batches of one.
fn outbox(records: usize) -> Outbox {
    let bounds = Bounds { memory_bytes: records * 2 * RECORD_BYTES, overflow: Overflow::DropOldest };
    Outbox::new("node-a".into(), RUN, bounds, None, Arc::default())
}

fn one_flow(count: u8) -> Contents {
    Contents { flows: vec![sample::attributed(count)], ..Contents::default() }
}

fn sequences(outbox: &Outbox) -> Vec<u64> {
    outbox.batches.iter().map(|waiting| waiting.batch.sequence).collect()
}

/// What `counts` flows of the sample come to, first to last.
fn lost(stage: LossStage, first: u8, last: u8) -> Loss {
    let flows = u64::from(last - first) + 1;
    Loss {
        stage,
        interface: None,
        from_ts: Timestamp::from_parts(10, i64::from(first)),
        to_ts: Timestamp::from_parts(10, i64::from(last) + 1_000),
        packets: Some(5 * flows),
        bytes: Some(500 * flows),
        rows: Some(flows),
    }
}

fn carried(outbox: &mut Outbox, sequence: u64) -> Vec<Loss> {
    outbox.next(RUN, sequence - 1).expect("a batch").losses.clone()
}

#[test]
fn numbers_batches_in_order_and_drops_what_is_acked() {
    let mut outbox = outbox(10);
    (1..=4).for_each(|count| outbox.push(one_flow(count)));
    assert_eq!(sequences(&outbox), [1, 2, 3, 4]);
    let batch = outbox.next(RUN, 0).expect("a batch");
    assert_eq!((&*batch.node, batch.run), ("node-a", RunId(7)));
    assert_eq!(batch.flows, [sample::attributed(1)]);
    outbox.acked(RUN, 2);
    assert_eq!(sequences(&outbox), [3, 4]);
    outbox.acked(RUN, 1);
    assert_eq!((outbox.len(), outbox.rows()), (2, 2), "an old ack changes nothing");
    assert_eq!(outbox.next(RUN, 3).map(|batch| batch.sequence), Some(4));
    assert_eq!(outbox.next(RUN, 4), None);
    outbox.acked(RUN, u64::MAX);
    assert!(outbox.is_empty());
    assert_eq!((outbox.bytes, outbox.take_lost()), (0, vec![]));
}

#[test]
fn numbers_go_on_after_everything_was_acked() {
    let mut outbox = outbox(10);
    outbox.push(one_flow(1));
    outbox.acked(RUN, 1);
    outbox.push(one_flow(2));
    assert_eq!(sequences(&outbox), [2]);
}

#[test]
fn the_oldest_batch_makes_room_and_the_next_batch_carries_its_loss() {
    let mut outbox = outbox(3);
    (1..=3).for_each(|count| outbox.push(one_flow(count)));
    assert!(outbox.is_full());
    outbox.push(one_flow(4));
    assert_eq!(sequences(&outbox), [2, 3, 4]);
    assert_eq!(carried(&mut outbox, 4), [lost(LossStage::Unacked, 1, 1)]);
    assert_eq!(outbox.take_lost(), [], "it is carried once");
}

#[test]
fn losses_of_a_dropped_batch_are_passed_on_and_summed_up() {
    let mut outbox = outbox(3);
    let kernel = |packets| Loss {
        stage: LossStage::Kernel,
        interface: Some("eth0".into()),
        bytes: None,
        packets: Some(packets),
        rows: None,
        ..lost(LossStage::Kernel, 1, 1)
    };
    outbox.push(Contents { losses: vec![kernel(5), kernel(6)], ..one_flow(1) });
    for count in 2..=100 {
        outbox.push(one_flow(count));
    }
    assert!(outbox.bytes <= outbox.bounds.memory_bytes + size_of(&outbox.batches[0].batch), "{} bytes", outbox.bytes);
    let mut losses: Vec<Loss> = outbox.batches.iter().flat_map(|waiting| waiting.batch.losses.clone()).collect();
    losses.extend(outbox.take_lost());
    let of = |stage| losses.iter().filter(move |loss| loss.stage == stage);
    assert_eq!(of(LossStage::Kernel).map(|loss| loss.packets).collect::<Vec<_>>(), [Some(11)]);
    let rows = of(LossStage::Unacked).filter_map(|loss| loss.rows).sum::<u64>();
    let kept = outbox.batches.iter().map(|waiting| waiting.batch.flows.len() as u64).sum::<u64>();
    assert_eq!(rows + kept, 100, "every row is kept or counted once");
    let bytes = of(LossStage::Unacked).filter_map(|loss| loss.bytes).sum::<u64>();
    assert_eq!(bytes, rows * 500);
}

#[test]
fn a_refused_batch_is_a_loss_and_the_others_stay() {
    let mut outbox = outbox(10);
    (1..=3).for_each(|count| outbox.push(one_flow(count)));
    outbox.refused(RUN, 2);
    assert_eq!(sequences(&outbox), [1, 3]);
    outbox.refused(RUN, 2);
    outbox.refused(RUN, 9);
    outbox.push(one_flow(4));
    assert_eq!(carried(&mut outbox, 4), [lost(LossStage::Wire, 2, 2)]);
}

#[test]
fn the_start_of_a_flow_is_no_row() {
    let mut outbox = outbox(10);
    let mut started = one_flow(1);
    started.flows[0].flow.report = Report::Start;
    started.flows.push(sample::attributed(2));
    outbox.push(started);
    assert_eq!(outbox.rows(), 1);
    outbox.refused(RUN, 1);
    assert_eq!(outbox.take_lost(), [lost(LossStage::Wire, 2, 2)]);
}
