//! The collector: batches of every node in, a lake of joined flows out, and answers about it.
//!
//! The way of a batch: `ingest` decodes it, `writer` makes it durable (then it is acked), `settler` joins its legs
//! and puts its rows where queries see them, `keeper` commits them to the lake and trims the journal. `observer`
//! answers people and programs; live tails hang on the `hub`.

mod audits;
mod cluster;
mod compiled;
mod config;
mod door;
mod history;
mod hub;
mod ingest;
mod keeper;
mod nodes;
mod observer;
mod operation;
mod recorder;
mod replay;
mod run;
mod sequences;
mod settler;
mod writer;

pub use config::CollectorSettings;
pub use run::{Running, run, start};
