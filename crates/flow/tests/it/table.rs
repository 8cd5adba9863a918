//! The table's bounds: flows, bytes, eviction, idle times, flow numbers.

use weir_flow::{Tracker, TrackerConfig};
use weir_model::{EndReason, FlowId, InitiatorBy, Protocol};

use crate::packets::{A, B, Tap, at, ipv4, packets, tcp, udp};

fn flood(tap: &mut Tap, flows: u16) {
    for port in 0..flows {
        tap.ip(f64::from(port) * 0.001, &ipv4(A, B, 17, &udp(port, 9, b"x")));
    }
}

#[test]
fn a_full_table_evicts_and_loses_nothing() {
    let mut tap = Tap::new(TrackerConfig { max_flows: 100, window_ns: None, ..TrackerConfig::default() });
    flood(&mut tap, 1_000);
    assert_eq!((tap.tracker.open_flows(), tap.tracker.counts().evicted), (100, 900));
    let flows = tap.end();
    assert_eq!(flows.len(), 1_000);
    assert_eq!(flows.iter().map(packets).sum::<u64>(), 1_000);
    assert_eq!(flows[0].end_reason, Some(EndReason::Evicted));
    assert_eq!(flows[0].tuple.src_port, 0, "the one that was silent longest");
}

#[test]
fn an_active_flow_outlives_the_flood() {
    let mut tap = Tap::new(TrackerConfig { max_flows: 100, window_ns: None, ..TrackerConfig::default() });
    let busy = ipv4(A, B, 6, &tcp(4000, 80, 16, 1, 1, b"x"));
    for port in 0..5_000 {
        tap.ip(f64::from(port) * 0.01, &ipv4(A, B, 17, &udp(port, 9, b"x")));
        tap.ip(f64::from(port) * 0.01, &busy);
    }
    let flows = tap.end();
    let busy: Vec<_> = flows.iter().filter(|flow| flow.tuple.protocol == Protocol::TCP).collect();
    assert_eq!(busy.len(), 1);
}

#[test]
fn memory_stays_below_its_bound() {
    let max_bytes = 1 << 20;
    let mut tap = Tap::new(TrackerConfig { max_bytes, window_ns: None, ..TrackerConfig::default() });
    flood(&mut tap, 20_000);
    assert!(tap.tracker.memory_bytes() <= max_bytes, "{}", tap.tracker.memory_bytes());
    assert!(tap.tracker.open_flows() > 3_000, "{} flows fit", tap.tracker.open_flows());
}

#[test]
fn a_silent_flow_ends_and_a_late_packet_begins_another() {
    let mut tap = Tap::totals();
    let query = ipv4(A, B, 17, &udp(4000, 53, b"x"));
    tap.ip(0.0, &query);
    tap.ip(29.0, &query);
    tap.ip(200.0, &query);
    let flows = tap.end();
    assert_eq!(
        flows.iter().map(|f| (packets(f), f.end_reason)).collect::<Vec<_>>(),
        [(2, Some(EndReason::Idle)), (1, Some(EndReason::CaptureEnd))]
    );
}

#[test]
fn time_alone_ends_silent_flows() {
    let mut tap = Tap::totals();
    flood(&mut tap, 500);
    tap.tracker.advance(at(40.0), &mut tap.flows);
    assert_eq!((tap.tracker.open_flows(), tap.flows.len()), (0, 500));
}

#[test]
fn sctp_is_opened_by_its_init() {
    let mut tap = Tap::totals();
    let chunk = |kind| [&[0, 7, 0, 80, 0, 0, 0, 0, 0, 0, 0, 0, kind, 0, 0, 20][..], &[0; 16]].concat();
    tap.ip(0.0, &ipv4(B, A, 132, &chunk(2)));
    let flow = tap.only();
    assert_eq!((flow.tuple.src_ip, flow.initiator_by), (A.into(), InitiatorBy::SynAck));
}

#[test]
fn trackers_of_one_run_take_turns_with_numbers() {
    let config = TrackerConfig { run: 5, first_flow: 2, flow_stride: 4, ..TrackerConfig::default() };
    let mut tap = Tap { tracker: Tracker::new(config), flows: Vec::new() };
    flood(&mut tap, 3);
    let mut ids: Vec<_> = tap.end().iter().map(|flow| flow.id).collect();
    ids.sort();
    assert_eq!(ids, [2, 6, 10].map(|number| FlowId::new(5, number)));
}
