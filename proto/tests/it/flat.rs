//! Rows as flat messages.

use proptest::prelude::*;
use prost::Message as _;
use weir_model::tables::{FLOWS, REQUESTS};
use weir_model::{AttributedFlow, ColumnType, FlowRow, PerDirection, Record, TcpFlags, Timestamp, Value};
use weir_proto::{
    flow_from_record, record_from_flow, record_from_request, request_from_record, time_from_wire, time_to_wire, v1,
};

use crate::arbitrary;
use crate::malformed::full_batch;

/// The record with numbers that its columns' types hold.
fn held(mut record: Record) -> Record {
    for (column, value) in record.columns.iter().zip(&mut record.values) {
        if let (ColumnType::Int32, Value::Int(number)) = (column.kind, &mut *value) {
            *number = (*number).min(i64::from(i32::MAX));
        }
    }
    record
}

fn full_flow() -> AttributedFlow {
    full_batch().flows.remove(0)
}

proptest! {
    #[test]
    fn a_request_comes_out_as_it_went_in(row in arbitrary::request_row()) {
        let record = REQUESTS.record(&row);
        let message = request_from_record(&record);
        let message = v1::Request::decode(message.encode_to_vec().as_slice()).expect("a message");
        prop_assert_eq!(record_from_request(message).expect("understood"), held(record));
    }

    #[test]
    fn a_row_comes_out_as_it_went_in(row in arbitrary::row()) {
        let record = FLOWS.record(&row);
        let flow = flow_from_record(&record);
        let read = v1::Flow::decode(flow.encode_to_vec().as_slice()).expect("what was encoded is a message");
        prop_assert_eq!(&read, &flow);
        prop_assert_eq!(record_from_flow(read).expect("understood"), held(record));
    }

    #[test]
    fn a_time_comes_out_as_it_went_in(nanos in any::<i64>()) {
        prop_assert_eq!(time_from_wire(&time_to_wire(Timestamp(nanos))), Timestamp(nanos));
    }

    #[test]
    fn any_time_on_the_wire_is_some_time(seconds in any::<i64>(), nanos in any::<i32>()) {
        let time = time_from_wire(&prost_types::Timestamp { seconds, nanos });
        prop_assert!(time.0 != i64::MAX || seconds >= 9_223_372_034);
        prop_assert!(time.0 != i64::MIN || seconds <= -9_223_372_034);
    }
}

#[test]
fn the_first_and_last_times_come_out_as_they_went_in() {
    for nanos in [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::MAX - 1, i64::MAX] {
        assert_eq!(time_from_wire(&time_to_wire(Timestamp(nanos))), Timestamp(nanos));
    }
    for (seconds, saturated) in [(i64::MIN, i64::MIN), (i64::MAX, i64::MAX)] {
        assert_eq!(time_from_wire(&prost_types::Timestamp { seconds, nanos: 0 }), Timestamp(saturated));
    }
}

#[test]
fn no_flag_seen_and_not_tcp_are_told_apart() {
    let flags = |seen: AttributedFlow| {
        let record = FLOWS.record(&FlowRow::alone(seen));
        record_from_flow(flow_from_record(&record)).expect("understood").get("tcp_flags_rev").clone()
    };
    let mut unanswered = full_flow();
    if let Some(tcp) = &mut unanswered.flow.tcp {
        tcp.flags = PerDirection { fwd: TcpFlags::SYN, rev: TcpFlags::default() };
    }
    assert_eq!(flags(unanswered), Value::TextList(Vec::new()));
    let mut other = full_flow();
    other.flow.tcp = None;
    assert_eq!(flags(other), Value::Null);
}

#[test]
fn a_number_that_its_column_cannot_hold_is_the_largest_that_it_can() {
    let mut seen = full_flow();
    if let Some(tcp) = &mut seen.flow.tcp {
        tcp.retransmits.fwd = u32::MAX;
    }
    let flow = flow_from_record(&FLOWS.record(&FlowRow::alone(seen)));
    assert_eq!(flow.retransmits_fwd, Some(i32::MAX));
}

#[test]
fn an_empty_message_is_a_row_of_nulls() {
    let record = record_from_flow(v1::Flow::default()).expect("understood");
    assert_eq!(record.values.len(), FLOWS.columns.len());
    assert!(record.values.iter().all(Value::is_null));
}
