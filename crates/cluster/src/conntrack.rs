//! Connection tracking: what a node's kernel tells of its entries in, [`weir_model::Translation`]s out, each once.
//!
//! Whoever listens to a kernel makes [`Event`]s and asks [`Entries`] what is new in them. [`Text`] makes them from what
//! the `conntrack` program printed. Nothing here opens a file or a socket.

mod entries;
mod line;
mod text;

use weir_model::{Timestamp, Tuple};

pub use entries::Entries;
pub use line::LineError;
pub use text::{Problem, Text};

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Happened {
    /// It was made.
    New,
    /// It is there: it changed, or a dump of the table lists it.
    There,
    /// It was removed.
    Destroyed,
}

/// One event of a node's connection tracking, or one line of a dump of its table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Event {
    /// What became of the entry.
    pub happened: Happened,
    /// When; `None` = not told.
    pub at: Option<Timestamp>,
    /// The opener's packets as they come to the node. Ports are 0 where the protocol has none.
    pub original: Tuple,
    /// The answers as they come to the node.
    pub reply: Tuple,
    /// The entry's zone, where one is told.
    pub zone: Option<u16>,
    /// The entry's number, where one is told.
    pub id: Option<u32>,
}
