//! TCP: what came again, what was asked for, what only asked, and what never came.

use weir_flow::TrackerConfig;
use weir_model::{PerDirection, Tcp};

use crate::packets::{ACK, FIN, PSH, SYN, Tap};

/// A connection whose opener has sent 100 bytes: its numbers go on at 201.
fn begun() -> Tap {
    let mut tap = Tap::totals();
    tap.handshake(0.0);
    tap.out(0.1, PSH | ACK, 101, 501, 100);
    tap
}

fn tcp(tap: Tap) -> Tcp {
    tap.only().tcp.expect("TCP")
}

#[test]
fn keep_alives_are_counted_as_nothing_else() {
    let mut tap = begun();
    tap.back(0.11, ACK, 501, 201, 0);
    for seconds in [5.0, 10.0, 15.0] {
        tap.out(seconds, ACK, 200, 501, usize::from(seconds < 6.0));
        tap.back(seconds + 0.001, ACK, 501, 201, 0);
    }
    tap.back(16.0, ACK, 500, 201, 0);
    tap.out(20.0, ACK, 201, 501, 100);
    tap.out(20.3, ACK, 201, 501, 100);
    let tcp = tcp(tap);
    assert_eq!(tcp.keep_alives, PerDirection { fwd: 3, rev: 1 });
    assert_eq!((tcp.retransmits.fwd, tcp.out_of_order.fwd, tcp.lost_bytes.fwd), (1, 0, 0));
    assert_eq!(tcp.fast_retransmits.fwd, 0, "answers to keep-alives ask for nothing");
}

#[test]
fn an_ack_that_a_fin_overtook_is_no_keep_alive() {
    let mut tap = begun();
    tap.out(0.2, FIN | ACK, 201, 501, 0);
    tap.out(0.2001, ACK, 201, 501, 0);
    assert_eq!(tcp(tap).keep_alives.fwd, 0);
}

#[test]
fn a_connection_joined_at_a_keep_alive_has_lost_nothing() {
    let mut tap = Tap::totals();
    tap.out(0.0, ACK, 200, 501, 0);
    tap.back(0.1, ACK, 501, 201, 0);
    tap.out(1.0, ACK, 201, 501, 50);
    assert_eq!(tcp(tap).lost_bytes.fwd, 0);
}

#[test]
fn a_retransmit_is_fast_once_for_what_was_asked_for() {
    let mut tap = begun();
    tap.out(0.101, ACK, 301, 501, 100);
    for _ in 0..4 {
        tap.back(0.12, ACK, 501, 201, 0);
    }
    tap.out(0.121, ACK, 201, 501, 100);
    tap.out(0.5, ACK, 201, 501, 100);
    let tcp = tcp(tap);
    assert_eq!((tcp.retransmits.fwd, tcp.fast_retransmits.fwd), (2, 1), "the second waited for its timer");
    assert_eq!((tcp.retransmits.rev, tcp.lost_bytes.fwd), (0, 0));
}

#[test]
fn what_was_acknowledged_and_never_seen_is_lost() {
    let mut tap = begun();
    tap.out(0.2, ACK, 301, 501, 100);
    tap.back(0.21, ACK, 501, 401, 0);
    tap.out(0.3, ACK, 401, 501, 100);
    tap.out(0.4, ACK, 601, 501, 100);
    assert_eq!(tcp(tap).lost_bytes, PerDirection { fwd: 200, rev: 0 });
}

#[test]
fn what_is_missing_at_the_end_is_lost_and_what_came_late_is_not() {
    let mut tap = begun();
    for seq in [301, 501, 701] {
        tap.out(0.2, ACK, seq, 501, 100);
    }
    tap.out(0.201, ACK, 201, 501, 100);
    tap.out(0.7, ACK, 601, 501, 40);
    tap.out(0.7, ACK, 641, 501, 59);
    let tcp = tcp(tap);
    assert_eq!((tcp.lost_bytes.fwd, tcp.out_of_order.fwd, tcp.retransmits.fwd), (101, 1, 2));
}

#[test]
fn the_last_bytes_are_lost_too_where_they_were_acknowledged() {
    for (acked, lost) in [(201, 0), (202, 0), (301, 100)] {
        let mut tap = begun();
        tap.back(0.2, FIN | ACK, 501, acked, 0);
        assert_eq!(tcp(tap).lost_bytes.fwd, lost, "acknowledged up to {acked}");
    }
}

#[test]
fn numbers_that_no_window_reaches_are_no_loss() {
    let mut tap = begun();
    tap.out(0.2, ACK, 201 + (1 << 30) + 1, 501, 100);
    assert_eq!(tcp(tap).lost_bytes.fwd, 0);
}

#[test]
fn what_a_row_counts_is_not_in_the_next() {
    let mut tap = Tap::new(TrackerConfig::default());
    tap.handshake(0.0);
    tap.out(0.1, ACK, 101, 501, 100);
    tap.out(1.0, ACK, 200, 501, 0);
    tap.out(2.0, ACK, 101, 501, 100);
    tap.out(3.0, ACK, 301, 501, 100);
    tap.back(3.1, ACK, 501, 401, 0);
    tap.out(70.0, ACK, 401, 501, 100);
    tap.out(71.0, ACK, 601, 501, 100);
    let rows: Vec<_> = tap.end().into_iter().filter_map(|flow| flow.tcp).collect();
    let counts: Vec<_> =
        rows.iter().map(|tcp| (tcp.keep_alives.fwd, tcp.retransmits.fwd, tcp.lost_bytes.fwd)).collect();
    assert_eq!(counts, [(1, 1, 0), (0, 0, 200)]);
    let acks: Vec<_> = rows.iter().map(|tcp| tcp.handshake_ack_us).collect();
    assert_eq!(acks, [Some(10_000), None]);
}

#[test]
fn data_of_a_fast_open_is_told_apart_from_a_repeated_syn() {
    let mut tap = Tap::totals();
    tap.out(0.0, SYN, 100, 0, 20);
    tap.back(0.01, SYN | ACK, 500, 121, 30);
    tap.out(0.02, ACK, 121, 531, 0);
    tap.out(0.03, ACK, 121, 531, 5);
    let flow = tap.only();
    let tcp = flow.tcp.expect("TCP");
    assert_eq!((flow.counters.fwd.payload, flow.counters.rev.payload), (25, 30));
    assert_eq!((tcp.retransmits.fwd, tcp.lost_bytes.fwd, tcp.handshake_rtt_us), (0, 0, Some(10_000)));
}

#[test]
fn both_sides_may_open_at_once() {
    let mut tap = Tap::totals();
    tap.out(0.0, SYN, 100, 0, 0);
    tap.back(0.001, SYN, 500, 0, 0);
    tap.out(0.010, SYN | ACK, 100, 501, 0);
    tap.back(0.011, SYN | ACK, 500, 101, 0);
    tap.out(0.020, ACK, 101, 501, 10);
    let flow = tap.only();
    let tcp = flow.tcp.expect("TCP");
    assert_eq!(tcp.isn, PerDirection { fwd: Some(100), rev: Some(500) });
    assert_eq!((flow.outcome, tcp.lost_bytes.fwd), (weir_model::Outcome::Established, 0));
}
