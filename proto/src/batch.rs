//! Batches as messages and back: on a stream with its dictionary, or alone for the journal.

use prost::Message as _;
use weir_model::{Batch, RunId, Timestamp};

use crate::dictionary::EntryError;
use crate::names::Malformed;
use crate::record::{decode_flow, encode_flow};
use crate::watch::{coverage_from_wire, coverage_to_wire, loss_from_wire, loss_to_wire};
use crate::{DictionaryDecoder, DictionaryEncoder, DictionaryFull, v1};

/// Why a batch cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// A record names a dictionary id that was never sent.
    #[error("record {record} names unknown dictionary id {id}")]
    UnknownId {
        /// Index of the record in the batch.
        record: usize,
        /// The id.
        id: u32,
    },
    /// More names than the dictionary holds.
    #[error(transparent)]
    DictionaryFull(#[from] DictionaryFull),
    /// A field of the batch or of one of its records has no valid value.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// Not a message at all.
    #[error("not a batch")]
    Wire(#[from] prost::DecodeError),
}

impl From<EntryError> for DecodeError {
    fn from(error: EntryError) -> Self {
        match error {
            EntryError::Full(full) => full.into(),
            EntryError::Malformed(malformed) => malformed.into(),
        }
    }
}

/// Writes a batch for a stream. Names that the stream has not seen yet go along; where the dictionary has no room left
/// it is started again. Fails only for a batch with more names than the dictionary holds at all.
pub fn encode_batch(batch: &Batch, names: &mut DictionaryEncoder) -> Result<v1::Batch, DictionaryFull> {
    encode_with(batch, names).or_else(|DictionaryFull { .. }| {
        names.reset();
        encode_with(batch, names)
    })
}

fn encode_with(batch: &Batch, names: &mut DictionaryEncoder) -> Result<v1::Batch, DictionaryFull> {
    let base = batch.flows.first().map_or(Timestamp(0), |f| f.flow.first_ts);
    let mut previous = 0;
    let mut flows = Vec::with_capacity(batch.flows.len());
    for flow in &batch.flows {
        flows.push(encode_flow(flow, base, previous, names)?);
        previous = flow.flow.id.0;
    }
    Ok(v1::Batch {
        node: batch.node.to_string(),
        run: batch.run.0.to_be_bytes().to_vec(),
        sequence: batch.sequence,
        epoch: names.epoch(),
        entries: names.take_fresh(),
        base_time_ns: base.0,
        flows,
        coverage: batch.coverage.iter().map(coverage_to_wire).collect(),
        losses: batch.losses.iter().map(loss_to_wire).collect(),
    })
}

/// Reads a batch of a stream. Its entries count even where the batch is refused.
pub fn decode_batch(message: v1::Batch, names: &mut DictionaryDecoder) -> Result<Batch, DecodeError> {
    names.read(message.epoch, message.entries)?;
    let base = Timestamp(message.base_time_ns);
    let mut previous = 0;
    let mut flows = Vec::with_capacity(message.flows.len());
    for (index, record) in message.flows.into_iter().enumerate() {
        let flow = decode_flow(record, index, base, previous, names)?;
        previous = flow.flow.id.0;
        flows.push(flow);
    }
    Ok(Batch {
        node: message.node.into(),
        run: run_from_wire(&message.run)?,
        sequence: message.sequence,
        flows,
        coverage: message.coverage.into_iter().map(coverage_from_wire).collect::<Result<_, _>>()?,
        losses: message.losses.into_iter().map(loss_from_wire).collect::<Result<_, _>>()?,
    })
}

/// Writes a batch with all its names, to be read without any stream.
pub fn encode_stored(batch: &Batch) -> Vec<u8> {
    let mut names = DictionaryEncoder::new(usize::MAX);
    encode_with(batch, &mut names).expect("a dictionary without a cap is never full").encode_to_vec()
}

/// Reads what [`encode_stored`] wrote.
pub fn decode_stored(bytes: &[u8]) -> Result<Batch, DecodeError> {
    decode_batch(v1::Batch::decode(bytes)?, &mut DictionaryDecoder::new(usize::MAX))
}

/// Reads the 16 bytes of a run.
pub fn run_from_wire(run: &[u8]) -> Result<RunId, Malformed> {
    <[u8; 16]>::try_from(run)
        .map(|bytes| RunId(u128::from_be_bytes(bytes)))
        .map_err(|_| Malformed::new("run", &format_args!("{} bytes, not 16", run.len())))
}
