//! What a message takes in memory, against what it takes on the wire.

use std::mem::size_of;

use prost::Message as _;
use weir_proto::{decode_stored, v1};

/// The most bytes of memory that one byte of a message may take while it is read.
const GROWTH: usize = 400;
const BYTES: usize = 1 << 20;

/// A message of [`BYTES`] bytes that is nothing but empty messages in the repeated field `number`.
fn repeated(number: u8) -> Vec<u8> {
    [(number << 3) | 2, 0].repeat(BYTES / 2)
}

#[test]
fn many_empty_records_take_memory_in_proportion_and_are_no_batch() {
    for number in [5, 7, 8, 9] {
        let bytes = repeated(number);
        let batch = v1::Batch::decode(bytes.as_slice()).expect("a message");
        let held = [
            batch.entries.capacity() * size_of::<v1::Entry>(),
            batch.flows.capacity() * size_of::<v1::FlowRecord>(),
            batch.coverage.capacity() * size_of::<v1::Coverage>(),
            batch.losses.capacity() * size_of::<v1::Loss>(),
        ];
        let held: usize = held.iter().sum();
        assert!(held > BYTES && held <= BYTES * GROWTH, "field {number}: {held} bytes");
        decode_stored(&bytes).expect_err("no run, no ids");
    }
}

#[test]
fn a_length_that_is_not_there_takes_no_memory() {
    // `flows`, then a length of 2^62.
    let claim = [0x3a, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x40];
    let error = decode_stored(&claim).expect_err("cut short").to_string();
    assert_eq!(error, "not a batch");
}
