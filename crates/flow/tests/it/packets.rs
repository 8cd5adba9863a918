//! A tiny builder of packets, and a tap to put them on.

use weir_flow::{Tracker, TrackerConfig};
use weir_model::{EndReason, Flow, Frame, LinkType, Timestamp};

pub(crate) const FIN: u8 = 1;
pub(crate) const SYN: u8 = 2;
pub(crate) const RST: u8 = 4;
pub(crate) const PSH: u8 = 8;
pub(crate) const ACK: u8 = 16;

pub(crate) const A: [u8; 4] = [10, 0, 0, 1];
pub(crate) const B: [u8; 4] = [10, 0, 0, 2];

const SECOND_NS: f64 = 1e9;

/// Seconds of packet time, from an arbitrary whole minute on.
pub(crate) fn at(seconds: f64) -> Timestamp {
    Timestamp(1_699_999_980_000_000_000 + (seconds * SECOND_NS) as i64)
}

/// An IPv4 packet.
pub(crate) fn ipv4(src: [u8; 4], dst: [u8; 4], protocol: u8, payload: &[u8]) -> Vec<u8> {
    fragment(src, dst, protocol, 0, payload)
}

/// An IPv4 packet with the fragment field `place` and identification 7.
pub(crate) fn fragment(src: [u8; 4], dst: [u8; 4], protocol: u8, place: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((20 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 7]);
    packet.extend(place.to_be_bytes());
    packet.extend([64, protocol, 0, 0]);
    packet.extend(src);
    packet.extend(dst);
    packet.extend(payload);
    packet
}

/// An IPv6 packet from `fd00::1` to `fd00::2`.
pub(crate) fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    for last in [1, 2] {
        packet.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    packet.extend(payload);
    packet
}

pub(crate) fn udp(sport: u16, dport: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    packet.extend(sport.to_be_bytes());
    packet.extend(dport.to_be_bytes());
    packet.extend((8 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    packet
}

/// A TCP segment with a window of 1,000.
pub(crate) fn tcp(sport: u16, dport: u16, flags: u8, seq: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
    let mut packet = Vec::new();
    packet.extend(sport.to_be_bytes());
    packet.extend(dport.to_be_bytes());
    packet.extend(seq.to_be_bytes());
    packet.extend(ack.to_be_bytes());
    packet.extend([0x50, flags, 3, 232, 0, 0, 0, 0]);
    packet.extend(payload);
    packet
}

/// An Ethernet frame.
pub(crate) fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![2; 12];
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

/// A tap with a tracker behind it.
pub(crate) struct Tap {
    pub(crate) tracker: Tracker,
    pub(crate) flows: Vec<Flow>,
}

impl Tap {
    pub(crate) fn new(config: TrackerConfig) -> Self {
        Self { tracker: Tracker::new(config), flows: Vec::new() }
    }

    /// One report a flow.
    pub(crate) fn totals() -> Self {
        Self::new(TrackerConfig { window_ns: None, ..TrackerConfig::default() })
    }

    pub(crate) fn frame(&mut self, seconds: f64, link: LinkType, bytes: &[u8]) {
        let frame = Frame { time: at(seconds), wire_len: bytes.len() as u32, link, bytes };
        self.tracker.observe(&frame, &mut self.flows);
    }

    pub(crate) fn ip(&mut self, seconds: f64, packet: &[u8]) {
        self.frame(seconds, LinkType::RAW, packet);
    }

    /// A segment from A's port 4000 to B's port 80.
    pub(crate) fn out(&mut self, seconds: f64, flags: u8, seq: u32, ack: u32, payload: usize) {
        self.ip(seconds, &ipv4(A, B, 6, &tcp(4000, 80, flags, seq, ack, &vec![0; payload])));
    }

    /// A segment back.
    pub(crate) fn back(&mut self, seconds: f64, flags: u8, seq: u32, ack: u32, payload: usize) {
        self.ip(seconds, &ipv4(B, A, 6, &tcp(80, 4000, flags, seq, ack, &vec![0; payload])));
    }

    /// SYN, SYN+ACK, ACK from `seconds` on, 10 ms apart; numbers 100 and 500.
    pub(crate) fn handshake(&mut self, seconds: f64) {
        self.out(seconds, SYN, 100, 0, 0);
        self.back(seconds + 0.010, SYN | ACK, 500, 101, 0);
        self.out(seconds + 0.020, ACK, 101, 501, 0);
    }

    /// Everything reported once the capture is over.
    pub(crate) fn end(mut self) -> Vec<Flow> {
        self.tracker.finish(EndReason::CaptureEnd, &mut self.flows);
        let reported: u64 = self.flows.iter().map(packets).sum();
        let counts = self.tracker.counts();
        assert_eq!(reported + counts.lost.packets, counts.packets, "every packet is in one report");
        assert_eq!(counts.packets + counts.all_skipped(), counts.frames, "every frame is counted once");
        self.flows
    }

    /// The only flow.
    pub(crate) fn only(self) -> Flow {
        let mut flows = self.end();
        assert_eq!(flows.len(), 1, "{flows:#?}");
        flows.remove(0)
    }
}

pub(crate) fn packets(flow: &Flow) -> u64 {
    flow.counters.fwd.packets + flow.counters.rev.packets
}
