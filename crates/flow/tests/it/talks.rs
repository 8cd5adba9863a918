//! What flows say: bounded in memory, given out once, in order or not.

use weir_flow::{L7Config, L7Level, Tracker, TrackerConfig};
use weir_model::{EndReason, Frame, LinkType};

use crate::captures::Heard;
use crate::packets::{A, ACK, B, PSH, SYN, at, ipv4, tcp, udp};

const REQUEST: &[u8] = b"GET /cart HTTP/1.1\r\nHost: shop\r\n\r\n";
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A tap whose reports and requests are kept.
struct Ear {
    tracker: Tracker,
    heard: Heard,
}

impl Ear {
    fn new(l7: L7Config) -> Self {
        let config = TrackerConfig { window_ns: None, l7, ..TrackerConfig::default() };
        Self { tracker: Tracker::new(config), heard: Heard::default() }
    }

    fn ip(&mut self, seconds: f64, bytes: &[u8]) {
        let frame = Frame { time: at(seconds), wire_len: bytes.len() as u32, link: LinkType::RAW, bytes };
        self.tracker.observe(&frame, &mut self.heard);
    }

    /// Path and status of every request, the flows' ends included.
    fn said(mut self) -> Vec<(Option<String>, Option<u16>)> {
        self.tracker.finish(EndReason::CaptureEnd, &mut self.heard);
        let http = self.heard.requests.iter().filter_map(|(_, request)| request.exchange.http());
        http.map(|http| (http.path.as_deref().map(str::to_owned), http.status)).collect()
    }
}

fn from_a(port: u16, flags: u8, seq: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
    ipv4(A, B, 6, &tcp(port, 80, flags, seq, ack, payload))
}

fn from_b(port: u16, flags: u8, seq: u32, ack: u32, payload: &[u8]) -> Vec<u8> {
    ipv4(B, A, 6, &tcp(80, port, flags, seq, ack, payload))
}

#[test]
fn memory_for_what_flows_say_has_a_cap_and_nothing_open_is_lost() {
    const FLOWS: u16 = 3_000;
    let max_bytes = 256 << 10;
    let mut ear = Ear::new(L7Config { max_bytes, ..L7Config::default() });
    let mut silent = Ear::new(L7Config { level: L7Level::Off, ..L7Config::default() });
    for port in 0..FLOWS {
        let packet = from_a(port, ACK | PSH, 1, 1, REQUEST);
        for ear in [&mut ear, &mut silent] {
            ear.ip(f64::from(port) * 0.001, &packet);
        }
        let held = ear.tracker.memory_bytes() - silent.tracker.memory_bytes();
        // Seats that are free again are kept.
        assert!(held <= max_bytes + max_bytes / 8, "{held} bytes after {port} flows");
    }
    assert!(ear.tracker.counts().l7.evicted > 1_000, "{:?}", ear.tracker.counts().l7);
    let said = ear.said();
    assert_eq!(said.len(), usize::from(FLOWS));
    assert!(said.iter().all(|(path, status)| path.as_deref() == Some("/cart") && status.is_none()));
}

#[test]
fn a_talk_begins_with_the_stream_and_not_with_the_segment_that_came_first() {
    let mut ear = Ear::new(L7Config::default());
    ear.ip(0.0, &from_a(4_000, SYN, 99, 0, b""));
    ear.ip(0.1, &from_b(4_000, SYN | ACK, 499, 100, b""));
    let (head, rest) = REQUEST.split_at(9);
    ear.ip(0.2, &from_a(4_000, ACK, 109, 500, rest));
    ear.ip(0.3, &from_a(4_000, ACK, 100, 500, head));
    ear.ip(0.4, &from_b(4_000, ACK, 500, 100 + REQUEST.len() as u32, ANSWER));
    assert_eq!(ear.said(), [(Some("/cart".to_owned()), Some(200))]);
}

#[test]
fn what_is_sent_again_is_heard_once() {
    let mut ear = Ear::new(L7Config::default());
    for seconds in [0.0, 0.2] {
        ear.ip(seconds, &from_a(4_000, ACK, 100, 500, REQUEST));
    }
    for seconds in [0.3, 0.4] {
        ear.ip(seconds, &from_b(4_000, ACK, 500, 100 + REQUEST.len() as u32, ANSWER));
    }
    assert_eq!(ear.said(), [(Some("/cart".to_owned()), Some(200))]);
}

#[test]
fn a_protocol_may_begin_after_another() {
    let mut ear = Ear::new(L7Config::default());
    ear.ip(0.0, &from_b(4_000, ACK, 500, 1, b"\x01magic ready\x02"));
    ear.ip(0.1, &from_a(4_000, ACK, 1, 513, b"\x01go\x02"));
    ear.ip(0.2, &from_a(4_000, ACK, 5, 513, REQUEST));
    assert_eq!(ear.said(), [(Some("/cart".to_owned()), None)]);
}

#[test]
fn at_the_level_of_names_a_flow_says_one_and_no_path() {
    let mut ear = Ear::new(L7Config { level: L7Level::Names, ..L7Config::default() });
    let mut seq = 1;
    for seconds in [0.0, 0.1, 0.2] {
        ear.ip(seconds, &from_a(4_000, ACK, seq, 1, REQUEST));
        seq += REQUEST.len() as u32;
    }
    assert_eq!(ear.said().len(), 1);
    let mut off = Ear::new(L7Config { level: L7Level::Off, ..L7Config::default() });
    off.ip(0.0, &from_a(4_000, ACK, 1, 1, REQUEST));
    assert_eq!(off.said(), []);
}

#[test]
fn a_flow_that_says_nothing_known_is_not_listened_to_for_ever() {
    let mut ear = Ear::new(L7Config::default());
    for count in 0..100 {
        ear.ip(f64::from(count) * 0.01, &ipv4(A, B, 17, &udp(4_000, 4_001, b"nothing that anybody knows")));
    }
    let bytes = ear.tracker.memory_bytes();
    ear.ip(2.0, &ipv4(A, B, 17, &udp(4_000, 4_001, b"still nothing")));
    assert_eq!(ear.tracker.memory_bytes(), bytes);
    assert_eq!(ear.said(), []);
}
