//! How a tracker works: bounds, windows, idle times.

use crate::l7::L7Config;

const SECOND_NS: i64 = 1_000_000_000;

/// Bounds and habits of a [`crate::Tracker`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrackerConfig {
    /// The run that flow ids belong to.
    pub run: u128,
    /// Number of the first flow within the run.
    pub first_flow: u64,
    /// Distance from one flow's number to the next: trackers that share a run take turns.
    pub flow_stride: u64,
    /// Length of a window in nanoseconds of packet time; `None` = one report a flow, at its end.
    pub window_ns: Option<i64>,
    /// Whether a flow's first packet makes a report too.
    pub report_start: bool,
    /// Most flows in the table.
    pub max_flows: usize,
    /// Most bytes of memory for the table and what belongs to it.
    pub max_bytes: usize,
    /// When a silent flow is over.
    pub idle: IdleTimes,
    /// UDP destination ports that carry VXLAN.
    pub vxlan_ports: Vec<u16>,
    /// What is read above the transport layer.
    pub l7: L7Config,
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self {
            run: 0,
            first_flow: 1,
            flow_stride: 1,
            window_ns: Some(60 * SECOND_NS),
            report_start: false,
            max_flows: 1 << 20,
            max_bytes: 256 << 20,
            idle: IdleTimes::default(),
            vxlan_ports: vec![4789, 8472],
            l7: L7Config::default(),
        }
    }
}

/// Nanoseconds of packet time without a packet after which a flow is over, by protocol and state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleTimes {
    /// TCP before the handshake is complete. The gaps between repeated SYNs reach 64 s on Linux.
    pub tcp_opening_ns: i64,
    /// TCP with a complete handshake, or joined half-way.
    pub tcp_established_ns: i64,
    /// TCP after one FIN.
    pub tcp_closing_ns: i64,
    /// TCP after both FINs or a reset: how long late segments still belong to it.
    pub tcp_closed_ns: i64,
    /// UDP exchanges of under two seconds (most are DNS).
    pub udp_ns: i64,
    /// UDP that went on for longer.
    pub udp_stream_ns: i64,
    /// SCTP and DCCP.
    pub association_ns: i64,
    /// ICMP and ICMPv6.
    pub icmp_ns: i64,
    /// Everything else.
    pub other_ns: i64,
}

impl Default for IdleTimes {
    fn default() -> Self {
        Self {
            tcp_opening_ns: 90 * SECOND_NS,
            tcp_established_ns: 3_600 * SECOND_NS,
            tcp_closing_ns: 120 * SECOND_NS,
            tcp_closed_ns: 5 * SECOND_NS,
            udp_ns: 30 * SECOND_NS,
            udp_stream_ns: 120 * SECOND_NS,
            association_ns: 300 * SECOND_NS,
            icmp_ns: 30 * SECOND_NS,
            other_ns: 120 * SECOND_NS,
        }
    }
}

impl IdleTimes {
    /// Times so long that silence never ends a flow: for totals over a whole file.
    pub const fn never() -> Self {
        const NEVER: i64 = i64::MAX / 4;
        Self {
            tcp_opening_ns: NEVER,
            tcp_established_ns: NEVER,
            tcp_closing_ns: NEVER,
            tcp_closed_ns: NEVER,
            udp_ns: NEVER,
            udp_stream_ns: NEVER,
            association_ns: NEVER,
            icmp_ns: NEVER,
            other_ns: NEVER,
        }
    }
}
