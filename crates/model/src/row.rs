//! A row of the `flows` table: an attributed flow plus what only its whole connection shows.

use std::net::IpAddr;
use std::sync::Arc;

use crate::flow::names;
use crate::{AttributedFlow, Audit, Cause, Judgement, PerDirection, Routed, RunId};

/// A connection's number: the same at every tap that sees it. 63 bits of hash; see `weir_cluster::join`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// Keeps the lower 63 bits, so that the number is positive in tables without unsigned types.
    pub const fn new(hash: u64) -> Self {
        Self(hash & (u64::MAX >> 1))
    }
}

/// Which addresses were rewritten between the opener and the other side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Nat {
    /// Neither.
    None,
    /// The destination (DNAT).
    Dst,
    /// The source (SNAT).
    Src,
    /// Both.
    Both,
}

names!(Nat { None = "none", Dst = "dst", Src = "src", Both = "both" });

/// One row of `flows`.
#[derive(Clone, Debug)]
pub struct FlowRow {
    /// The cluster's name, as configured at the collector.
    pub cluster: Option<Arc<str>>,
    /// The node whose agent saw the flow.
    pub node: Option<Arc<str>>,
    /// The agent's run; not stored.
    pub run: Option<RunId>,
    /// The agent's report. Its endpoints and Service are those of the connection where the legs said more.
    pub seen: AttributedFlow,
    /// The connection; `None` before the legs were joined.
    pub connection: Option<ConnectionId>,
    /// Whether this leg stands for the connection; `None` while undecided.
    pub is_primary: Option<bool>,
    /// Directions that the tap missed and no other leg told: their counters are not known.
    pub unseen: PerDirection<bool>,
    /// What was rewritten; `None` = not known.
    pub nat: Option<Nat>,
    /// The real client, where SNAT hides it from this tap or not; `None` = not known to be another than `src`.
    pub client: Option<(IpAddr, u16)>,
    /// The backend, where DNAT hides it from this tap; `None` = not known to be another than `dst`.
    pub backend: Option<(IpAddr, u16)>,
    /// What the policies say about the connection; `None` = no policy is known as of then, or none can be about it.
    pub judgement: Option<Arc<Judgement>>,
    /// Whether that is what happened; `None` without a judgement.
    pub audit: Option<Audit>,
    /// Why the connection failed; `None` = it did not, or nothing says.
    pub cause: Option<Cause>,
    /// The Ingress or Gateway rule that it met; of a flow the one that all its requests met. `None` = it met no gateway,
    /// different ones, or it is not known.
    pub route: Option<Arc<Routed>>,
}

impl FlowRow {
    /// A row of a flow alone, before its connection says anything.
    pub const fn alone(seen: AttributedFlow) -> Self {
        Self {
            cluster: None,
            node: None,
            run: None,
            seen,
            connection: None,
            is_primary: None,
            unseen: PerDirection { fwd: false, rev: false },
            nat: None,
            client: None,
            backend: None,
            judgement: None,
            audit: None,
            cause: None,
            route: None,
        }
    }
}
