//! Decoding: a frame in, its innermost IP packet out, or the reason why it has none.
//!
//! Own dispatch over `etherparse`'s header types. A tunnel whose inside cannot be read stays a packet of the tunnel
//! itself; one with ARP or another non-IP payload inside is skipped, so that no tunnel shows up as a flow.
//! Nothing here allocates, and checksums are never looked at: locally made packets have none yet.

mod bytes;
mod fragments;
mod ip;
mod link;
mod transport;
mod tunnel;

use weir_model::{Frame, Timestamp};

use crate::counts::Skipped;
use crate::packet::{Packet, Path};
use bytes::Bytes;
use fragments::Fragments;

/// Headers one within another that are followed; more are taken for an attack.
const MAX_LAYERS: u8 = 16;

/// Decodes frames. Its only memory is which first fragment had which ports.
pub struct Decoder {
    vxlan_ports: Vec<u16>,
    fragments: Fragments,
}

/// What is known on the way in.
#[derive(Clone, Copy)]
struct Layers {
    time: Timestamp,
    path: Path,
    depth: u8,
}

impl Layers {
    /// One layer further in.
    fn deeper(mut self) -> Result<Self, Skipped> {
        self.depth += 1;
        if self.depth > MAX_LAYERS { Err(Skipped::Malformed) } else { Ok(self) }
    }
}

impl Decoder {
    /// A decoder that looks for VXLAN on these UDP destination ports.
    pub fn new(vxlan_ports: Vec<u16>) -> Self {
        Self { vxlan_ports, fragments: Fragments::default() }
    }

    /// The innermost IP packet of `frame`, or why there is none.
    #[inline]
    pub fn decode(&mut self, frame: &Frame<'_>) -> Result<Packet, Skipped> {
        let layers = Layers { time: frame.time, path: Path::default(), depth: 0 };
        self.link(frame.link, Bytes::new(frame.bytes, frame.wire_len), layers)
    }

    /// Bytes of memory held.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.fragments.memory_bytes()
    }
}
