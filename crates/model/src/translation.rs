//! What one node's connection tracking says of one connection: its addresses before and after translation.

use crate::{Timestamp, Tuple};

/// An entry of a node's connection tracking: how it rewrites the packets of one connection, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Translation {
    /// The opener's packets as they come to the node. Ports are 0 where the protocol has none.
    pub original: Tuple,
    /// The answers as they come to the node: source and destination are those of the answers.
    pub reply: Tuple,
    /// When the entry was made; `None` = before anybody listened.
    pub from_ts: Option<Timestamp>,
    /// When it was removed; `None` = that was not seen.
    pub to_ts: Option<Timestamp>,
    /// Its zone, where one was told: tuples are unique within a zone only.
    pub zone: Option<u16>,
}

impl Translation {
    /// The opener's packets as they leave the node: after DNAT and SNAT.
    pub const fn translated(&self) -> Tuple {
        self.reply.reversed()
    }

    /// Whether anything is rewritten.
    pub fn rewrites(&self) -> bool {
        self.translated() != self.original
    }
}
