//! The rest of a packet: the captured bytes, and how many there were on the wire.

use crate::counts::Skipped;
use crate::packet::Captured;

/// Captured bytes from some header on. `wire` counts the bytes up to the end of the enclosing packet on the wire; where
/// the snap length cut the frame it is larger than `seen`.
#[derive(Clone, Copy)]
pub(super) struct Bytes<'a> {
    pub(super) seen: &'a [u8],
    pub(super) wire: u32,
    /// Where `seen` begins in the frame.
    at: u32,
}

impl<'a> Bytes<'a> {
    pub(super) fn new(seen: &'a [u8], wire_len: u32) -> Self {
        Self { seen, wire: wire_len.max(seen.len() as u32), at: 0 }
    }

    /// What is behind the first `count` bytes.
    pub(super) fn skip(self, count: usize) -> Self {
        let seen = self.seen.get(count..).unwrap_or_default();
        Self { seen, wire: self.wire.saturating_sub(count as u32), at: self.at.saturating_add(count as u32) }
    }

    /// What is behind the first `from` bytes in a packet of `len` bytes: padding behind the packet is cut off.
    pub(super) fn body(self, from: usize, len: u32) -> Self {
        let seen = self.seen.get(from..self.seen.len().min(len as usize)).unwrap_or_default();
        Self { seen, wire: len.saturating_sub(from as u32), at: self.at.saturating_add(from as u32) }
    }

    /// Where the captured bytes lie in the frame.
    pub(super) fn captured(self) -> Captured {
        Captured { from: self.at, len: self.seen.len() as u32 }
    }

    /// The first `N` bytes; where they are not there, why.
    #[inline]
    pub(super) fn head<const N: usize>(self) -> Result<&'a [u8; N], Skipped> {
        self.seen.first_chunk().ok_or_else(|| self.shortage())
    }

    /// The big-endian number at `at`; where it is not there, why.
    pub(super) fn u16(self, at: usize) -> Result<u16, Skipped> {
        let raw = self.seen.get(at..).and_then(<[u8]>::first_chunk::<2>);
        raw.map(|raw| u16::from_be_bytes(*raw)).ok_or_else(|| self.shortage())
    }

    /// The big-endian number at `at`, where it is there.
    pub(super) fn u32(self, at: usize) -> Option<u32> {
        self.seen.get(at..).and_then(<[u8]>::first_chunk::<4>).map(|raw| u32::from_be_bytes(*raw))
    }

    /// Why bytes are missing: not captured, or never there.
    pub(super) const fn shortage(self) -> Skipped {
        if (self.seen.len() as u64) < self.wire as u64 { Skipped::Truncated } else { Skipped::Malformed }
    }
}
