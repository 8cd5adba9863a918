//! What a parser is asked, and what it may answer.
//!
//! A parser gets the bytes of one flow: of a stream in order, each once, with word of what is missing; of datagrams as
//! they come. Bytes may be cut anywhere: one call may bring half a byte string or five messages. It keeps only what it
//! still needs, says how much memory that is, and never fails: what it cannot read it skips until it can read again.

use weir_model::Timestamp;

use super::exchanges::{Exchanges, OpenRequest};

/// Who sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    /// The flow's opener. In a flow that was joined half-way this may be either.
    Src,
    /// The other one.
    Dst,
}

impl Side {
    /// The side that the other one talks to.
    pub(super) const fn other(self) -> Self {
        match self {
            Self::Src => Self::Dst,
            Self::Dst => Self::Src,
        }
    }
}

/// What a parser thinks of the first bytes that a side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probe {
    /// Mine.
    Yes,
    /// Mine as far as can be told from so few bytes.
    Maybe,
    /// Not mine.
    No,
}

/// What happens to a flow's state after a parser looked at something.
#[derive(Debug)]
pub(super) enum Turn {
    /// Goes on.
    Stay,
    /// There is nothing more to learn from this flow; what is open has been given out.
    Done,
    /// The last `rest` bytes of what was given, and all that follows from both sides, speak something else that is to be
    /// found out (after CONNECT).
    Anew {
        /// How many bytes.
        rest: usize,
    },
    /// As `Anew`, and it is HTTP/2 that answers `request` as stream 1 (RFC 7540, 3.2).
    Http2 {
        /// The request that asked for the upgrade.
        request: Box<OpenRequest>,
        /// How many bytes.
        rest: usize,
    },
}

/// A parser of streams.
pub(super) trait StreamParser {
    /// The next bytes from `side`, the first of which came at `time`.
    fn data(&mut self, side: Side, bytes: &[u8], time: Timestamp, out: &mut Exchanges) -> Turn;

    /// The next `len` bytes from `side` are missing: not captured, or never seen.
    fn gap(&mut self, side: Side, len: u64, out: &mut Exchanges) -> Turn;

    /// `side` sends no more: FIN or RST. Ends a body that has no length of its own.
    fn end(&mut self, side: Side, out: &mut Exchanges);

    /// The flow is over, or there is no more room for its state: gives out what is open.
    fn close(&mut self, out: &mut Exchanges);

    /// Bytes of memory that it holds beside its own size. Cheap: it is asked after every packet.
    fn memory_bytes(&self) -> usize;
}

/// A parser of datagrams.
pub(super) trait DatagramParser {
    /// One datagram from `side`; `is_cut` = the snap length took its end.
    fn datagram(&mut self, side: Side, bytes: &[u8], is_cut: bool, time: Timestamp, out: &mut Exchanges) -> Turn;

    /// The flow is over, or there is no more room for its state: gives out what is open.
    fn close(&mut self, out: &mut Exchanges);

    /// Bytes of memory that it holds beside its own size. Cheap: it is asked after every packet.
    fn memory_bytes(&self) -> usize;
}
