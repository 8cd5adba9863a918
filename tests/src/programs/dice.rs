//! Chance that can be repeated: `WEIR_SEED=...` throws the same dice again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use super::traffic::mixed;
use crate::examples;

/// Numbers out of a seed.
#[derive(Debug)]
pub struct Dice {
    state: u64,
}

impl Dice {
    /// Takes the seed from the environment, else a new one, and prints it for the one who sees the test fail.
    pub fn new() -> Self {
        let state = examples::seed().unwrap_or_else(|| RandomState::new().hash_one("seed"));
        eprintln!("to repeat: WEIR_SEED={state}");
        Self { state }
    }

    /// Below `end`.
    pub const fn below(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_add(1);
        mixed(self.state) % end
    }

    /// Shorter than `end` milliseconds.
    pub const fn millis_below(&mut self, end: u64) -> Duration {
        Duration::from_micros(self.below(end * 1_000))
    }
}

impl Default for Dice {
    fn default() -> Self {
        Self::new()
    }
}
