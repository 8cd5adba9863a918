//! Whole programs on real data.

mod crash;
mod order;
mod readers;
mod truth;
