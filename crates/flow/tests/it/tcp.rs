//! TCP: openers, handshakes, numbers, ends.

use weir_model::{EndReason, InitiatorBy, Outcome, PerDirection, TcpState};

use crate::packets::{A, ACK, B, FIN, PSH, RST, SYN, Tap};

#[test]
fn a_connection_tells_its_handshake_and_its_end() {
    let mut tap = Tap::totals();
    tap.out(-1.0, SYN, 100, 0, 0);
    tap.handshake(0.0);
    tap.out(0.1, PSH | ACK, 101, 501, 50);
    tap.back(0.2, PSH | ACK, 501, 151, 70);
    tap.out(0.3, FIN | ACK, 151, 571, 0);
    tap.back(0.4, FIN | ACK, 571, 152, 0);
    tap.out(0.5, ACK, 152, 572, 0);
    let flow = tap.only();
    let tcp = flow.tcp.expect("TCP");
    assert_eq!((flow.tuple.src_ip, flow.tuple.dst_port), (A.into(), 80));
    assert_eq!((flow.initiator_by, flow.outcome), (InitiatorBy::Syn, Outcome::Established));
    assert_eq!(flow.end_reason, Some(EndReason::Fin));
    assert_eq!(tcp.state, TcpState::Closed);
    assert_eq!((tcp.handshake_rtt_us, tcp.handshake_ack_us), (Some(10_000), Some(10_000)));
    assert_eq!(tcp.isn, PerDirection { fwd: Some(100), rev: Some(500) });
    assert_eq!(tcp.retransmits, PerDirection { fwd: 1, rev: 0 });
    assert_eq!((flow.counters.fwd.packets, flow.counters.rev.packets), (6, 3));
    assert_eq!((flow.counters.fwd.bytes, flow.counters.fwd.payload), (6 * 40 + 50, 50));
}

#[test]
fn a_lone_syn_ack_is_turned_round_and_tells_both_numbers() {
    let mut tap = Tap::totals();
    tap.back(0.0, SYN | ACK, 500, 101, 0);
    let flow = tap.only();
    assert_eq!((flow.tuple.src_ip, flow.initiator_by), (A.into(), InitiatorBy::SynAck));
    assert_eq!(flow.outcome, Outcome::OneWay);
    assert_eq!(flow.tcp.expect("TCP").isn, PerDirection { fwd: Some(100), rev: Some(500) });
    assert_eq!((flow.counters.fwd.packets, flow.counters.rev.packets), (0, 1));
}

#[test]
fn a_lone_refusal_is_turned_round_and_tells_the_openers_number() {
    let mut tap = Tap::totals();
    tap.back(0.0, RST | ACK, 0, 101, 0);
    let flow = tap.only();
    assert_eq!((flow.tuple.src_ip, flow.initiator_by), (A.into(), InitiatorBy::SynAck));
    assert_eq!((flow.outcome, flow.end_reason), (Outcome::Refused, Some(EndReason::ResetByDst)));
    assert_eq!(flow.tcp.expect("TCP").isn, PerDirection { fwd: Some(100), rev: None });
    let mut tap = Tap::totals();
    tap.back(0.0, RST | ACK, 700, 101, 0);
    assert_eq!(tap.only().tuple.src_ip, std::net::IpAddr::from(B), "a reset of what was there refuses nobody");
}

#[test]
fn a_syn_ack_before_its_syn_is_the_same_flow() {
    let mut tap = Tap::totals();
    tap.back(0.0, SYN | ACK, 500, 101, 0);
    tap.out(0.001, SYN, 100, 0, 0);
    tap.out(0.002, ACK, 101, 501, 0);
    let flow = tap.only();
    assert_eq!((flow.tuple.src_ip, flow.initiator_by), (A.into(), InitiatorBy::Syn));
    assert_eq!(flow.outcome, Outcome::Established);
}

#[test]
fn a_tap_that_sees_the_opener_alone_derives_the_other_number() {
    let mut tap = Tap::totals();
    tap.out(0.0, SYN, 100, 0, 0);
    tap.out(0.1, ACK, 101, 501, 0);
    tap.out(0.2, PSH | ACK, 101, 501, 9);
    let flow = tap.only();
    assert_eq!(flow.tcp.expect("TCP").isn, PerDirection { fwd: Some(100), rev: Some(500) });
    assert_eq!(flow.outcome, Outcome::OneWay, "not unanswered");
}

#[test]
fn a_connection_joined_half_way_has_no_numbers() {
    let mut tap = Tap::totals();
    tap.back(0.0, ACK, 900, 300, 10);
    tap.out(0.1, ACK, 300, 910, 0);
    let flow = tap.only();
    assert_eq!((flow.tuple.src_ip, flow.initiator_by), (B.into(), InitiatorBy::FirstPacket));
    assert_eq!(flow.outcome, Outcome::HalfSeen);
    assert_eq!(flow.tcp.expect("TCP").isn, PerDirection { fwd: None, rev: None });
}

#[test]
fn a_split_handshake_is_one_flow_of_the_first_opener() {
    let mut tap = Tap::totals();
    tap.out(0.0, SYN, 100, 0, 0);
    tap.back(0.1, SYN, 500, 0, 0);
    tap.out(0.2, SYN | ACK, 100, 501, 0);
    tap.back(0.3, ACK, 501, 101, 0);
    let flow = tap.only();
    assert_eq!((flow.tuple.src_ip, flow.outcome), (A.into(), Outcome::Established));
    assert_eq!(flow.tcp.expect("TCP").isn, PerDirection { fwd: Some(100), rev: Some(500) });
}

#[test]
fn a_reset_in_answer_to_a_syn_is_a_refusal() {
    let mut tap = Tap::totals();
    tap.out(0.0, SYN, 100, 0, 0);
    tap.back(0.1, RST | ACK, 0, 101, 0);
    let flow = tap.only();
    assert_eq!((flow.outcome, flow.end_reason), (Outcome::Refused, Some(EndReason::ResetByDst)));
}

#[test]
fn syns_without_an_answer_are_unanswered() {
    let mut tap = Tap::totals();
    for seconds in [0.0, 1.0, 3.0, 7.0] {
        tap.out(seconds, SYN, 100, 0, 0);
    }
    let flow = tap.only();
    assert_eq!((flow.outcome, flow.end_reason), (Outcome::Unanswered, Some(EndReason::CaptureEnd)));
    assert_eq!(flow.tcp.expect("TCP").retransmits.fwd, 3);
}

#[test]
fn a_late_ack_is_no_flow_of_its_own_and_a_new_syn_is() {
    let mut tap = Tap::totals();
    tap.handshake(0.0);
    tap.out(0.1, FIN | ACK, 101, 501, 0);
    tap.back(0.2, FIN | ACK, 501, 102, 0);
    tap.out(2.0, ACK, 102, 502, 0);
    tap.out(3.0, SYN, 9_000, 0, 0);
    let flows = tap.end();
    assert_eq!(flows.len(), 2, "{flows:#?}");
    assert_eq!((flows[0].end_reason, flows[0].counters.fwd.packets), (Some(EndReason::Fin), 4));
    assert_eq!(flows[1].outcome, Outcome::Unanswered);
}

#[test]
fn a_syn_with_another_number_in_an_open_connection_reuses_the_tuple() {
    let mut tap = Tap::totals();
    tap.handshake(0.0);
    tap.out(1.0, SYN, 7_000, 0, 0);
    let flows = tap.end();
    assert_eq!(flows.len(), 2);
    assert_eq!(flows[0].end_reason, Some(EndReason::Reused));
    assert_eq!(flows[1].tcp.expect("TCP").isn.fwd, Some(7_000));
}

#[test]
fn keep_alives_are_no_retransmits_and_overtaken_segments_are_out_of_order() {
    let mut tap = Tap::totals();
    tap.handshake(0.0);
    tap.out(0.1, ACK, 101, 501, 100);
    tap.out(5.0, ACK, 200, 501, 1);
    tap.out(10.0, ACK, 200, 501, 0);
    tap.out(11.0, ACK, 301, 501, 100);
    tap.out(11.001, ACK, 201, 501, 100);
    tap.out(12.0, ACK, 101, 501, 100);
    let tcp = tap.only().tcp.expect("TCP");
    assert_eq!((tcp.retransmits.fwd, tcp.out_of_order.fwd), (1, 1));
}

#[test]
fn a_segment_that_was_asked_for_is_a_retransmit_however_soon() {
    for (repeats, retransmits, out_of_order) in [(0, 0, 1), (2, 1, 0)] {
        let mut tap = Tap::totals();
        tap.handshake(0.0);
        tap.out(0.100, ACK, 101, 501, 100);
        tap.out(0.101, ACK, 301, 501, 100);
        for _ in 0..=repeats {
            tap.back(0.1015, ACK, 501, 201, 0);
        }
        tap.out(0.102, ACK, 201, 501, 100);
        let tcp = tap.only().tcp.expect("TCP");
        assert_eq!((tcp.retransmits.fwd, tcp.out_of_order.fwd), (retransmits, out_of_order), "{repeats} repeats");
    }
}

#[test]
fn bytes_sent_again_with_new_ones_behind_them_are_a_retransmit() {
    let mut tap = Tap::totals();
    tap.handshake(0.0);
    tap.out(0.1, ACK, 101, 501, 100);
    tap.out(0.4, ACK, 151, 501, 100);
    assert_eq!(tap.only().tcp.expect("TCP").retransmits.fwd, 1);
}

#[test]
fn data_in_a_syn_counts_and_does_not_hide_the_handshake() {
    for acked in [101, 106] {
        let mut tap = Tap::totals();
        tap.out(0.0, SYN, 100, 0, 5);
        tap.back(0.01, SYN | ACK, 500, acked, 0);
        tap.out(0.02, ACK, acked, 501, 106 - acked as usize);
        let flow = tap.only();
        let tcp = flow.tcp.expect("TCP");
        assert_eq!((tcp.handshake_rtt_us, tcp.handshake_ack_us), (Some(10_000), Some(10_000)));
        assert_eq!((flow.outcome, tcp.retransmits.fwd), (Outcome::Established, u32::from(acked == 101)));
    }
}

#[test]
fn a_syn_repeated_after_a_refusal_may_still_succeed() {
    let mut tap = Tap::totals();
    tap.out(0.0, SYN, 100, 0, 0);
    tap.back(0.1, RST | ACK, 0, 101, 0);
    tap.handshake(1.0);
    let flow = tap.only();
    assert_eq!((flow.outcome, flow.end_reason), (Outcome::Established, Some(EndReason::CaptureEnd)));
    let mut tap = Tap::totals();
    for seconds in [0.0, 1.0] {
        tap.out(seconds, SYN, 100, 0, 0);
        tap.back(seconds + 0.1, RST | ACK, 0, 101, 0);
    }
    assert_eq!(tap.only().outcome, Outcome::Refused);
}

#[test]
fn a_reset_of_an_older_connection_leaves_the_new_one_alone() {
    let mut tap = Tap::totals();
    tap.out(0.0, SYN, 100, 0, 0);
    tap.back(0.01, SYN | ACK, 500, 55, 0);
    tap.out(0.02, RST, 55, 0, 0);
    tap.back(0.5, SYN | ACK, 900, 101, 0);
    tap.out(0.51, ACK, 101, 901, 0);
    let flow = tap.only();
    assert_eq!((flow.outcome, flow.end_reason), (Outcome::Established, Some(EndReason::CaptureEnd)));
    assert_eq!(flow.tcp.expect("TCP").isn, PerDirection { fwd: Some(100), rev: Some(900) });
}

#[test]
fn the_numbers_stay_the_same_in_every_report() {
    let mut tap = Tap::new(weir_flow::TrackerConfig::default());
    tap.handshake(0.0);
    tap.out(70.0, ACK, 101, 501, 5);
    tap.out(140.0, ACK, 106, 501, 5);
    let flows = tap.end();
    assert_eq!(flows.len(), 3);
    let isn = PerDirection { fwd: Some(100), rev: Some(500) };
    assert!(flows.iter().all(|flow| flow.tcp.is_some_and(|tcp| tcp.isn == isn)), "{flows:#?}");
    let rtts: Vec<_> = flows.iter().map(|flow| flow.tcp.and_then(|tcp| tcp.handshake_rtt_us)).collect();
    assert_eq!(rtts, [Some(10_000), None, None], "only in the report that saw it");
}
