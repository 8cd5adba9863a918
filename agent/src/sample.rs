//! Flows and events for the tests of this crate.

use std::net::Ipv4Addr;
use std::sync::Arc;

use weir_model::{
    AttributedFlow, Counters, Endpoint, Flow, FlowId, InitiatorBy, Outcome, PerDirection, Protocol, Report, Tap,
    TapRole, Timestamp, Tuple,
};

/// The end of flow number `count`: from 10 s, 3 packets and 300 bytes there, 2 packets and 200 bytes back.
pub(crate) fn flow(count: u8) -> Flow {
    let start = Timestamp::from_parts(10, i64::from(count));
    Flow {
        id: FlowId(u64::from(count)),
        report: Report::End,
        is_first: true,
        tuple: Tuple {
            protocol: Protocol::UDP,
            src_ip: Ipv4Addr::new(10, 0, 1, count).into(),
            src_port: 40_000,
            dst_ip: Ipv4Addr::new(10, 0, 2, count).into(),
            dst_port: 53,
        },
        initiator_by: InitiatorBy::FirstPacket,
        start_ts: start,
        first_ts: start,
        last_ts: start.plus_ns(1_000),
        window_start: Timestamp(0),
        counters: PerDirection {
            fwd: Counters { packets: 3, bytes: 300, payload: 216 },
            rev: Counters { packets: 2, bytes: 200, payload: 144 },
        },
        tcp: None,
        outcome: Outcome::Established,
        end_reason: None,
        vlan: Vec::new(),
        tunnel: Vec::new(),
        icmp: Vec::new(),
        icmp_id: None,
        tracked: None,
    }
}

/// A tap.
pub(crate) fn tap() -> Arc<Tap> {
    Arc::new(Tap { interface: "eth0".into(), role: TapRole::Uplink, pod: None, sampling: 1 })
}

/// [`flow`] of that number with endpoints that nobody knows.
pub(crate) fn attributed(count: u8) -> AttributedFlow {
    let unknown = Arc::new(Endpoint::default());
    AttributedFlow { flow: flow(count), tap: tap(), leg: None, src: Arc::clone(&unknown), dst: unknown, service: None }
}
