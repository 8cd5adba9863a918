//! Entries of the journal: batches alone, with their own names, and changes of objects.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use weir_proto::{DictionaryEncoder, Entry, decode_entry, decode_stored, encode_batch, encode_objects, encode_stored};

use crate::arbitrary;

proptest! {
    #[test]
    fn a_stored_batch_is_read_alone(batch in arbitrary::batch()) {
        let bytes = encode_stored(&batch);
        prop_assert_eq!(decode_stored(&bytes).expect("understood"), batch.clone());
        prop_assert_eq!(decode_entry(&bytes).expect("understood"), Entry::Batch(batch));
    }

    #[test]
    fn changes_of_objects_are_read_as_such(changes in vec(arbitrary::object_row(), 1..4)) {
        prop_assert_eq!(decode_entry(&encode_objects(&changes)).expect("understood"), Entry::Objects(changes));
    }

    #[test]
    fn a_stored_batch_is_the_first_message_of_a_stream(batch in arbitrary::batch()) {
        let message = encode_batch(&batch, &mut DictionaryEncoder::new(16)).expect("fits");
        prop_assert_eq!(prost::Message::encode_to_vec(&message), encode_stored(&batch));
    }

    #[test]
    fn any_bytes_are_a_batch_or_an_error(bytes in vec(any::<u8>(), 0..2_000)) {
        // No panic is the claim; most bytes are no batch.
        let _ = decode_entry(&bytes);
    }

    #[test]
    fn a_damaged_batch_is_a_batch_or_an_error(
        batch in arbitrary::batch(), damage in vec((any::<Index>(), any::<u8>()), 1..8), cut in any::<Index>(),
    ) {
        let mut bytes = encode_stored(&batch);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let _ = decode_stored(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        let _ = decode_stored(&bytes);
    }
}

#[test]
fn an_empty_entry_is_no_batch() {
    let error = decode_entry(&[]).expect_err("no run").to_string();
    assert_eq!(error, "run has no valid value: 0 bytes, not 16");
}
