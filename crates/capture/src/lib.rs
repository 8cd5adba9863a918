//! Frames out of live taps and capture files.
//!
//! In: an interface (feature `live`, over libpcap) or the bytes of a pcap or pcapng file. Out: [`weir_model::Frame`]s
//! with packet time, wire length and link type. This crate never looks inside a frame.

mod file;
#[cfg(feature = "live")]
mod live;

pub use file::{CaptureFile, FileError};
#[cfg(feature = "live")]
pub use live::{ExchangeStep, LiveError, LiveOptions, LiveStats, LiveTap};
