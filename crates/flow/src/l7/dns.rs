//! DNS over UDP and TCP, mDNS, LLMNR.
//!
//! Messages come in, exchanges go out: a query and the response that repeats its id and question, or either alone. Only
//! open queries are kept. What is not a message is left alone, and addresses are never taken for anything but text.

mod message;
mod name;
mod pairs;
mod port;
mod stream;

use weir_model::Timestamp;

use super::config::L7Config;
use super::exchanges::Exchanges;
use super::parser::{DatagramParser, Side, Turn};
use message::Message;
use pairs::Pairs;
use port::Trust;

pub(super) use stream::DnsStream;

/// So many payloads in a row that are no messages, and the flow is not DNS.
const MAX_MISSES: u8 = 8;

/// DNS over UDP, mDNS, LLMNR.
#[derive(Debug)]
pub(super) struct DnsDatagrams {
    pairs: Pairs,
    misses: u8,
}

impl DnsDatagrams {
    /// Whether a flow's first datagram is one between these ports.
    pub(super) fn probe(bytes: &[u8], ports: (u16, u16)) -> bool {
        match port::trust(ports) {
            Trust::Known => message::is_header(bytes),
            Trust::Unknown => message::is_strict(bytes),
            Trust::Taken => false,
        }
    }

    /// A parser of the flow between these ports, which tell the relatives of DNS apart.
    pub(super) fn new(_: L7Config, ports: (u16, u16)) -> Self {
        Self { pairs: Pairs::new(port::kind(ports)), misses: 0 }
    }
}

impl DatagramParser for DnsDatagrams {
    fn datagram(&mut self, side: Side, bytes: &[u8], is_cut: bool, time: Timestamp, out: &mut Exchanges) -> Turn {
        if let Some(message) = Message::read(bytes, is_cut) {
            self.misses = 0;
            self.pairs.message(side, message, (time, time), out);
            return Turn::Stay;
        }
        self.misses += 1;
        if self.misses < MAX_MISSES {
            return Turn::Stay;
        }
        self.pairs.close(out);
        Turn::Done
    }

    fn close(&mut self, out: &mut Exchanges) {
        self.pairs.close(out);
    }

    fn memory_bytes(&self) -> usize {
        self.pairs.memory_bytes()
    }
}

#[cfg(test)]
mod tests;
