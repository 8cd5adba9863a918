//! The `losses` table.

use std::sync::Arc;

use crate::{Loss, RunId};

/// One row of `losses`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LossRow {
    /// The node whose agent (or the collector, `None`) lost something.
    pub node: Option<Arc<str>>,
    /// The run it happened in.
    pub run: Option<RunId>,
    /// What was lost.
    pub loss: Loss,
}

super::define_table! {
    LOSSES: LossRow, "losses", "Something not seen or not kept, counted at the stage where it happened.";
    node: Text, Tap, "Node whose agent lost it. Null = not an agent's.",
        |r| r.node.as_ref().into();
    run: Text, Loss, "Run of the agent, 32 hexadecimal digits. Null = not an agent's.",
        |r| r.run.map(|run| run.to_string()).into();
    stage: Text, Loss, "Where: kernel, interface (the network card), file (a damaged capture), queue (between capture and sending), conntrack and nflog (news of connection tracking and records of the packet filter's log that the kernel had no room for), unacked (batches over their cap in the agent's memory), spool (over their cap on its disk, or damaged there), wire (a batch that the collector refused for good).",
        |r| r.loss.stage.name().into();
    interface: Text, Tap, "Tap it happened at. Null = not at one tap.",
        |r| r.loss.interface.as_ref().into();
    from_ts: Time, Time, "Start of the span (packet time).",
        |r| r.loss.from_ts.into();
    to_ts: Time, Time, "End of the span (packet time).",
        |r| r.loss.to_ts.into();
    packets: Int64, Loss, "Packets lost. Null = not known at this stage.",
        |r| r.loss.packets.into();
    bytes: Int64, Loss, "IP bytes lost. Null = not known at this stage.",
        |r| r.loss.bytes.into();
    rows: Int64, Loss, "Rows lost. Null = not known at this stage.",
        |r| r.loss.rows.into();
}
