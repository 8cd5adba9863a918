//! Requests: what flows say above the transport layer.
//!
//! Payload comes in packet by packet, exchanges come out: DNS queries, HTTP requests, gRPC calls, TLS hellos. Passive and
//! bounded: nothing is decrypted but what anybody can (QUIC's Initial packets), only prefixes are kept, and what was not
//! seen is left out, never made up.

mod config;
mod dns;
#[cfg(test)]
mod drive;
mod dtls;
mod exchanges;
mod http1;
mod http2;
mod parser;
mod quic;
mod stream;
mod talk;
mod talks;
mod text;
mod tls;

pub use config::{L7Config, L7Level};
pub use talks::L7Counts;
pub(crate) use talks::{Heard, Seat, Talks};
