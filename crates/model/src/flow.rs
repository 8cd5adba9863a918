//! A flow: one connection or exchange as seen at one tap, and the reports a flow makes of itself.

use crate::{Icmp, TcpFlags, Timestamp, Tunnel, Tuple};

/// A flow's number: unique together with the node. The upper 24 bits (top one clear) come from the run, the lower 40
/// count within it, so ids of one run lie close together and compress well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowId(pub u64);

impl FlowId {
    const COUNT_BITS: u32 = 40;

    /// The id of the `count`-th flow of the run whose random 128 bits are `run`.
    pub const fn new(run: u128, count: u64) -> Self {
        let prefix = (run as u64) & 0x7f_ffff;
        Self((prefix << Self::COUNT_BITS) | (count & ((1 << Self::COUNT_BITS) - 1)))
    }
}

/// How the opener of a flow was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InitiatorBy {
    /// Its SYN (or SCTP INIT, or a request of a request/reply protocol such as ICMP echo) was seen.
    Syn,
    /// Only the other side's SYN+ACK (or INIT ACK) was seen, and turned round.
    SynAck,
    /// Joined half-way, or a protocol without an opening: who sent the first packet seen.
    FirstPacket,
}

/// Where a TCP connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TcpState {
    /// A SYN without an answer.
    SynSent,
    /// A SYN and its SYN+ACK, the last ack not yet.
    SynReceived,
    /// Handshake complete, or joined half-way with data.
    Established,
    /// One side has sent FIN.
    Closing,
    /// Both sides have sent FIN.
    Closed,
    /// A reset was seen.
    Reset,
}

/// Why a flow ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EndReason {
    /// Both sides sent FIN.
    Fin,
    /// The opener sent RST.
    ResetBySrc,
    /// The other side sent RST.
    ResetByDst,
    /// Nothing seen for the idle time of its protocol and state.
    Idle,
    /// Pushed out of a full table before its time.
    Evicted,
    /// A new connection took the same tuple.
    Reused,
    /// The capture ended.
    CaptureEnd,
    /// The agent stopped.
    AgentStop,
}

/// What was seen to happen to the attempt to talk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// TCP: SYN and SYN+ACK were seen; other protocols: answered.
    Established,
    /// The other side answered the SYN with RST.
    Refused,
    /// An ICMP error came back for it.
    Rejected,
    /// One or more SYNs, no answer.
    Unanswered,
    /// Packets in one direction only, of a kind that needs no answer (UDP) or whose opening was not seen.
    OneWay,
    /// TCP joined half-way: the opening was not seen, packets went both ways.
    HalfSeen,
}

macro_rules! names {
    ($type:ident { $($variant:ident = $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The name in tables, JSON and filters.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// Reads [`Self::name`] back.
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|v| v.name() == text)
            }
        }
    };
}
pub(crate) use names;

names!(InitiatorBy { Syn = "syn", SynAck = "syn-ack", FirstPacket = "first-packet" });
names!(TcpState {
    SynSent = "syn-sent", SynReceived = "syn-received", Established = "established", Closing = "closing",
    Closed = "closed", Reset = "reset",
});
names!(EndReason {
    Fin = "fin", ResetBySrc = "reset-by-src", ResetByDst = "reset-by-dst", Idle = "idle", Evicted = "evicted",
    Reused = "reused", CaptureEnd = "capture-end", AgentStop = "agent-stop",
});
names!(Outcome {
    Established = "established", Refused = "refused", Rejected = "rejected", Unanswered = "unanswered",
    OneWay = "one-way", HalfSeen = "half-seen",
});

/// Packets, IP bytes and payload bytes of one direction within one report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Packets.
    pub packets: u64,
    /// Bytes of the IP packets of the flow's own layer on the wire (never cut by the snap length).
    pub bytes: u64,
    /// Bytes above the transport header.
    pub payload: u64,
}

/// One value for each direction: `fwd` from the opener, `rev` back to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerDirection<T> {
    /// From `src` to `dst`.
    pub fwd: T,
    /// From `dst` to `src`.
    pub rev: T,
}

/// What only TCP flows have. Counters are deltas like those of [`Counters`]; the rest is as of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tcp {
    /// The OR of the flags seen within this report.
    pub flags: PerDirection<TcpFlags>,
    /// The state at the end of this report.
    pub state: TcpState,
    /// Microseconds from the last SYN before the SYN+ACK to that SYN+ACK; in the report that saw it.
    pub handshake_rtt_us: Option<u32>,
    /// Microseconds from the SYN+ACK to the opener's ack; in the report that saw it.
    pub handshake_ack_us: Option<u32>,
    /// Segments sent again.
    pub retransmits: PerDirection<u32>,
    /// Those of them that the other side asked for by repeating its acknowledgement.
    pub fast_retransmits: PerDirection<u32>,
    /// Segments that came out of order, not retransmitted.
    pub out_of_order: PerDirection<u32>,
    /// Segments that announced a zero window (SYN, RST and FIN apart).
    pub zero_window: PerDirection<u32>,
    /// Segments that only asked whether the other side is still there.
    pub keep_alives: PerDirection<u16>,
    /// Bytes that were sent and never seen at this tap; in the report in which that became certain.
    pub lost_bytes: PerDirection<u32>,
    /// Initial sequence numbers (of the opener's SYN, of the SYN+ACK), as of the report: `None` = not known.
    pub isn: PerDirection<Option<u32>>,
}

/// Which of a flow's reports this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Report {
    /// The flow's first packet: for live tails, never stored. Its counters are those of the packets so far and come
    /// again in the next report.
    Start,
    /// The end of a window in which the flow had packets.
    Window,
    /// The flow is over.
    End,
}

/// One report of a flow: what happened between the last stored report and this one.
#[derive(Clone, Debug, PartialEq)]
pub struct Flow {
    /// The flow's number.
    pub id: FlowId,
    /// Which report this is.
    pub report: Report,
    /// This is the flow's first stored report.
    pub is_first: bool,
    /// Addresses and ports as this tap saw them.
    pub tuple: Tuple,
    /// How the opener was known.
    pub initiator_by: InitiatorBy,
    /// The flow's first packet.
    pub start_ts: Timestamp,
    /// The first packet of this report.
    pub first_ts: Timestamp,
    /// The last packet of this report.
    pub last_ts: Timestamp,
    /// The start of the window this report covers.
    pub window_start: Timestamp,
    /// Packets and bytes of this report.
    pub counters: PerDirection<Counters>,
    /// TCP details, for TCP flows.
    pub tcp: Option<Tcp>,
    /// What has happened so far.
    pub outcome: Outcome,
    /// Why the flow ended, in its last report.
    pub end_reason: Option<EndReason>,
    /// VLAN ids from the outside in; empty = untagged.
    pub vlan: Vec<u16>,
    /// Tunnels from the outside in, first those of the first packet, then others that packets came in; empty = none.
    pub tunnel: Vec<Tunnel>,
    /// Kinds of ICMP messages: of an ICMP flow itself, or of the errors that quoted this flow. In order of appearance.
    pub icmp: Vec<Icmp>,
    /// The identifier that an ICMP query and its reply share; `None` = other messages, other protocols.
    pub icmp_id: Option<u16>,
    /// Whether the tap's node tracked the connection: `false` = its packets were seen at the opener's veth and netfilter
    /// let none go; `None` = nothing says.
    pub tracked: Option<bool>,
}

impl Flow {
    /// Whether this is the flow's last report.
    pub const fn is_last(&self) -> bool {
        matches!(self.report, Report::End)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flow_ids_of_one_run_share_a_prefix_and_stay_positive() {
        let run = u128::MAX;
        let (a, b) = (FlowId::new(run, 1), FlowId::new(run, 2));
        assert_eq!(b.0 - a.0, 1);
        assert!(i64::try_from(a.0).is_ok());
        assert_ne!(FlowId::new(1, 7), FlowId::new(2, 7));
    }

    #[test]
    fn names_read_back() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.name()), Some(*outcome));
        }
    }
}
