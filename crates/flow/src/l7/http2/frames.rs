//! Frame heads of HTTP/2 (RFC 9113, 4.1): nine bytes before every payload. Payloads are not looked at here.

/// What a client sends before its first frame (RFC 9113, 3.4).
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Length of a frame's head in bytes.
pub(super) const HEAD_BYTES: usize = 9;

/// Flags (RFC 9113, 6). Which of them a frame can have depends on its kind.
pub(super) mod flag {
    /// DATA, HEADERS: the sender's last on this stream.
    pub(in crate::l7::http2) const END_STREAM: u8 = 0x1;
    /// SETTINGS, PING: an acknowledgement.
    pub(in crate::l7::http2) const ACK: u8 = 0x1;
    /// HEADERS, `PUSH_PROMISE`, CONTINUATION: the header block ends here.
    pub(in crate::l7::http2) const END_HEADERS: u8 = 0x4;
    /// DATA, HEADERS, `PUSH_PROMISE`: padded.
    pub(in crate::l7::http2) const PADDED: u8 = 0x8;
    /// HEADERS: with priority fields.
    pub(in crate::l7::http2) const PRIORITY: u8 = 0x20;
}

/// A frame's type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Data,
    Headers,
    Priority,
    Reset,
    Settings,
    PushPromise,
    Ping,
    GoAway,
    WindowUpdate,
    Continuation,
    /// An extension, which is skipped.
    Other,
}

impl Kind {
    const fn new(number: u8) -> Self {
        match number {
            0 => Self::Data,
            1 => Self::Headers,
            2 => Self::Priority,
            3 => Self::Reset,
            4 => Self::Settings,
            5 => Self::PushPromise,
            6 => Self::Ping,
            7 => Self::GoAway,
            8 => Self::WindowUpdate,
            9 => Self::Continuation,
            _ => Self::Other,
        }
    }

    /// Whether its payload is part of a header block.
    pub(super) const fn is_block(self) -> bool {
        matches!(self, Self::Headers | Self::PushPromise | Self::Continuation)
    }
}

/// A frame's head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Length of the payload in bytes.
    pub(super) len: u32,
    pub(super) kind: Kind,
    pub(super) flags: u8,
    /// 0 = the connection.
    pub(super) stream: u32,
}

impl Head {
    /// Reads a head. The reserved bit is ignored.
    pub(super) const fn new([a, b, c, kind, flags, s0, s1, s2, s3]: [u8; HEAD_BYTES]) -> Self {
        Self {
            len: u32::from_be_bytes([0, a, b, c]),
            kind: Kind::new(kind),
            flags,
            stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
        }
    }

    pub(super) const fn has(self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// What of a whole payload is header block: without padding and what stands before it. `None` = malformed.
    pub(super) fn fragment(self, payload: &[u8]) -> Option<Fragment> {
        let (mut start, mut end, mut promised) = (0, payload.len(), None);
        if self.kind != Kind::Continuation && self.has(flag::PADDED) {
            end = end.checked_sub(usize::from(*payload.first()?))?;
            start = 1;
        }
        if self.kind == Kind::Headers && self.has(flag::PRIORITY) {
            start += 5;
        }
        if self.kind == Kind::PushPromise {
            let [a, b, c, d] = *payload.get(start..)?.first_chunk()?;
            promised = Some(u32::from_be_bytes([a & 0x7f, b, c, d]));
            start += 4;
        }
        (start <= end).then_some(Fragment { start, end, promised })
    }
}

/// Where in a payload the header block lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The stream that `PUSH_PROMISE` announces.
    pub(super) promised: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(kind: u8, flags: u8) -> Head {
        Head::new([0, 1, 2, kind, flags, 0x80, 0, 0, 3])
    }

    #[test]
    fn a_head_is_nine_bytes() {
        let expected = Head { len: 258, kind: Kind::Headers, flags: 5, stream: 3 };
        assert_eq!(head(1, 5), expected);
        assert_eq!(head(77, 0).kind, Kind::Other);
    }

    #[test]
    fn padding_priority_and_promised_streams_are_no_part_of_the_block() {
        let all = flag::PADDED | flag::PRIORITY;
        let fragment = |start, end, promised| Some(Fragment { start, end, promised });
        assert_eq!(head(1, 0).fragment(&[9; 12]), fragment(0, 12, None));
        assert_eq!(head(1, all).fragment(&[2; 12]), fragment(6, 10, None));
        assert_eq!(head(5, flag::PADDED).fragment(&[1, 0x80, 0, 0, 4, 9, 9, 0]), fragment(5, 7, Some(4)));
        assert_eq!(head(9, all).fragment(&[2; 12]), fragment(0, 12, None));
    }

    #[test]
    fn more_padding_than_payload_is_malformed() {
        assert_eq!(head(1, flag::PADDED).fragment(&[3, 0, 0]), None);
        assert_eq!(head(1, flag::PADDED).fragment(&[]), None);
        assert_eq!(head(1, flag::PRIORITY).fragment(&[0; 4]), None);
        assert_eq!(head(5, 0).fragment(&[0; 3]), None);
    }
}
