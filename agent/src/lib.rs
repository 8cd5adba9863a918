//! The agent: taps in, batches of attributed flows out.
//!
//! Capture threads own their taps and flow tables (`live`, `replay`; `conntrack`, `netfilter` beside them); one bounded queue of `event`s leads to the
//! runtime, where `contents` attributes by what `cluster` follows and cuts batches and `sender` gets them to the collector, exactly once as
//! long as both live, with what does not fit counted as a loss. `tally` counts on the way, and `operation` tells it on `/metrics`.

mod cluster;
mod config;
mod conntrack;
mod contents;
mod datagram;
mod doctor;
mod event;
mod held;
mod live;
mod logged;
mod loss;
mod naming;
mod netfilter;
mod operation;
mod outbox;
pub mod privileges;
mod readable;
mod replay;
mod run;
#[cfg(test)]
mod sample;
mod sender;
mod tally;
pub mod taps;
mod tracked;

pub use config::AgentSettings;
pub use doctor::{DoctorFormat, doctor};
pub use run::run;
