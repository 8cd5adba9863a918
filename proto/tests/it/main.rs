//! Batches and rows through their messages and back.

mod arbitrary;
mod flat;
mod malformed;
mod size;
mod stored;
mod stream;
