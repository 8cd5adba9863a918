//! The engine: frames in, flows and requests out.
//!
//! [`Decoder`] turns a frame into a [`Packet`] or a counted reason why not; [`Tracker`] keeps the table of flows, reads
//! what they say above the transport layer, and gives reports and requests to a [`FlowSink`]. No I/O, no clock (time is packet time), no threads, no `unsafe`; no input
//! makes it panic.

#![forbid(unsafe_code)]

mod config;
mod counts;
mod decode;
mod l7;
mod packet;
mod policy_log;
mod sink;
mod track;

pub use config::{IdleTimes, TrackerConfig};
pub use counts::{Counts, Lost, Skipped};
pub use decode::Decoder;
pub use l7::{L7Config, L7Counts, L7Level};
pub use packet::{Address, Captured, Detail, IcmpMessage, Packet, Path, Segment, Speakers};
pub use sink::{FlowSink, NoRoom};
pub use track::Tracker;
