//! One side of a connection, as far as policies care who it is.

use std::net::IpAddr;

/// One side of a connection: a pod, a node, or something outside. Only good for the set that it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Party {
    pub(super) who: Who,
    /// Its address in this connection; `None` = the one of its addresses that the other side can talk to.
    pub(super) ip: Option<IpAddr>,
}

/// Who a party is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    /// The pod at this position, maybe one of the host's network.
    Pod(u32),
    /// The node at this position, or one of its pods of the host's network.
    Node(u32),
    /// Who has a link-local address: as a source, the node of the pod it talks to.
    Link,
    /// Outside the cluster.
    External,
    /// May be anybody.
    Unknown,
}

impl Party {
    /// The same party at one of its addresses.
    #[must_use]
    pub const fn at(self, ip: IpAddr) -> Self {
        Self { ip: Some(ip.to_canonical()), ..self }
    }

    /// An address that is outside the cluster.
    pub const fn external(ip: IpAddr) -> Self {
        Self { who: Who::External, ip: Some(ip.to_canonical()) }
    }

    /// An address that nothing is known about.
    pub const fn unknown(ip: IpAddr) -> Self {
        Self { who: Who::Unknown, ip: Some(ip.to_canonical()) }
    }
}
