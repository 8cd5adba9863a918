//! Entries of the collector's journal: batches with all their names, and changes of the cluster's objects.

use prost::Message as _;
use weir_model::Batch;
use weir_model::tables::{OBJECTS, ObjectRow};

use crate::batch::encode_with;
use crate::names::Malformed;
use crate::{
    DecodeError, DictionaryDecoder, DictionaryEncoder, decode_batch, object_from_record, record_from_object, v1,
};

/// An entry of the journal.
#[derive(Clone, Debug, PartialEq)]
pub enum Entry {
    /// What an agent sent.
    Batch(Batch),
    /// Changes of objects, at least one.
    Objects(Vec<ObjectRow>),
}

/// Writes a batch with all its names, to be read without any stream.
pub fn encode_stored(batch: &Batch) -> Vec<u8> {
    let mut names = DictionaryEncoder::new(usize::MAX);
    encode_with(batch, &mut names).expect("a dictionary without a cap is never full").encode_to_vec()
}

/// Writes changes of objects.
pub fn encode_objects(changes: &[ObjectRow]) -> Vec<u8> {
    let changes = changes.iter().map(|row| object_from_record(&OBJECTS.record(row))).collect();
    v1::ObjectChanges { changes }.encode_to_vec()
}

/// Reads what [`encode_stored`] wrote.
pub fn decode_stored(bytes: &[u8]) -> Result<Batch, DecodeError> {
    decode_batch(v1::Batch::decode(bytes)?, &mut DictionaryDecoder::new(usize::MAX))
}

/// Reads what [`encode_stored`] or [`encode_objects`] wrote.
pub fn decode_entry(bytes: &[u8]) -> Result<Entry, DecodeError> {
    let objects = v1::ObjectChanges::decode(bytes)?;
    if objects.changes.is_empty() {
        return decode_stored(bytes).map(Entry::Batch);
    }
    let change = |object| {
        let record = record_from_object(object)?;
        ObjectRow::read(&record).ok_or_else(|| Malformed::new("changes", &"an object without a name"))
    };
    Ok(Entry::Objects(objects.changes.into_iter().map(change).collect::<Result<_, _>>()?))
}
