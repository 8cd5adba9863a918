//! A seeded loop over mutated files: reading ends, never panics, and never makes more frames than bytes allow.
//!
//! `WEIR_FUZZ_SECONDS` makes each loop go on for that long.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::classic::classic;
use crate::pcapng::{block, interface, packet, section};
use crate::read;

/// Mutations without `WEIR_FUZZ_SECONDS`.
const ROUNDS: u64 = 3_000;

/// Small, fast, the same on every run (xorshift64*).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 16) as usize % bound.max(1)
    }
}

/// A few bytes changed, words that matter written anywhere, parts cut out or doubled.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    const WORDS: [u32; 8] = [0, 1, 6, 16, 0x7fff_ffff, 0xffff_ffff, 0x0a0d_0d0a, 262_144];
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len());
        match random.below(5) {
            0 => bytes.truncate(at),
            1 => {
                let word = WORDS[random.below(WORDS.len())];
                let word = if random.below(2) == 0 { word.to_le_bytes() } else { word.to_be_bytes() };
                let at = at / 4 * 4;
                bytes.iter_mut().skip(at).zip(word).for_each(|(byte, new)| *byte = new);
            }
            2 => {
                let len = random.below(64).min(bytes.len() - at);
                let part = bytes[at..at + len].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= random.next() as u8;
                }
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "how long to go on is asked of the environment")]
fn seconds() -> Option<u64> {
    std::env::var("WEIR_FUZZ_SECONDS").ok()?.parse().ok()
}

#[expect(clippy::disallowed_methods, reason = "a test finds its examples by the environment")]
fn examples() -> PathBuf {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/examples");
    std::env::var_os("WEIR_EXAMPLES").map_or(default, PathBuf::from)
}

/// Public captures up to 64 KiB whose first four bytes pass `is_one`; none where there are no examples.
fn public(is_one: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let Ok(entries) = fs::read_dir(examples().join("captures")) else { return Vec::new() };
    let files = entries.filter_map(|entry| fs::read(entry.ok()?.path()).ok());
    files.filter(|bytes| bytes.len() <= 64 << 10 && bytes.get(..4).is_some_and(&is_one)).collect()
}

fn go_on(seeds: &[Vec<u8>]) {
    let mut random = Random(0x5eed);
    let (start, seconds) = (Instant::now(), seconds().map(Duration::from_secs));
    for round in 0.. {
        match seconds {
            Some(seconds) if start.elapsed() >= seconds => break,
            None if round == ROUNDS => break,
            _ => {}
        }
        let mut bytes = seeds[random.below(seeds.len())].clone();
        mutate(&mut bytes, &mut random);
        let len = bytes.len();
        let (seen, _) = read(bytes);
        let held: usize = seen.iter().map(|frame| frame.bytes.len()).sum();
        assert!(held <= len && seen.len() <= len / 12, "round {round}: {} frames of {held} bytes in {len}", seen.len());
    }
}

#[test]
fn mutated_classic_files_end() {
    let mut seeds = vec![
        classic(false, 0xa1b2_c3d4, &[(1, 2, 3, &[1; 60]), (1, 2, 3, &[2; 70])]),
        classic(true, 0xa1b2_3c4d, &[(1, 2, 3, &[1; 60]), (1, 2, 3, &[2; 70])]),
    ];
    seeds.extend(public(|magic| magic.contains(&0xa1)));
    go_on(&seeds);
}

#[test]
fn mutated_pcapng_files_end() {
    let simple = block(false, 3, &[&4_u32.to_le_bytes()[..], b"abcd"].concat());
    let file =
        [section(false), interface(1, 9, &[9, 0, 1, 0, 0x90, 0, 0, 0]), packet(0, 1, 3, &[1; 60]), simple].concat();
    let mut seeds = vec![file.clone(), [file, section(true), block(true, 1, &[0, 1, 0, 0, 0, 0, 0, 0])].concat()];
    seeds.extend(public(|magic| magic == [0x0a, 0x0d, 0x0d, 0x0a]));
    go_on(&seeds);
}
