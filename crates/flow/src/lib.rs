//! The engine: frames in, flows out.
//!
//! [`Decoder`] turns a frame into a [`Packet`] or a counted reason why not; [`Tracker`] keeps the table of flows and
//! gives their reports to a [`FlowSink`]. No I/O, no clock (time is packet time), no threads, no `unsafe`; no input
//! makes it panic.

#![forbid(unsafe_code)]

mod config;
mod counts;
mod decode;
mod packet;
mod sink;
mod track;

pub use config::{IdleTimes, TrackerConfig};
pub use counts::{Counts, Lost, Skipped};
pub use decode::Decoder;
pub use packet::{Address, Detail, IcmpMessage, Packet, Path, Segment, Speakers};
pub use sink::FlowSink;
pub use track::Tracker;
