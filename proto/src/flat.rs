//! Rows of `flows`, `requests` and `objects` as flat messages and back, column by column.

use std::borrow::Cow;
use std::net::IpAddr;

use weir_model::tables::{FLOWS, OBJECTS, REQUESTS};
use weir_model::{Record, Value, flow_columns, object_columns, request_columns};

use crate::names::Malformed;
use crate::record::{icmp_from_wire, icmp_to_wire, tunnel_from_wire, tunnel_to_wire};
use crate::{time_from_wire, time_to_wire, v1};

/// How one message field holds one value. A value of another kind than the field's reads as absent, a number too large
/// for it as the largest it holds.
trait Field: Sized {
    fn from_value(value: &Value<'_>) -> Self;
    fn into_value(self, column: &'static str) -> Result<Value<'static>, Malformed>;
}

impl Field for Option<bool> {
    fn from_value(value: &Value<'_>) -> Self {
        value.as_bool()
    }
    fn into_value(self, _: &'static str) -> Result<Value<'static>, Malformed> {
        Ok(self.into())
    }
}

impl Field for Option<i64> {
    fn from_value(value: &Value<'_>) -> Self {
        value.as_int()
    }
    fn into_value(self, _: &'static str) -> Result<Value<'static>, Malformed> {
        Ok(self.into())
    }
}

impl Field for Option<i32> {
    fn from_value(value: &Value<'_>) -> Self {
        value.as_int().map(|v| v.clamp(i64::from(i32::MIN), i64::from(i32::MAX)) as i32)
    }
    fn into_value(self, _: &'static str) -> Result<Value<'static>, Malformed> {
        Ok(self.map(i64::from).into())
    }
}

impl Field for Option<String> {
    fn from_value(value: &Value<'_>) -> Self {
        match value {
            Value::Text(text) => Some(text.as_ref().to_owned()),
            Value::Ip(ip) => Some(ip.to_string()),
            _ => None,
        }
    }
    fn into_value(self, column: &'static str) -> Result<Value<'static>, Malformed> {
        let Some(text) = self else { return Ok(Value::Null) };
        if column.ends_with("_ip") {
            return text.parse::<IpAddr>().map(Value::Ip).map_err(|_| Malformed::new(column, &text));
        }
        Ok(text.into())
    }
}

impl Field for Option<prost_types::Timestamp> {
    fn from_value(value: &Value<'_>) -> Self {
        value.as_time().map(time_to_wire)
    }
    fn into_value(self, _: &'static str) -> Result<Value<'static>, Malformed> {
        Ok(self.map(|time| time_from_wire(&time)).into())
    }
}

impl Field for Vec<String> {
    fn from_value(value: &Value<'_>) -> Self {
        match value {
            Value::TextList(words) => words.iter().map(|word| word.as_ref().to_owned()).collect(),
            _ => Self::new(),
        }
    }
    fn into_value(self, _: &'static str) -> Result<Value<'static>, Malformed> {
        if self.is_empty() {
            return Ok(Value::Null);
        }
        Ok(Value::TextList(self.into_iter().map(Cow::Owned).collect()))
    }
}

impl Field for Vec<u32> {
    fn from_value(value: &Value<'_>) -> Self {
        match value {
            Value::IntList(numbers) => numbers.iter().copied().map(u32::from).collect(),
            _ => Self::new(),
        }
    }
    fn into_value(self, column: &'static str) -> Result<Value<'static>, Malformed> {
        if self.is_empty() {
            return Ok(Value::Null);
        }
        let narrow = |n: u32| n.try_into().map_err(|_| Malformed::new(column, &n));
        self.into_iter().map(narrow).collect::<Result<_, _>>().map(|list: Vec<u16>| Value::IntList(Cow::Owned(list)))
    }
}

impl Field for Vec<v1::Tunnel> {
    fn from_value(value: &Value<'_>) -> Self {
        match value {
            Value::Tunnels(tunnels) => tunnels.iter().copied().map(tunnel_to_wire).collect(),
            _ => Self::new(),
        }
    }
    fn into_value(self, _: &'static str) -> Result<Value<'static>, Malformed> {
        if self.is_empty() {
            return Ok(Value::Null);
        }
        self.iter().map(tunnel_from_wire).collect::<Result<_, _>>().map(|v: Vec<_>| Value::Tunnels(Cow::Owned(v)))
    }
}

impl Field for Vec<v1::Icmp> {
    fn from_value(value: &Value<'_>) -> Self {
        match value {
            Value::Icmps(messages) => messages.iter().copied().map(icmp_to_wire).collect(),
            _ => Self::new(),
        }
    }
    fn into_value(self, _: &'static str) -> Result<Value<'static>, Malformed> {
        if self.is_empty() {
            return Ok(Value::Null);
        }
        self.into_iter().map(icmp_from_wire).collect::<Result<_, _>>().map(|v: Vec<_>| Value::Icmps(Cow::Owned(v)))
    }
}

macro_rules! convert {
    ($message:ident $from_record:ident $values:ident $table:literal;
     $($column:ident: $kind:ident, $group:ident, $doc:literal, $value:expr;)+) => {
        #[doc = concat!("A row of `", $table, "`, with its columns in order, as a message.")]
        pub fn $from_record(record: &Record) -> v1::$message {
            let mut values = record.values.iter();
            v1::$message { $($column: Field::from_value(values.next().unwrap_or(&Value::Null))),+ }
        }

        fn $values(message: v1::$message) -> Result<Vec<Value<'static>>, Malformed> {
            Ok(vec![$(message.$column.into_value(stringify!($column))?),+])
        }
    };
}
flow_columns!(convert Flow flow_from_record flow_values "flows";);
request_columns!(convert Request request_from_record request_values "requests";);
object_columns!(convert Object object_from_record object_values "objects";);

/// The row of `flows` that a message stands for.
pub fn record_from_flow(flow: v1::Flow) -> Result<Record, Malformed> {
    // A list that is empty and one that is absent look the same on the wire: only a TCP flow has the former, in a direction
    // that was seen.
    let is_tcp = flow.tcp_state.is_some();
    let (fwd, rev) = (is_tcp && flow.packets_fwd.is_some(), is_tcp && flow.packets_rev.is_some());
    let mut values = flow_values(flow)?;
    for (column, value) in FLOWS.columns.iter().zip(&mut values) {
        let has_flags = matches!(column.name, "tcp_flags_fwd" if fwd) || matches!(column.name, "tcp_flags_rev" if rev);
        if has_flags && value.is_null() {
            *value = Value::TextList(Vec::new());
        }
    }
    Ok(Record { columns: FLOWS.columns, values })
}

/// The row of `requests` that a message stands for.
pub fn record_from_request(request: v1::Request) -> Result<Record, Malformed> {
    Ok(Record { columns: REQUESTS.columns, values: request_values(request)? })
}

/// The row of `objects` that a message stands for.
pub fn record_from_object(object: v1::Object) -> Result<Record, Malformed> {
    Ok(Record { columns: OBJECTS.columns, values: object_values(object)? })
}
