//! The value of one column in one row, borrowed from the row or owned.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::{Icmp, Timestamp, Tunnel};

/// One value. `Null` means what the column's documentation says it means.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// Not known, or does not apply.
    Null,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(Cow<'a, str>),
    /// An address; text in every output.
    Ip(IpAddr),
    /// A time.
    Time(Timestamp),
    /// A list of words.
    TextList(Vec<Cow<'a, str>>),
    /// A list of numbers.
    IntList(Cow<'a, [u16]>),
    /// Tunnels from the outside in.
    Tunnels(Cow<'a, [Tunnel]>),
    /// ICMP messages.
    Icmps(Cow<'a, [Icmp]>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
}

impl Value<'_> {
    /// Whether this is [`Value::Null`].
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The same value, independent of the row it came from.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Null => Value::Null,
            Self::Bool(v) => Value::Bool(v),
            Self::Int(v) => Value::Int(v),
            Self::Text(v) => Value::Text(Cow::Owned(v.into_owned())),
            Self::Ip(v) => Value::Ip(v),
            Self::Time(v) => Value::Time(v),
            Self::TextList(v) => Value::TextList(v.into_iter().map(|word| Cow::Owned(word.into_owned())).collect()),
            Self::IntList(v) => Value::IntList(Cow::Owned(v.into_owned())),
            Self::Tunnels(v) => Value::Tunnels(Cow::Owned(v.into_owned())),
            Self::Icmps(v) => Value::Icmps(Cow::Owned(v.into_owned())),
            Self::Bytes(v) => Value::Bytes(Cow::Owned(v.into_owned())),
        }
    }

    /// The number, where this is one.
    pub const fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(v) => Some(*v),
            _ => None,
        }
    }

    /// The text, where this is text (an address is not).
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(v) => Some(v),
            _ => None,
        }
    }

    /// The time, where this is one.
    pub const fn as_time(&self) -> Option<Timestamp> {
        match self {
            Self::Time(v) => Some(*v),
            _ => None,
        }
    }

    /// True or false, where this is one of them.
    pub const fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(v) => Some(*v),
            _ => None,
        }
    }
}

impl From<bool> for Value<'_> {
    fn from(v: bool) -> Self {
        Self::Bool(v)
    }
}

macro_rules! from_int {
    ($($int:ty),+) => { $(
        impl From<$int> for Value<'_> {
            fn from(v: $int) -> Self {
                Self::Int(v as i64)
            }
        }
    )+ };
}
from_int!(i64, u64, u32, u16, u8);

impl<'a> From<&'a str> for Value<'a> {
    fn from(v: &'a str) -> Self {
        Self::Text(Cow::Borrowed(v))
    }
}

impl<'a> From<&'a Arc<str>> for Value<'a> {
    fn from(v: &'a Arc<str>) -> Self {
        Self::Text(Cow::Borrowed(v))
    }
}

impl From<String> for Value<'_> {
    fn from(v: String) -> Self {
        Self::Text(Cow::Owned(v))
    }
}

impl From<Timestamp> for Value<'_> {
    fn from(v: Timestamp) -> Self {
        Self::Time(v)
    }
}

impl From<IpAddr> for Value<'_> {
    fn from(v: IpAddr) -> Self {
        Self::Ip(v)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Into::into)
    }
}
