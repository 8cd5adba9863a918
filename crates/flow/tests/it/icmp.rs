//! ICMP: echoes, and errors with the flow they quote.

use weir_model::{Icmp, InitiatorBy, Outcome, Protocol};

use crate::packets::{A, B, Tap, ipv4, udp};

#[test]
fn an_echo_and_its_reply_are_one_flow_of_who_asked() {
    let mut tap = Tap::totals();
    tap.ip(0.0, &ipv4(B, A, 1, &[0, 0, 0, 0, 0, 1, 0, 1]));
    tap.ip(0.1, &ipv4(A, B, 1, &[8, 0, 0, 0, 0, 1, 0, 2]));
    let flow = tap.only();
    assert_eq!((flow.tuple.src_ip, flow.initiator_by), (A.into(), InitiatorBy::SynAck));
    assert_eq!((flow.outcome, flow.tuple.src_port), (Outcome::Established, 0));
}

#[test]
fn an_error_rejects_the_flow_it_quotes_and_counts_in_its_own() {
    let mut tap = Tap::totals();
    let query = ipv4(A, B, 17, &udp(4000, 53, b"?"));
    tap.ip(0.0, &query);
    let mut error = vec![3, 3, 0, 0, 0, 0, 0, 0];
    error.extend(&query[..28]);
    tap.ip(0.1, &ipv4(B, A, 1, &error));
    let flows = tap.end();
    assert_eq!(flows.len(), 2);
    let unreachable = vec![Icmp { kind: 3, code: 3 }];
    let quoted = flows.iter().find(|flow| flow.tuple.protocol == Protocol::UDP).expect("the quoted flow");
    assert_eq!((quoted.outcome, &quoted.icmp, quoted.counters.rev.packets), (Outcome::Rejected, &unreachable, 0));
    let own = flows.iter().find(|flow| flow.tuple.protocol == Protocol::ICMP).expect("the error's own flow");
    assert_eq!((own.tuple.src_ip, &own.icmp, own.counters.fwd.packets), (B.into(), &unreachable, 1));
}

#[test]
fn a_demand_for_smaller_packets_rejects_nothing() {
    let mut tap = Tap::totals();
    let query = ipv4(A, B, 17, &udp(4000, 53, b"?"));
    tap.ip(0.0, &query);
    let mut error = vec![3, 4, 0, 0, 0, 0, 5, 0];
    error.extend(&query[..28]);
    tap.ip(0.1, &ipv4([10, 0, 0, 9], A, 1, &error));
    let flows = tap.end();
    let quoted = flows.iter().find(|flow| flow.tuple.protocol == Protocol::UDP).expect("the quoted flow");
    assert_eq!((quoted.outcome, quoted.icmp.len()), (Outcome::OneWay, 1));
}

#[test]
fn a_quoted_echo_lists_its_own_messages_alone_and_is_rejected() {
    let mut tap = Tap::totals();
    let echo = ipv4(A, B, 1, &[8, 0, 0, 0, 0, 1, 0, 1]);
    tap.ip(0.0, &echo);
    let error = [&[11, 0, 0, 0, 0, 0, 0, 0][..], &echo].concat();
    tap.ip(0.1, &ipv4([10, 0, 0, 9], A, 1, &error));
    let flows = tap.end();
    let quoted = flows.iter().find(|flow| flow.tuple.dst_ip == std::net::IpAddr::from(B)).expect("the quoted flow");
    assert_eq!((quoted.outcome, &quoted.icmp), (Outcome::Rejected, &vec![Icmp { kind: 8, code: 0 }]));
}
