//! Packets that are right and rare: tunnels in tunnels, long chains of headers, transport protocols few speak.

use weir_flow::Skipped;
use weir_model::{Flow, LinkType, Protocol, Tunnel, TunnelKind};

use crate::packets::{A, ACK, B, Tap, ethernet, ipv4, ipv6, tcp, udp};

fn flow_of(packet: &[u8]) -> Flow {
    let mut tap = Tap::totals();
    tap.ip(0.0, packet);
    tap.only()
}

fn with(front: &[u8], rest: &[u8]) -> Vec<u8> {
    [front, rest].concat()
}

#[test]
fn gre_in_vxlan_in_a_vlan_leads_to_the_packet() {
    let gre = ipv4(
        [3; 4],
        [4; 4],
        47,
        &with(&[0x30, 0, 0x86, 0xdd, 0, 0, 0, 9, 0, 0, 0, 1], &ipv6(17, &udp(4000, 53, b"x"))),
    );
    let inside = ethernet(0x8100, &with(&[0, 30, 8, 0], &gre));
    let vxlan = with(&[8, 0, 0, 0, 0, 1, 2, 0], &inside);
    let outer = ipv6(17, &udp(51_111, 8472, &vxlan));
    let mut tap = Tap::totals();
    tap.frame(0.0, LinkType::ETHERNET, &ethernet(0x88a8, &with(&[0, 10, 0x81, 0, 0, 20, 0x86, 0xdd], &outer)));
    let flow = tap.only();
    assert_eq!((flow.tuple.protocol, flow.tuple.src_port, flow.tuple.dst_port), (Protocol::UDP, 4000, 53));
    assert_eq!((flow.counters.fwd.bytes, flow.counters.fwd.payload), (49, 1));
    assert_eq!(flow.vlan, [10, 20, 30]);
    let vxlan = Tunnel { kind: TunnelKind::Vxlan, id: Some(0x102) };
    assert_eq!(flow.tunnel, [vxlan, Tunnel { kind: TunnelKind::Gre, id: Some(9) }]);
}

#[test]
fn chains_of_extension_headers_are_followed_to_an_end() {
    const KINDS: [(u8, &[u8]); 5] = [
        (60, &[1, 4, 0, 0, 0, 0]),
        (43, &[4, 0, 0, 0, 0, 0]),
        (140, &[0, 0, 0, 0, 0, 0]),
        (51, &[0, 0, 0, 0, 0, 1]),
        (44, &[0, 0, 0, 0, 0, 1]),
    ];
    for (count, is_followed) in [(5, true), (14, true), (40, false)] {
        let (mut next, mut packet) = (17, udp(4000, 53, b"x"));
        for (kind, rest) in KINDS.into_iter().cycle().take(count) {
            packet = [&[next, 0][..], rest, &packet].concat();
            next = kind;
        }
        let packet = ipv6(0, &[&[next, 0, 1, 4, 0, 0, 0, 0][..], &packet].concat());
        let mut tap = Tap::totals();
        tap.ip(0.0, &packet);
        if is_followed {
            let flow = tap.only();
            assert_eq!((flow.tuple.protocol, flow.tuple.dst_port, flow.counters.fwd.payload), (Protocol::UDP, 53, 1));
        } else {
            assert_eq!(tap.tracker.counts().skipped(Skipped::Malformed), 1);
        }
    }
}

#[test]
fn dccp_and_udp_lite_have_ports_and_payload() {
    // A DCCP request: data offset of five words, long sequence numbers.
    let dccp = [&[0x0f, 0xa0, 0x13, 0x89, 5, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 0][..], b"hello"].concat();
    let lite = udp(4000, 5001, b"hello");
    for (protocol, packet) in [(33, dccp), (136, lite)] {
        let flow = flow_of(&ipv4(A, B, protocol, &packet));
        assert_eq!((flow.tuple.protocol, flow.tuple.src_port, flow.tuple.dst_port), (Protocol(protocol), 4000, 5001));
        assert_eq!(flow.counters.fwd.payload, 5);
    }
}

#[test]
fn a_jumbo_payload_of_ipv6_counts_as_long_as_it_says() {
    let segment = tcp(4000, 80, ACK, 1, 1, &vec![0; 70_000]);
    let length = (segment.len() as u32 + 8).to_be_bytes();
    let hop = [&[6, 0, 0xc2, 4][..], &length].concat();
    let mut packet = ipv6(0, &with(&hop, &segment));
    (packet[4], packet[5]) = (0, 0);
    let flow = flow_of(&packet);
    assert_eq!((flow.counters.fwd.bytes, flow.counters.fwd.payload), (70_068, 70_000));
}

#[test]
fn a_large_segment_without_a_length_ends_with_its_frame_in_any_tunnel() {
    let mut big = ipv4(A, B, 6, &tcp(4000, 80, ACK, 1, 1, &vec![0; 70_000]));
    (big[2], big[3]) = (0, 0);
    let geneve = with(&[0, 0, 0x65, 0x58, 0, 0, 7, 0], &ethernet(0x0800, &big));
    let mut outer = ipv4([1; 4], [2; 4], 17, &udp(5, 6081, &geneve));
    (outer[2], outer[3]) = (0, 0);
    let flow = flow_of(&outer);
    assert_eq!((flow.counters.fwd.bytes, flow.counters.fwd.payload), (70_040, 70_000));
    assert_eq!(flow.tunnel.len(), 1);
}
