//! Mutated inputs for the parsers of hellos: the same ones in every run, more of them where `WEIR_FUZZ_SECONDS` says so.

use std::time::{Duration, Instant};

const ROUNDS: usize = 2_000;

/// A generator with a seed (xorshift64*).
pub(in crate::l7) struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `end`; 0 where there is none.
    pub(in crate::l7) fn below(&mut self, end: usize) -> usize {
        (self.next() >> 16) as usize % end.max(1)
    }

    /// Changes a few bytes: flips, extremes, cuts, repeats, and lengths that do not fit.
    pub(in crate::l7) fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match (self.below(6), bytes.get_mut(at)) {
                (_, None) => bytes.push(self.next() as u8),
                (0, Some(byte)) => *byte ^= 1 << self.below(8),
                (1, Some(byte)) => *byte = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                (2, Some(byte)) => *byte = self.next() as u8,
                (3, _) => bytes.truncate(at),
                (4, _) => drop(bytes.remove(at)),
                _ => {
                    let part = bytes[at..bytes.len().min(at + self.below(40))].to_vec();
                    bytes.splice(at..at, part);
                }
            }
        }
    }
}

/// Hands out mutations of `inputs`, the parts of a conversation.
#[expect(clippy::disallowed_methods, reason = "a test is told by the environment how long to run")]
pub(in crate::l7) fn each(inputs: &[Vec<u8>], mut check: impl FnMut(&mut Random, Vec<Vec<u8>>)) {
    let seconds = std::env::var("WEIR_FUZZ_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    let end = seconds.map(|seconds| Instant::now() + Duration::from_secs(seconds));
    let mut random = Random(0x5eed);
    let mut round = 0;
    while end.map_or(round < ROUNDS, |end| Instant::now() < end) {
        let mut inputs = inputs.to_vec();
        for _ in 0..=random.below(2) {
            let which = random.below(inputs.len());
            random.mutate(&mut inputs[which]);
        }
        if random.below(4) == 0 {
            let (one, other) = (random.below(inputs.len()), random.below(inputs.len()));
            inputs.swap(one, other);
        }
        check(&mut random, inputs);
        round += 1;
    }
}
