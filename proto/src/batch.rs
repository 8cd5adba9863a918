//! Batches as messages of a stream with its dictionary, and back.

use std::collections::HashMap;
use std::sync::Arc;

use weir_model::{AttributedFlow, AttributedRequest, Batch, RunId, Timestamp};

use crate::dictionary::EntryError;
use crate::names::Malformed;
use crate::policy_log::{policy_log_from_wire, policy_log_to_wire};
use crate::record::{decode_flow, encode_flow};
use crate::request::{decode_request, encode_request};
use crate::translation::{translation_from_wire, translation_to_wire};
use crate::watch::{
    coverage_from_wire, coverage_to_wire, input_from_wire, input_to_wire, loss_from_wire, loss_to_wire,
};
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

pub(crate) fn encode_with(batch: &Batch, names: &mut DictionaryEncoder) -> Result<v1::Batch, DictionaryFull> {
    let first = batch.flows.first().or_else(|| batch.requests.first().map(|request| &*request.flow));
    let base = first.map_or(Timestamp(0), |seen| seen.flow.first_ts);
    let flows = encode_flows(batch.flows.iter(), base, names)?;
    let carriers = Carriers::of(&batch.requests);
    let request_flows = encode_flows(carriers.flows.iter().copied(), base, names)?;
    let requests = batch.requests.iter().zip(carriers.of_requests);
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
        translations: batch.translations.iter().map(translation_to_wire).collect(),
        request_flows,
        requests: requests.map(|(seen, flow)| encode_request(&seen.request, flow, base)).collect(),
        policy_logs: batch.policy_logs.iter().map(policy_log_to_wire).collect(),
        inputs: batch.inputs.iter().map(input_to_wire).collect(),
    })
}

fn encode_flows<'a>(
    flows: impl Iterator<Item = &'a AttributedFlow>,
    base: Timestamp,
    names: &mut DictionaryEncoder,
) -> Result<Vec<v1::FlowRecord>, DictionaryFull> {
    let mut previous = 0;
    let mut records = Vec::new();
    for seen in flows {
        records.push(encode_flow(seen, base, previous, names)?);
        previous = seen.flow.id.0;
    }
    Ok(records)
}

/// The flows that carried requests, each once.
struct Carriers<'a> {
    flows: Vec<&'a AttributedFlow>,
    /// For each request the place of its flow among them.
    of_requests: Vec<u32>,
}

impl<'a> Carriers<'a> {
    fn of(requests: &'a [AttributedRequest]) -> Self {
        let mut known = HashMap::new();
        let mut flows = Vec::new();
        let of_requests = requests.iter().map(|seen| {
            *known.entry(Arc::as_ptr(&seen.flow)).or_insert_with(|| {
                flows.push(&*seen.flow);
                flows.len() as u32 - 1
            })
        });
        Self { of_requests: of_requests.collect(), flows }
    }
}

/// Reads a batch of a stream. Its entries count even where the batch is refused.
pub fn decode_batch(message: v1::Batch, names: &mut DictionaryDecoder) -> Result<Batch, DecodeError> {
    names.read(message.epoch, message.entries)?;
    let base = Timestamp(message.base_time_ns);
    let flows = decode_flows(message.flows, base, names)?;
    let carriers: Vec<_> = decode_flows(message.request_flows, base, names)?.into_iter().map(Arc::new).collect();
    let request = |record: v1::RequestRecord| {
        let number = record.flow;
        let carrier = carriers.get(number as usize).ok_or_else(|| Malformed::new("request.flow", &number))?;
        Ok::<_, Malformed>(AttributedRequest { flow: Arc::clone(carrier), request: decode_request(record, base)? })
    };
    let requests = message.requests.into_iter().map(request).collect::<Result<_, _>>()?;
    Ok(Batch {
        node: message.node.into(),
        run: run_from_wire(&message.run)?,
        sequence: message.sequence,
        flows,
        requests,
        coverage: message.coverage.into_iter().map(coverage_from_wire).collect::<Result<_, _>>()?,
        losses: message.losses.into_iter().map(loss_from_wire).collect::<Result<_, _>>()?,
        policy_logs: message.policy_logs.into_iter().map(policy_log_from_wire).collect::<Result<_, _>>()?,
        translations: message.translations.into_iter().map(translation_from_wire).collect::<Result<_, _>>()?,
        inputs: message.inputs.into_iter().map(input_from_wire).collect(),
    })
}

fn decode_flows(
    records: Vec<v1::FlowRecord>,
    base: Timestamp,
    names: &DictionaryDecoder,
) -> Result<Vec<AttributedFlow>, DecodeError> {
    let mut previous = 0;
    let mut flows = Vec::with_capacity(records.len());
    for (index, record) in records.into_iter().enumerate() {
        let seen = decode_flow(record, index, base, previous, names)?;
        previous = seen.flow.id.0;
        flows.push(seen);
    }
    Ok(flows)
}

/// Reads the 16 bytes of a run.
pub fn run_from_wire(run: &[u8]) -> Result<RunId, Malformed> {
    <[u8; 16]>::try_from(run)
        .map(|bytes| RunId(u128::from_be_bytes(bytes)))
        .map_err(|_| Malformed::new("run", &format_args!("{} bytes, not 16", run.len())))
}
