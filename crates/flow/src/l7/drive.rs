//! For tests of parsers: feeds one with parts of a flow, and with damaged ones for as long as is asked for.

use std::time::{Duration, Instant};

use weir_model::{Request, Timestamp};

use super::exchanges::Exchanges;
use super::parser::{Side, StreamParser, Turn};

/// Rounds of damage where no time is asked for.
const ROUNDS: usize = 2_000;

/// Something that happens to a flow.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// Bytes from a side.
    Data(Side, Vec<u8>),
    /// So many bytes from a side are missing.
    Gap(Side, u64),
    /// A side sends no more.
    End(Side),
}

/// What the opener sends.
pub(super) fn src(bytes: impl AsRef<[u8]>) -> Part {
    Part::Data(Side::Src, bytes.as_ref().to_vec())
}

/// What the other side sends.
pub(super) fn dst(bytes: impl AsRef<[u8]>) -> Part {
    Part::Data(Side::Dst, bytes.as_ref().to_vec())
}

/// Feeds a parser, part number `n` at `n` milliseconds, each byte string in pieces that end where `cut` says, and closes it
/// unless it was done. Gives what it found and its last turn. Holds that it never has more than `max_bytes`.
pub(super) fn drive(
    mut parser: impl StreamParser,
    parts: &[Part],
    max_bytes: usize,
    mut cut: impl FnMut(usize) -> usize,
) -> (Vec<Request>, Turn) {
    let (mut out, mut turn) = (Exchanges::default(), Turn::Stay);
    for (number, part) in parts.iter().enumerate() {
        let time = Timestamp(number as i64 * 1_000_000);
        match part {
            Part::Data(side, bytes) => {
                let mut rest = &bytes[..];
                while !rest.is_empty() && matches!(turn, Turn::Stay) {
                    let (piece, behind) = rest.split_at(cut(rest.len()).clamp(1, rest.len()));
                    turn = parser.data(*side, piece, time, &mut out);
                    rest = behind;
                }
                if let Turn::Anew { rest: left } | Turn::Http2 { rest: left, .. } = &mut turn {
                    *left += rest.len();
                }
            }
            Part::Gap(side, len) => turn = parser.gap(*side, *len, &mut out),
            Part::End(side) => parser.end(*side, &mut out),
        }
        assert!(parser.memory_bytes() <= max_bytes, "{} bytes are held", parser.memory_bytes());
        if !matches!(turn, Turn::Stay) {
            return (out.drain().collect(), turn);
        }
    }
    parser.close(&mut out);
    (out.drain().collect(), turn)
}

/// Numbers that look random and are the same each time (xorshift).
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    /// A number below `sides`, which is not 0.
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }
}

/// Calls `check` with damaged copies of `seeds`: some rounds of it, or for `WEIR_FUZZ_SECONDS`.
#[expect(clippy::disallowed_methods, reason = "who runs a test says by the environment how long")]
pub(super) fn damaged(seeds: &[Vec<u8>], mut check: impl FnMut(&[u8], &mut Dice)) {
    let seconds = std::env::var("WEIR_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut round = 0;
    while end.map_or(round < ROUNDS, |end| Instant::now() < end) {
        let mut bytes = seeds[dice.roll(seeds.len())].clone();
        for _ in 0..dice.roll(6) {
            damage(&mut bytes, &seeds[dice.roll(seeds.len())], &mut dice);
        }
        check(&bytes, &mut dice);
        round += 1;
    }
}

fn damage(bytes: &mut Vec<u8>, other: &[u8], dice: &mut Dice) {
    if bytes.is_empty() {
        return bytes.extend_from_slice(other);
    }
    let at = dice.roll(bytes.len());
    match dice.roll(5) {
        0 => bytes[at] = dice.roll(256) as u8,
        1 => bytes[at] ^= 1 << dice.roll(8),
        2 => bytes.truncate(at),
        3 => drop(bytes.drain(at..(at + 1 + dice.roll(8)).min(bytes.len()))),
        _ => drop(bytes.splice(at..at, other[dice.roll(other.len().max(1)).min(other.len())..].iter().copied())),
    }
}
