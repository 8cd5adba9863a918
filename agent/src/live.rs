//! Live taps: open captures in, flows of their frames out, on a few threads outside the runtime.
//!
//! Each tap belongs to one thread from its first frame to its last flow, so nothing on the packet path is shared or
//! locked. Who opens, names and ends taps is `taps::follow`; it gives orders and is told when a tap has ended.

mod capture;
mod group;
mod rings;
mod thread;
mod watched;

pub(crate) use capture::Capture;
pub(crate) use group::{Group, Said, TapId};
pub(crate) use rings::Rings;
pub(crate) use watched::{LiveSource, watching};
