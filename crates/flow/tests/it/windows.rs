//! Windows: where rows are cut, when they are sent, what a full sink does to them.

use weir_flow::{FlowSink, NoRoom, TrackerConfig};
use weir_model::{EndReason, Flow, Frame, LinkType, Report, Request};

use crate::packets::{A, ACK, B, Tap, at, ipv4, packets, tcp, udp};

#[test]
fn rows_are_cut_at_multiples_of_the_window_and_are_deltas() {
    let mut tap = Tap::new(TrackerConfig::default());
    tap.handshake(0.0);
    tap.out(59.0, ACK, 101, 501, 10);
    tap.out(61.0, ACK, 111, 501, 10);
    tap.out(130.0, ACK, 121, 501, 10);
    let flows = tap.end();
    let rows: Vec<_> = flows.iter().map(|f| (f.window_start, packets(f), f.is_first, f.is_last())).collect();
    let expected = [(at(0.0), 4, true, false), (at(60.0), 1, false, false), (at(120.0), 1, false, true)];
    assert_eq!(rows, expected);
}

#[test]
fn a_silent_flow_sends_its_row_once_the_window_is_over() {
    let mut tap = Tap::new(TrackerConfig::default());
    tap.handshake(0.0);
    tap.tracker.advance(at(59.9), &mut tap.flows);
    assert!(tap.flows.is_empty());
    tap.tracker.advance(at(66.0), &mut tap.flows);
    assert_eq!(tap.flows.len(), 1);
    assert_eq!(tap.flows[0].report, Report::Window);
}

#[test]
fn rows_of_an_ended_window_go_out_over_the_next_seconds() {
    let mut tap = Tap::new(TrackerConfig::default());
    for port in 0..1_000 {
        tap.ip(58.0, &ipv4(A, B, 6, &tcp(5_000 + port, 80, 16, 1, 1, b"x")));
    }
    tap.tracker.advance(at(61.0), &mut tap.flows);
    let after_one = tap.flows.len();
    tap.tracker.advance(at(66.0), &mut tap.flows);
    assert!((100..400).contains(&after_one), "{after_one} after one second of five");
    assert_eq!(tap.flows.len(), 1_000);
}

#[test]
fn a_flow_that_is_over_makes_one_report_even_across_a_window() {
    let mut tap = Tap::new(TrackerConfig::default());
    tap.ip(34.0, &ipv4(A, B, 17, &udp(4000, 53, b"x")));
    for seconds in 35..80 {
        tap.tracker.advance(at(f64::from(seconds)), &mut tap.flows);
    }
    assert_eq!(tap.flows.len(), 1, "{:#?}", tap.flows);
    assert_eq!((tap.flows[0].end_reason, tap.flows[0].is_first), (Some(EndReason::Idle), true));
}

#[test]
fn a_packet_from_before_the_window_gets_a_row_of_its_own() {
    let mut tap = Tap::new(TrackerConfig::default());
    tap.out(60.5, ACK, 1, 1, 1);
    tap.out(59.9, ACK, 2, 1, 1);
    tap.out(60.6, ACK, 3, 1, 1);
    let flows = tap.end();
    let windows: Vec<_> = flows.iter().map(|flow| flow.window_start).collect();
    assert_eq!(windows, [at(60.0), at(0.0), at(60.0)]);
}

#[test]
fn clocks_that_jump_break_nothing() {
    let mut tap = Tap::new(TrackerConfig::default());
    let year = 365.0 * 86_400.0;
    for (step, jump) in [0.0, year, 0.0, -year, 0.5, 3.0 * year, 1.0].into_iter().enumerate() {
        tap.out(jump, ACK, step as u32, 1, 1);
        tap.tracker.advance(at(jump + 2.0), &mut tap.flows);
    }
    tap.frame(0.0, LinkType::RAW, &[]);
    for extreme in [i64::MAX, i64::MIN, 0, i64::MAX] {
        let bytes = ipv4(A, B, 17, &udp(1, 2, b"x"));
        let frame = Frame { time: weir_model::Timestamp(extreme), wire_len: 29, link: LinkType::RAW, bytes: &bytes };
        tap.tracker.observe(&frame, &mut tap.flows);
    }
    tap.end();
}

#[test]
fn the_start_report_is_extra_and_its_packets_come_again() {
    let mut tap = Tap::new(TrackerConfig { report_start: true, ..TrackerConfig::default() });
    tap.out(0.0, ACK, 1, 1, 1);
    tap.tracker.finish(EndReason::AgentStop, &mut tap.flows);
    let reports: Vec<_> = tap.flows.iter().map(|flow| (flow.report, packets(flow), flow.is_first)).collect();
    assert_eq!(reports, [(Report::Start, 1, true), (Report::End, 1, true)]);
}

/// Has room or not.
struct Gate {
    is_open: bool,
    flows: Vec<Flow>,
}

impl FlowSink for Gate {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        if self.is_open { self.flows.offer(flow) } else { Err(flow) }
    }

    fn request(&mut self, _: Flow, _: Request) -> Result<(), NoRoom> {
        if self.is_open { Ok(()) } else { Err(NoRoom) }
    }
}

#[test]
fn a_refused_row_grows_and_a_refused_end_is_lost_and_counted() {
    let mut gate = Gate { is_open: false, flows: Vec::new() };
    let mut tracker = weir_flow::Tracker::new(TrackerConfig::default());
    let mut send = |seconds: f64, gate: &mut Gate| {
        let bytes = ipv4(A, B, 6, &tcp(4000, 80, ACK, 1, 1, b"x"));
        let frame = Frame { time: at(seconds), wire_len: bytes.len() as u32, link: LinkType::RAW, bytes: &bytes };
        tracker.observe(&frame, gate);
    };
    send(0.0, &mut gate);
    send(61.0, &mut gate);
    gate.is_open = true;
    send(122.0, &mut gate);
    assert_eq!(gate.flows.iter().map(packets).collect::<Vec<_>>(), [2]);
    gate.is_open = false;
    tracker.finish(EndReason::AgentStop, &mut gate);
    let lost = tracker.counts().lost;
    assert_eq!((lost.packets, lost.bytes, lost.rows), (1, 41, 1));
    assert_eq!((lost.from, lost.to), (Some(at(122.0)), Some(at(122.0))));
}
