//! Rows as JSON objects: keys are column names, in the order of the table; null values are written, so that every row
//! has every key. Times are seconds with nine digits (a number, written out in full).

use std::fmt;

use serde::ser::{Error, SerializeMap};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{Icmp, Record, Timestamp, Tunnel, Value};

impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.values.len()))?;
        for (column, value) in self.columns.iter().zip(&self.values) {
            map.serialize_entry(column.name, value)?;
        }
        map.end()
    }
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(v) => serializer.serialize_bool(*v),
            Self::Int(v) => serializer.serialize_i64(*v),
            Self::Text(v) => serializer.serialize_str(v),
            Self::Ip(v) => serializer.collect_str(v),
            Self::Time(v) => v.serialize(serializer),
            Self::TextList(v) => v.serialize(serializer),
            Self::IntList(v) => v.serialize(serializer),
            Self::Tunnels(v) => v.serialize(serializer),
            Self::Icmps(v) => v.serialize(serializer),
            Self::Bytes(v) => serializer.collect_str(&Hex(v)),
        }
    }
}

/// Bytes as hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// As a number, not a float: 64-bit floats do not hold nanoseconds since 1970. Works with `serde_json` only.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(S::Error::custom)?.serialize(serializer)
    }
}

impl Serialize for Tunnel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", self.kind.name())?;
        map.serialize_entry("id", &self.id)?;
        map.end()
    }
}

impl Serialize for Icmp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", &self.kind)?;
        map.serialize_entry("code", &self.code)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_keep_their_nanoseconds() {
        let text = serde_json::to_string(&Value::Time(Timestamp(1_795_342_149_012_186_001))).expect("serialises");
        assert_eq!(text, "1795342149.012186001");
    }
}
