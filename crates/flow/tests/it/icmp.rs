//! ICMP: echoes, and errors with the flow they quote.

use weir_model::{Icmp, InitiatorBy, Outcome, Protocol};

use crate::packets::{A, B, Tap, fragment, ipv4, ipv6, udp};

/// An echo request (or with another `kind` its reply) of the run of ping `id`.
fn echo(kind: u8, id: u16, sequence: u8) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    vec![kind, 0, 0, 0, high, low, 0, sequence]
}

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

#[test]
fn pings_of_one_pair_of_hosts_are_flows_of_their_own() {
    let mut tap = Tap::totals();
    for (id, count) in [(7, 2), (0, 1), (7, 2)] {
        for sequence in 0..count {
            tap.ip(0.0, &ipv4(A, B, 1, &echo(8, id, sequence)));
            tap.ip(0.1, &ipv4(B, A, 1, &echo(0, id, sequence)));
        }
    }
    // A router advertisement has no identifier, whatever stands in its place.
    tap.ip(0.2, &ipv4(A, B, 1, &[9, 0, 0, 0, 0, 7, 0, 0]));
    let mut flows = tap.end();
    flows.sort_by_key(|flow| flow.icmp_id);
    let seen: Vec<_> =
        flows.iter().map(|flow| (flow.icmp_id, flow.counters.fwd.packets, flow.counters.rev.packets)).collect();
    assert_eq!(seen, [(None, 1, 0), (Some(0), 1, 1), (Some(7), 4, 4)]);
    assert!(flows.iter().all(|flow| (flow.tuple.src_port, flow.tuple.dst_port) == (0, 0)), "an identifier is no port");
}

#[test]
fn a_ping_of_ipv6_is_one_flow() {
    let mut tap = Tap::totals();
    let ask = ipv6(58, &echo(128, 9, 1));
    let mut reply = ipv6(58, &echo(129, 9, 1));
    let (source, destination) = (ask[8..24].to_vec(), ask[24..40].to_vec());
    reply.splice(8..40, [destination, source].concat());
    tap.ip(0.0, &ask);
    tap.ip(0.1, &reply);
    let flow = tap.only();
    assert_eq!((flow.icmp_id, flow.counters.fwd.packets, flow.counters.rev.packets), (Some(9), 1, 1));
}

#[test]
fn fragments_of_a_large_ping_stay_with_it() {
    let mut tap = Tap::totals();
    tap.ip(0.0, &ipv4(A, B, 1, &echo(8, 6, 1)));
    let ping = [echo(8, 7, 1), vec![0; 24]].concat();
    tap.ip(0.1, &fragment(A, B, 1, 0x2000, &ping[..16]));
    tap.ip(0.1, &fragment(A, B, 1, 2, &ping[16..]));
    let flows = tap.end();
    let packets: Vec<_> = flows.iter().map(|flow| (flow.icmp_id, flow.counters.fwd.packets)).collect();
    assert_eq!(packets, [(Some(6), 1), (Some(7), 2)]);
}

#[test]
fn an_error_is_told_at_the_ping_that_it_quotes_and_at_no_other() {
    let mut tap = Tap::totals();
    let pings = [7, 8].map(|id| ipv4(A, B, 1, &echo(8, id, 1)));
    for ping in &pings {
        tap.ip(0.0, ping);
    }
    tap.ip(0.1, &ipv4([10, 0, 0, 9], A, 1, &[&[3, 1, 0, 0, 0, 0, 0, 0][..], &pings[1]].concat()));
    let outcomes: Vec<_> = tap.end().iter().map(|flow| (flow.icmp_id, flow.outcome)).collect();
    let unanswered = (Some(7), Outcome::Unanswered);
    assert_eq!(outcomes, [unanswered, (Some(8), Outcome::Rejected), (None, Outcome::OneWay)]);
}

#[test]
fn an_error_that_quotes_a_later_fragment_is_told_at_its_flow() {
    for is_later in [false, true] {
        let mut tap = Tap::totals();
        let datagram = udp(4000, 53, &[0; 32]);
        let head = |place: u16| {
            let [high, low] = place.to_be_bytes();
            [17, 0, high, low, 0, 0, 0, 5]
        };
        let first = ipv6(44, &[&head(1)[..], &datagram[..24]].concat());
        let later = ipv6(44, &[&head(3 << 3)[..], &datagram[24..]].concat());
        tap.ip(0.0, &first);
        tap.ip(0.0, &later);
        let quoted = if is_later { &later } else { &first };
        tap.ip(0.1, &ipv6(58, &[&[1, 4, 0, 0, 0, 0, 0, 0][..], quoted].concat()));
        let flows = tap.end();
        let udp = flows.iter().find(|flow| flow.tuple.protocol == Protocol::UDP).expect("the quoted flow");
        assert_eq!((udp.outcome, udp.counters.fwd.packets, flows.len()), (Outcome::Rejected, 2, 2), "{flows:#?}");
    }
}

#[test]
fn an_error_about_a_flow_that_was_not_seen_counts_once() {
    let mut tap = Tap::totals();
    let query = ipv4(A, B, 17, &udp(4000, 53, b"?"));
    tap.ip(0.0, &ipv4(B, A, 1, &[&[3, 3, 0, 0, 0, 0, 0, 0][..], &query[..28]].concat()));
    let flow = tap.only();
    assert_eq!((flow.tuple.protocol, flow.counters.fwd.packets, flow.icmp_id), (Protocol::ICMP, 1, None));
}
