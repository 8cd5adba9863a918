//! Decoding: link layers, tunnels, fragments, odd lengths, and what is skipped.

use weir_flow::Skipped;
use weir_model::{Flow, Frame, LinkType, Protocol, Tunnel, TunnelKind};

use crate::packets::{A, B, Tap, at, ethernet, fragment, ipv4, ipv6, tcp, udp};

fn flow_of(link: LinkType, bytes: &[u8]) -> Flow {
    let mut tap = Tap::totals();
    tap.frame(0.0, link, bytes);
    tap.only()
}

fn skipped(link: LinkType, bytes: &[u8]) -> Option<Skipped> {
    let mut tap = Tap::totals();
    tap.frame(0.0, link, bytes);
    Skipped::ALL.into_iter().find(|reason| tap.tracker.counts().skipped(*reason) == 1)
}

fn inner() -> Vec<u8> {
    ipv4(A, B, 17, &udp(4000, 53, b"question"))
}

fn with(mut front: Vec<u8>, rest: &[u8]) -> Vec<u8> {
    front.extend(rest);
    front
}

fn is_inner(flow: &Flow) {
    assert_eq!((flow.tuple.src_ip, flow.tuple.src_port, flow.tuple.dst_port), (A.into(), 4000, 53));
    assert_eq!((flow.counters.fwd.bytes, flow.counters.fwd.payload), (36, 8));
}

#[test]
fn every_link_layer_leads_to_the_packet() {
    let sll = with(vec![0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 8, 0], &inner());
    let sll2 = with([&[8, 0][..], &[0; 18]].concat(), &inner());
    let nflog = with(vec![2, 0, 0, 1, 5, 0, 10, 0, b'x', 0, 0, 0, 40, 0, 9, 0], &inner());
    for (link, bytes) in [
        (LinkType::ETHERNET, ethernet(0x0800, &inner())),
        (LinkType::LINUX_SLL, sll),
        (LinkType::LINUX_SLL2, sll2),
        (LinkType::RAW, inner()),
        (LinkType::NULL, with(vec![2, 0, 0, 0], &inner())),
        (LinkType::LOOP, with(vec![0, 0, 0, 2], &inner())),
        (LinkType::PPP, with(vec![0xff, 3, 0, 0x21], &inner())),
        (LinkType::NFLOG, nflog),
        (LinkType::ETHERNET, ethernet(0x8847, &with(vec![0, 1, 0, 64, 0, 1, 1, 64], &inner()))),
        (LinkType::ETHERNET, ethernet(0x8864, &with(vec![0x11, 0, 0, 1, 0, 38, 0, 0x21], &inner()))),
    ] {
        is_inner(&flow_of(link, &bytes));
    }
}

#[test]
fn vlans_are_listed_from_the_outside_in() {
    let tagged = with(vec![0, 100, 0x81, 0, 0x20, 200, 8, 0], &inner());
    let flow = flow_of(LinkType::ETHERNET, &ethernet(0x88a8, &tagged));
    is_inner(&flow);
    assert_eq!(flow.vlan, [100, 200]);
}

fn vxlan(inside: &[u8]) -> Vec<u8> {
    let frame = with(vec![8, 0, 0, 0, 0, 0, 42, 0], inside);
    ipv4([172, 16, 0, 1], [172, 16, 0, 2], 17, &udp(51_111, 4789, &frame))
}

#[test]
fn tunnels_lead_to_the_innermost_packet() {
    let geneve = with(vec![1, 0, 0x65, 0x58, 0, 0, 7, 0, 1, 2, 3, 0], &ethernet(0x0800, &inner()));
    let geneve = ipv4([1; 4], [2; 4], 17, &udp(5, 6081, &geneve));
    let gre = ipv4([1; 4], [2; 4], 47, &with(vec![0x20, 0, 8, 0, 0, 0, 0, 9], &inner()));
    let ipip = ipv4([1; 4], [2; 4], 4, &inner());
    for (packet, kind, id) in [
        (vxlan(&ethernet(0x0800, &inner())), TunnelKind::Vxlan, Some(42)),
        (geneve, TunnelKind::Geneve, Some(7)),
        (gre, TunnelKind::Gre, Some(9)),
        (ipip, TunnelKind::Ipip, None),
        (ipv6(4, &inner()), TunnelKind::Ipip, None),
    ] {
        let flow = flow_of(LinkType::RAW, &packet);
        is_inner(&flow);
        assert_eq!(flow.tunnel, [Tunnel { kind, id }]);
    }
}

#[test]
fn a_tunnel_of_arp_is_skipped_and_one_of_noise_is_itself() {
    assert_eq!(skipped(LinkType::RAW, &vxlan(&ethernet(0x0806, &[0; 28]))), Some(Skipped::Arp));
    let flow = flow_of(LinkType::RAW, &vxlan(&ethernet(0x0800, &[0; 28])));
    assert_eq!((flow.tuple.dst_port, flow.tunnel.len()), (4789, 0));
}

#[test]
fn tunnels_in_tunnels_end_somewhere() {
    let mut packet = inner();
    for _ in 0..100 {
        packet = ipv4(A, B, 4, &packet);
    }
    let flow = flow_of(LinkType::RAW, &packet);
    assert_eq!(flow.tuple.protocol, Protocol(4));
}

#[test]
fn later_fragments_join_the_flow_of_the_first() {
    let mut tap = Tap::totals();
    let datagram = udp(4000, 53, &[0; 32]);
    tap.ip(0.0, &fragment(A, B, 17, 0x2000, &datagram[..24]));
    tap.ip(0.1, &fragment(A, B, 17, 3, &datagram[24..]));
    let flow = tap.only();
    assert_eq!((flow.tuple.dst_port, flow.counters.fwd.packets, flow.counters.fwd.bytes), (53, 2, 80));
}

#[test]
fn a_later_fragment_alone_has_no_ports() {
    assert_eq!(flow_of(LinkType::RAW, &fragment(A, B, 17, 3, &[9; 16])).tuple.dst_port, 0);
}

#[test]
fn ipv6_extension_headers_are_stepped_over() {
    let hop = [44, 0, 1, 4, 0, 0, 0, 0];
    let atomic = [51, 0, 0, 0, 0, 0, 0, 1];
    let authentication = [17, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let payload = [&hop[..], &atomic, &authentication, &udp(4000, 53, b"x")].concat();
    let flow = flow_of(LinkType::RAW, &ipv6(0, &payload));
    assert_eq!((flow.tuple.protocol, flow.tuple.dst_port, flow.counters.fwd.payload), (Protocol::UDP, 53, 1));
}

#[test]
fn bytes_are_those_of_the_ip_header_or_of_the_wire_where_it_has_none() {
    let mut big = ipv4(A, B, 6, &tcp(4000, 80, 16, 1, 1, &[0; 100]));
    (big[2], big[3]) = (0, 0);
    let mut tap = Tap::totals();
    let frame = ethernet(0x0800, &big);
    tap.tracker.observe(
        &Frame { time: at(0.0), wire_len: 90_014, link: LinkType::ETHERNET, bytes: &frame[..70] },
        &mut tap.flows,
    );
    let flow = tap.only();
    assert_eq!((flow.counters.fwd.bytes, flow.counters.fwd.payload), (90_000, 89_960));
    let padded = ethernet(0x0800, &with(inner(), &[0; 30]));
    is_inner(&flow_of(LinkType::ETHERNET, &padded));
}

#[test]
fn what_is_no_packet_is_counted_by_reason() {
    assert_eq!(skipped(LinkType::ETHERNET, &ethernet(0x0806, &[0; 28])), Some(Skipped::Arp));
    assert_eq!(skipped(LinkType::ETHERNET, &ethernet(0x88cc, &[0; 28])), Some(Skipped::NonIp));
    assert_eq!(skipped(LinkType(147), &[0; 40]), Some(Skipped::UnknownLink));
    assert_eq!(skipped(LinkType::ETHERNET, &[0; 5]), Some(Skipped::Malformed));
    let mut tap = Tap::totals();
    let packet = inner();
    let cut = Frame { time: at(0.0), wire_len: 36, link: LinkType::RAW, bytes: &packet[..18] };
    tap.tracker.observe(&cut, &mut tap.flows);
    assert_eq!(tap.tracker.counts().skipped(Skipped::Truncated), 1);
}
