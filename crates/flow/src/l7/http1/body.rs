//! Bodies, passed over by their framing (RFC 9112, 6 and 7): bytes in, where they end out. Nothing is kept.

/// What is left of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    /// There is none.
    None,
    /// So many bytes.
    Length(u64),
    /// All until the connection ends.
    UntilEnd,
    /// Chunks, from this place on.
    Chunked(Chunk),
}

/// A place in a chunked body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunk {
    /// In the line with a chunk's size.
    Size { bytes: u64, digits: u8, is_over: bool },
    /// So many bytes before the end of a chunk.
    Data(u64),
    /// In the line end behind a chunk.
    DataEnd,
    /// In a line of the trailers.
    Trailer { is_blank: bool },
}

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Passed {
    /// It goes on.
    More,
    /// It is over.
    End,
    /// It is not framed as it should be.
    Broken,
}

impl Body {
    /// A chunked body from its start.
    pub(super) const CHUNKED: Self = Self::Chunked(Chunk::SIZE);

    /// Passes over what belongs to the body, and takes it from `rest`.
    pub(super) fn pass(&mut self, rest: &mut &[u8]) -> Passed {
        match self {
            Self::None => Passed::End,
            Self::UntilEnd => {
                *rest = &[];
                Passed::More
            }
            Self::Length(left) => {
                pass(left, rest);
                if *left == 0 { Passed::End } else { Passed::More }
            }
            Self::Chunked(chunk) => chunk.pass(rest),
        }
    }

    /// Passes over `len` bytes that are missing; `None` = more than the rest of the body, or of the chunk.
    pub(super) const fn skip(&mut self, len: u64) -> Option<Passed> {
        match self {
            Self::UntilEnd => Some(Passed::More),
            Self::Length(left) if len <= *left => {
                *left -= len;
                Some(if *left == 0 { Passed::End } else { Passed::More })
            }
            Self::Chunked(chunk) => match chunk {
                Chunk::Data(left) if len < *left => {
                    *left -= len;
                    Some(Passed::More)
                }
                Chunk::Data(left) if len == *left => {
                    *chunk = Chunk::DataEnd;
                    Some(Passed::More)
                }
                _ => None,
            },
            _ => None,
        }
    }
}

impl Chunk {
    const SIZE: Self = Self::Size { bytes: 0, digits: 0, is_over: false };

    fn pass(&mut self, rest: &mut &[u8]) -> Passed {
        loop {
            if let Self::Data(left) = self {
                pass(left, rest);
                if *left > 0 {
                    return Passed::More;
                }
                *self = Self::DataEnd;
            }
            let Some((byte, behind)) = rest.split_first() else { return Passed::More };
            let Some(next) = self.next(*byte) else { return Passed::Broken };
            *rest = behind;
            if *byte == b'\n' && matches!(self, Self::Trailer { is_blank: true }) {
                return Passed::End;
            }
            *self = next;
        }
    }

    /// The place behind `byte` of a line.
    fn next(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Size { digits: 0, .. } | Self::Data(_), b'\n') => None,
            (Self::Size { bytes: 0, .. } | Self::Trailer { .. }, b'\n') => Some(Self::Trailer { is_blank: true }),
            (Self::Size { bytes, .. }, b'\n') => Some(Self::Data(bytes)),
            (Self::DataEnd, b'\n') => Some(Self::SIZE),
            (Self::Size { is_over: true, .. }, _) | (Self::DataEnd | Self::Trailer { .. }, b'\r') => Some(self),
            (Self::Size { bytes, digits, .. }, b' ' | b'\t' | b'\r' | b';') => {
                (digits > 0).then_some(Self::Size { bytes, digits, is_over: true })
            }
            (Self::Size { bytes, digits, .. }, _) => {
                let digit = char::from(byte).to_digit(16)?;
                let bytes = bytes.checked_mul(16)?.checked_add(digit.into())?;
                Some(Self::Size { bytes, digits: digits.saturating_add(1), is_over: false })
            }
            (Self::DataEnd | Self::Data(_), _) => None,
            (Self::Trailer { .. }, _) => Some(Self::Trailer { is_blank: false }),
        }
    }
}

fn pass(left: &mut u64, rest: &mut &[u8]) {
    let passed = usize::try_from(*left).unwrap_or(usize::MAX).min(rest.len());
    *rest = rest.get(passed..).unwrap_or_default();
    *left -= passed as u64;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(mut body: Body, mut bytes: &[u8]) -> (Passed, usize) {
        let passed = body.pass(&mut bytes);
        (passed, bytes.len())
    }

    #[test]
    fn chunked_bodies_end_behind_their_trailers() {
        let wire = b"5\r\nhello\r\nA;ext=\"1\"\r\n0123456789\r\n0\r\nA: b\r\n\r\nHTTP";
        assert_eq!(passed(Body::CHUNKED, wire), (Passed::End, 4));
        assert_eq!(passed(Body::CHUNKED, b"1 \nx\n0\n\nHTTP"), (Passed::End, 4));
        let mut body = Body::CHUNKED;
        let ends: Vec<_> = wire.iter().map(|byte| body.pass(&mut &[*byte][..])).collect();
        assert_eq!(ends.iter().position(|end| *end == Passed::End), Some(wire.len() - 5));
    }

    #[test]
    fn sizes_that_are_no_numbers_break_a_body() {
        for wire in [&b"x\r\n"[..], b"\r\n", b"11111111111111111\r\n", b"1\r\nab"] {
            assert_eq!(passed(Body::CHUNKED, wire).0, Passed::Broken, "{wire:?}");
        }
    }

    #[test]
    fn missing_bytes_are_passed_over_where_their_place_is_known() {
        let mut body = Body::Length(10);
        assert_eq!((body.skip(4), body.skip(7), body.skip(6)), (Some(Passed::More), None, Some(Passed::End)));
        let mut body = Body::CHUNKED;
        assert_eq!(body.skip(1), None);
        assert_eq!(body.pass(&mut &b"a\r\n12"[..]), Passed::More);
        assert_eq!((body.skip(9), body.skip(8)), (None, Some(Passed::More)));
        assert_eq!(body.pass(&mut &b"\r\n0\r\n\r\n"[..]), Passed::End);
    }
}
