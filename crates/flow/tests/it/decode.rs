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
    ] {
        is_inner(&flow_of(link, &bytes));
    }
}

#[test]
fn rare_links_lead_to_the_packet() {
    let snap = with(vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &inner());
    let wlan = with([&[0x88, 1, 0, 0][..], &[2; 20], &[0, 0]].concat(), &snap);
    let padded = with([&[0x88, 1, 0, 0][..], &[2; 20], &[0, 0, 0, 0]].concat(), &snap);
    let aggregate = with([&[0x88, 1, 0, 0][..], &[2; 20], &[0x80, 0], &[2; 12], &[0, 44]].concat(), &snap);
    let between = with([&[0x08, 3, 0, 0][..], &[2; 26]].concat(), &snap);
    let radiotap = with(vec![0, 0, 8, 0, 0, 0, 0, 0], &wlan);
    let mut routed_ring = [&[0x10, 0x40][..], &[2; 6], &[0x82; 6]].concat();
    routed_ring.extend([&[4, 0, 1, 2][..], &snap].concat());
    for (link, bytes) in [
        (6, routed_ring),
        (6, with([&[0x10, 0x40][..], &[2; 12]].concat(), &snap)),
        (8, with(vec![0; 16], &inner())),
        (10, with([&[0x50][..], &[2; 12]].concat(), &snap)),
        (50, with(vec![0x0f, 0, 8, 0], &inner())),
        (51, with(vec![0x11, 0, 0, 1, 0, 38, 0, 0x21], &inner())),
        (100, snap.clone()),
        (106, snap.clone()),
        (106, inner()),
        (104, with(vec![0x0f, 0, 8, 0], &inner())),
        (105, wlan.clone()),
        (105, padded),
        (105, aggregate),
        (105, between),
        (107, with(vec![0x18, 0x41, 3, 0xcc], &inner())),
        (107, with(vec![0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0], &inner())),
        (107, with(vec![0x18, 0x41, 8, 0], &inner())),
        (109, with(vec![0; 12], &inner())),
        (117, with([&[45, 2][..], &[0; 46]].concat(), &inner())),
        (119, with([&[0, 0, 0, 0x44, 0, 0, 0, 16][..], &[0; 8]].concat(), &wlan)),
        (122, with(vec![0; 16], &snap)),
        (127, radiotap.clone()),
        (138, with([&[2; 16][..], &[8, 0]].concat(), &inner())),
        (163, with([&[0x80, 0x21, 0x10, 1, 0, 0, 0, 12][..], &[0; 4]].concat(), &wlan)),
        (166, with(vec![1, 3, 0, 0x21], &inner())),
        (192, with(vec![0, 0, 8, 0, 127, 0, 0, 0], &radiotap)),
        (204, with(vec![1, 0xff, 3, 0x21], &inner())),
        (226, with(vec![0; 24], &inner())),
        (258, with(vec![12, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0], &ethernet(0x0800, &inner()))),
        (274, with(vec![0x55; 8], &ethernet(0x0800, &inner()))),
        (281, with([&[2; 12][..], &[0, 0, 0, 5, 8, 0]].concat(), &inner())),
        (282, with(vec![0, 0, 0, 5], &ethernet(0x0800, &inner()))),
        (284, with([&[2; 12][..], &[0xc0, 0, 0, 5, 8, 0]].concat(), &inner())),
        (285, with([&[2; 12][..], &[0xda, 0xda, 0, 0, 0xc0, 0, 0, 5, 8, 0]].concat(), &inner())),
        (0, with(vec![0, 8, 0, 0], &inner())),
        (113, with(vec![0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0, 0, 4], &snap)),
    ] {
        is_inner(&flow_of(LinkType(link), &bytes));
    }
    let mut secret = wlan;
    secret[1] |= 0x40;
    assert_eq!(skipped(LinkType(105), &secret), Some(Skipped::NonIp));
}

#[test]
fn tags_and_labels_lead_to_the_packet() {
    let customer = ethernet(0x0800, &inner());
    for (kind, front, rest) in [
        (0x8847, vec![0, 1, 0, 64, 0, 1, 1, 64], inner()),
        // A pseudowire with its control word, and one without.
        (0x8847, vec![0, 1, 1, 64, 0, 0, 0, 0], customer.clone()),
        (0x8847, vec![0, 1, 1, 64], customer.clone()),
        (0x8864, vec![0x11, 0, 0, 1, 0, 38, 0, 0x21], inner()),
        (0x8864, vec![0x11, 0, 0, 1, 0, 37, 0x21], inner()),
        (0x88e7, vec![0, 0, 0, 5], customer.clone()),
        (0x8926, vec![0, 1, 0, 2, 8, 0], inner()),
        (0x893f, vec![0, 0, 0, 5, 0, 0, 8, 0], inner()),
        (0x8909, vec![1, 1, 0, 1, 0, 5, 8, 0], inner()),
        (0x894f, vec![0, 2, 2, 3, 0, 0, 1, 255], customer),
        (0xf1c1, vec![0, 0, 0, 5, 8, 0], inner()),
        (0x880b, vec![0xff, 3, 0, 0x21], inner()),
    ] {
        is_inner(&flow_of(LinkType::ETHERNET, &ethernet(kind, &with(front, &rest))));
    }
    let discovery = ethernet(0x8864, &[0x11, 9, 0, 0, 0, 4, 1, 1, 0, 0]);
    assert_eq!(skipped(LinkType::ETHERNET, &discovery), Some(Skipped::NonIp));
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
fn every_kind_of_gre_leads_to_the_packet() {
    let customer = ethernet(0x0800, &inner());
    let snap = with(vec![0xaa, 0xaa, 3, 0, 0, 0, 8, 0], &inner());
    for (header, rest, id) in [
        (vec![0, 0, 8, 0], inner(), None),
        (vec![0xb0, 0, 8, 0, 1, 1, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1], inner(), Some(9)),
        (vec![0x40, 0, 8, 0, 0, 0, 0, 0, 8, 0, 0, 4, 1, 2, 3, 4, 0, 0, 0, 0], inner(), None),
        (vec![0, 0, 0x65, 0x58], customer.clone(), None),
        (vec![0, 0, 0x88, 0xbe], customer.clone(), None),
        (vec![0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 5, 0, 0, 0, 0], customer.clone(), None),
        (vec![0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0], customer, None),
        (vec![0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0x88, 0], inner(), None),
        (vec![0, 0, 0x88, 0x3e], inner(), None),
        (vec![0, 0, 0x88, 0x3e, 0, 1, 2, 3], inner(), None),
        (vec![0, 0, 0x82, 0], with([&[0x08, 1, 0, 0][..], &[2; 20]].concat(), &snap), None),
        // PPTP, with and without an acknowledgement.
        (vec![0x30, 1, 0x88, 0x0b, 0, 40, 0, 7, 0, 0, 0, 1, 0xff, 3, 0, 0x21], inner(), Some(7)),
        (vec![0x30, 0x81, 0x88, 0x0b, 0, 37, 0, 7, 0, 0, 0, 1, 0, 0, 0, 1, 0x21], inner(), Some(7)),
    ] {
        let flow = flow_of(LinkType::RAW, &ipv4([1; 4], [2; 4], 47, &with(header, &rest)));
        is_inner(&flow);
        assert_eq!(flow.tunnel, [Tunnel { kind: TunnelKind::Gre, id }]);
    }
    let encrypted = [0x30, 1, 0x88, 0x0b, 0, 40, 0, 7, 0, 0, 0, 1, 0, 0xfd, 1, 2, 3];
    assert_eq!(flow_of(LinkType::RAW, &ipv4(A, B, 47, &encrypted)).tuple.protocol, Protocol(47));
}

#[test]
fn vxlan_says_what_is_inside_on_its_other_port() {
    for (front, rest) in [
        ([8, 0, 0, 0, 0, 0, 7, 0], ethernet(0x0800, &inner())),
        ([12, 0, 0, 3, 0, 0, 7, 0], ethernet(0x0800, &inner())),
        ([12, 0, 0, 1, 0, 0, 7, 0], inner()),
    ] {
        let packet = ipv4([1; 4], [2; 4], 17, &udp(5, 4790, &with(front.to_vec(), &rest)));
        let flow = flow_of(LinkType::RAW, &packet);
        is_inner(&flow);
        assert_eq!(flow.tunnel, [Tunnel { kind: TunnelKind::Vxlan, id: Some(7) }]);
    }
}

#[test]
fn a_flow_lists_the_tunnels_of_both_directions() {
    let geneve = |id: u8, inner: &[u8]| {
        let inside = with(vec![0, 0, 8, 0, 0, 0, id, 0], inner);
        ipv4([1; 4], [2; 4], 17, &udp(5, 6081, &inside))
    };
    let mut tap = Tap::totals();
    for id in [10, 11, 10] {
        let (from, to, ports) = if id == 10 { (A, B, (4000, 53)) } else { (B, A, (53, 4000)) };
        tap.ip(0.0, &geneve(id, &ipv4(from, to, 17, &udp(ports.0, ports.1, b"x"))));
    }
    let ids: Vec<_> = tap.only().tunnel.iter().map(|tunnel| tunnel.id).collect();
    assert_eq!(ids, [Some(10), Some(11)]);
}

#[test]
fn big_tcp_in_a_tunnel_goes_on_to_the_end_of_the_frame() {
    let mut big = ipv4(A, B, 6, &tcp(4000, 80, 16, 1, 1, &[0; 100]));
    (big[2], big[3]) = (0, 0);
    let mut outer = vxlan(&ethernet(0x0800, &big));
    (outer[2], outer[3]) = (0, 0);
    let mut tap = Tap::totals();
    let frame = Frame { time: at(0.0), wire_len: 150_050, link: LinkType::RAW, bytes: &outer };
    tap.tracker.observe(&frame, &mut tap.flows);
    let flow = tap.only();
    assert_eq!((flow.counters.fwd.bytes, flow.tunnel.len()), (150_000, 1));
}

#[test]
fn an_authenticated_packet_is_the_packet_behind_the_header() {
    let header = [17, 4, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let flow = flow_of(LinkType::RAW, &ipv4(A, B, 51, &with(header.to_vec(), &udp(4000, 53, b"x"))));
    assert_eq!((flow.tuple.protocol, flow.tuple.dst_port, flow.counters.fwd.payload), (Protocol::UDP, 53, 1));
}

#[test]
fn a_packet_cut_before_its_ports_is_of_its_hosts() {
    let packet = inner();
    let mut tap = Tap::totals();
    for bytes in [&packet[..20], &packet[..23]] {
        let cut = Frame { time: at(0.0), wire_len: 36, link: LinkType::RAW, bytes };
        tap.tracker.observe(&cut, &mut tap.flows);
    }
    let flow = tap.only();
    assert_eq!((flow.tuple.protocol, flow.tuple.dst_port, flow.counters.fwd.bytes), (Protocol::UDP, 0, 72));
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
