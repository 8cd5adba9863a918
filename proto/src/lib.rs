//! The wire: `weir.v1` messages and services, and how they stand for the nouns of `weir_model`.
//!
//! `weir/v1/*.proto` is the reference for every message. Agents encode batches with a [`DictionaryEncoder`], the
//! collector decodes them with a [`DictionaryDecoder`]; its journal holds batches that need no dictionary but their own,
//! and changes of objects.

mod batch;
mod dictionary;
mod flat;
mod names;
mod policy_log;
mod record;
mod request;
mod stored;
mod translation;
mod watch;

pub use batch::{DecodeError, decode_batch, encode_batch, run_from_wire};
pub use dictionary::{DictionaryDecoder, DictionaryEncoder, DictionaryFull, names_in};
pub use flat::{
    flow_from_record, object_from_record, record_from_flow, record_from_object, record_from_request,
    request_from_record,
};
pub use names::Malformed;
pub use stored::{Entry, decode_entry, decode_stored, encode_objects, encode_stored};
pub use watch::{coverage_from_wire, coverage_to_wire, input_to_wire, loss_from_wire, loss_to_wire};

/// The version of the protocol between agent and collector.
pub const PROTOCOL_VERSION: u32 = 1;

/// The default cap of a stream's dictionary, in entries.
pub const DICTIONARY_CAP: usize = 65_536;

/// The largest message the collector takes, in bytes.
pub const MAX_MESSAGE_BYTES: usize = 2 << 20;

/// Messages and services as generated from `weir/v1/*.proto`.
#[expect(missing_docs, clippy::pedantic, reason = "generated; the proto files are the reference")]
pub mod v1 {
    tonic::include_proto!("weir.v1");

    /// Descriptors of all messages and services, for reflection.
    pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/weir.v1.bin"));
}

/// A point in time as the well-known message.
pub fn time_to_wire(time: weir_model::Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.seconds(), nanos: time.subsec_nanos() as i32 }
}

/// A point in time from the well-known message; saturates outside the range of [`weir_model::Timestamp`].
pub fn time_from_wire(time: &prost_types::Timestamp) -> weir_model::Timestamp {
    let nanos = i128::from(time.seconds) * 1_000_000_000 + i128::from(time.nanos);
    weir_model::Timestamp(nanos.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64)
}
