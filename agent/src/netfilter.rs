//! What netfilter tells over netlink beside packets: its connection tracking and its log, of the network namespace of this
//! program.
//!
//! The messages are read here and not by `netlink-packet-netfilter`, which leaves zones and numbers of entries as bytes,
//! knows no groups, and allocates for each attribute; what is used of them is two tuples.

mod attributes;
mod conntrack;
mod entry;
mod log;
mod observer;
mod socket;
mod standing;

pub(crate) use conntrack::{Conntrack, ENTRIES};
pub(crate) use log::Nflog;
