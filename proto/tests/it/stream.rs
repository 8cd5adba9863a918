//! Batches on a stream: every name once, in an order that both sides follow.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use prost::Message as _;
use weir_model::{AttributedFlow, Batch, Endpoint};
use weir_proto::{
    DecodeError, DictionaryDecoder, DictionaryEncoder, DictionaryFull, decode_batch, encode_batch, names_in, v1,
};

use crate::arbitrary;
use crate::malformed::full_batch;

/// So small that a few batches fill it.
const CAP: usize = 16;

fn over_the_wire(message: &v1::Batch) -> v1::Batch {
    v1::Batch::decode(message.encode_to_vec().as_slice()).expect("what was encoded is a message")
}

/// One flow for each of `names`, which is the name of both its endpoints.
fn batch_of(names: impl IntoIterator<Item = usize>) -> Batch {
    let mut batch = full_batch();
    batch.requests.clear();
    let model = batch.flows.remove(0);
    let endpoint = |name: usize| Arc::new(Endpoint { name: Some(name.to_string().into()), ..Endpoint::default() });
    let flow = |name| {
        let endpoint = endpoint(name);
        AttributedFlow { src: Arc::clone(&endpoint), dst: endpoint, service: None, ..model.clone() }
    };
    batch.flows = names.into_iter().map(flow).collect();
    batch
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn batches_come_out_as_they_went_in(batches in vec(arbitrary::batch(), 1..12)) {
        let (mut up, mut down) = (DictionaryEncoder::new(CAP), DictionaryDecoder::new(CAP));
        for batch in batches {
            let message = encode_batch(&batch, &mut up).expect("no batch has more names than the cap");
            prop_assert!(message.entries.len() <= CAP);
            prop_assert_eq!(decode_batch(over_the_wire(&message), &mut down).expect("understood"), batch);
        }
    }

    #[test]
    fn what_is_sent_again_on_a_new_stream_is_understood_there(
        batches in vec(arbitrary::batch(), 1..12), acked in any::<prop::sample::Index>(),
    ) {
        let mut first = DictionaryEncoder::new(CAP);
        for batch in &batches {
            encode_batch(batch, &mut first).expect("fits");
        }
        let (mut up, mut down) = (DictionaryEncoder::new(CAP), DictionaryDecoder::new(CAP));
        for batch in batches.iter().skip(acked.index(batches.len())) {
            let message = encode_batch(batch, &mut up).expect("fits");
            prop_assert_eq!(&decode_batch(over_the_wire(&message), &mut down).expect("understood"), batch);
        }
    }

    #[test]
    fn after_a_gap_a_batch_is_right_or_refused_but_never_wrong(
        batches in vec((arbitrary::batch(), any::<bool>()), 1..12),
    ) {
        let (mut up, mut down) = (DictionaryEncoder::new(CAP), DictionaryDecoder::new(CAP));
        for (batch, arrives) in batches {
            let message = encode_batch(&batch, &mut up).expect("fits");
            if arrives {
                match decode_batch(over_the_wire(&message), &mut down) {
                    Ok(read) => prop_assert_eq!(read, batch),
                    Err(error) => prop_assert!(matches!(error, DecodeError::UnknownId { .. }), "{}", error),
                }
            }
        }
    }

    #[test]
    fn a_batch_fits_where_its_names_do(batch in arbitrary::batch(), cap in 0..20_usize) {
        let fits = encode_batch(&batch, &mut DictionaryEncoder::new(cap)).is_ok();
        prop_assert_eq!(fits, names_in(&batch) <= cap);
    }
}

#[test]
fn a_name_travels_once_and_a_full_dictionary_starts_again() {
    let mut up = DictionaryEncoder::new(CAP);
    let mut sent = |names| {
        let message = encode_batch(&batch_of(names), &mut up).expect("fits");
        (message.epoch, message.entries.len())
    };
    assert_eq!(sent(0..10), (0, 11), "ten endpoints and the tap");
    assert_eq!(sent(0..10), (0, 0));
    assert_eq!(sent(5..12), (0, 2));
    assert_eq!(sent(10..14), (0, 2));
    assert_eq!(sent(10..16), (1, 7), "only what the batch itself uses");
    assert_eq!(sent(0..1), (1, 1), "what the last epoch had is forgotten");
}

#[test]
fn a_batch_with_more_names_than_the_cap_is_refused_and_harms_no_other() {
    let (mut up, mut down) = (DictionaryEncoder::new(CAP), DictionaryDecoder::new(CAP));
    let refused = encode_batch(&batch_of(0..CAP), &mut up);
    assert_eq!(refused, Err(DictionaryFull { cap: CAP }), "sixteen endpoints and the tap");
    let batch = batch_of(3..9);
    let message = encode_batch(&batch, &mut up).expect("fits");
    assert_eq!(decode_batch(message, &mut down).expect("understood"), batch);
}

#[test]
fn entries_of_a_refused_batch_count() {
    let (mut up, mut down) = (DictionaryEncoder::new(CAP), DictionaryDecoder::new(CAP));
    let mut spoilt = encode_batch(&batch_of(0..3), &mut up).expect("fits");
    spoilt.flows[1].dst_id = 99;
    let refused = decode_batch(spoilt, &mut down).expect_err("99 was never sent");
    assert!(matches!(refused, DecodeError::UnknownId { record: 1, id: 99 }), "{refused}");

    let batch = batch_of(0..3);
    let message = encode_batch(&batch, &mut up).expect("fits");
    assert!(message.entries.is_empty());
    assert_eq!(decode_batch(message, &mut down).expect("understood"), batch);
}

#[test]
fn entries_behind_one_that_cannot_be_read_count() {
    let (mut up, mut down) = (DictionaryEncoder::new(CAP), DictionaryDecoder::new(CAP));
    let mut spoilt = encode_batch(&batch_of(0..3), &mut up).expect("fits");
    spoilt.entries.insert(0, v1::Entry { id: 15, name: None });
    let refused = decode_batch(spoilt, &mut down).expect_err("an entry without a name");
    assert!(matches!(refused, DecodeError::Malformed(_)), "{refused}");

    let batch = batch_of(0..3);
    let message = encode_batch(&batch, &mut up).expect("fits");
    assert_eq!(decode_batch(message, &mut down).expect("understood"), batch);
}

#[test]
fn an_id_of_another_kind_is_unknown() {
    let message = || encode_batch(&full_batch(), &mut DictionaryEncoder::new(CAP)).expect("fits");
    let spoil: [fn(&mut v1::FlowRecord); 4] = [
        |record| record.tap_id = record.src_id,
        |record| record.src_id = record.tap_id,
        |record| record.dst_id = record.service_id,
        |record| record.service_id = record.tap_id,
    ];
    for (at, spoil) in spoil.into_iter().enumerate() {
        let mut message = message();
        spoil(&mut message.flows[0]);
        let refused = decode_batch(message, &mut DictionaryDecoder::new(CAP)).expect_err("not that kind");
        assert!(matches!(refused, DecodeError::UnknownId { record: 0, .. }), "{at}: {refused}");
    }
}

#[test]
fn more_entries_than_the_reader_holds_are_refused_until_the_next_epoch() {
    let (mut up, mut down) = (DictionaryEncoder::new(CAP + 1), DictionaryDecoder::new(CAP));
    let message = encode_batch(&batch_of(0..CAP), &mut up).expect("fits the writer");
    let refused = decode_batch(message, &mut down).expect_err("one too many");
    assert!(matches!(refused, DecodeError::DictionaryFull(DictionaryFull { cap: CAP })), "{refused}");

    up.reset();
    let batch = batch_of(0..5);
    let message = encode_batch(&batch, &mut up).expect("fits");
    assert_eq!(decode_batch(message, &mut down).expect("understood"), batch);
}

#[test]
fn a_batch_of_an_epoch_that_is_over_is_refused() {
    let (mut up, mut down) = (DictionaryEncoder::new(CAP), DictionaryDecoder::new(CAP));
    let old = encode_batch(&batch_of(0..3), &mut up).expect("fits");
    up.reset();
    let new = encode_batch(&batch_of(3..6), &mut up).expect("fits");
    decode_batch(new, &mut down).expect("understood");
    let refused = decode_batch(old, &mut down).expect_err("its ids mean other names now");
    assert_eq!(refused.to_string(), "epoch has no valid value: 0 after 1");
}

#[test]
fn ids_of_an_epoch_whose_beginning_was_lost_are_unknown() {
    let (mut up, mut down) = (DictionaryEncoder::new(CAP), DictionaryDecoder::new(CAP));
    let known = encode_batch(&batch_of(0..3), &mut up).expect("fits");
    decode_batch(known, &mut down).expect("understood");
    up.reset();
    encode_batch(&batch_of(3..6), &mut up).expect("fits");
    let later = encode_batch(&batch_of(3..6), &mut up).expect("fits");
    let refused = decode_batch(later, &mut down).expect_err("the ids were given to other names before");
    assert!(matches!(refused, DecodeError::UnknownId { record: 0, .. }), "{refused}");
}
