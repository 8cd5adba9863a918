//! What a node's packet filter logged about a packet that would open a connection.

use std::sync::Arc;

use crate::{Timestamp, Tuple};

/// One record of netfilter's log (NFLOG), as far as it says what was decided. What its prefix means is the CNI's own;
/// `weir-cluster` reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyLog {
    /// When the packet was decided on (`NFULA_TIMESTAMP`; else when the record was read, up to a second later).
    pub ts: Timestamp,
    /// The packet's addresses and ports where it was logged.
    pub tuple: Tuple,
    /// Its sequence number, where it is a TCP SYN.
    pub isn: Option<u32>,
    /// The group that it was logged to.
    pub group: u16,
    /// The prefix; empty = none.
    pub prefix: Arc<str>,
}
