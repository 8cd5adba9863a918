//! What one column's value is compared with, and how several such checks make up one clause. [`Test::holds`] answers for
//! a row, the sibling `sql` says the same in SQL.

use std::net::IpAddr;

use ipnet::IpNet;

use super::columns::{ColumnId, Columns};
use crate::{Column, Icmp, Tunnel, TunnelKind, Value};

/// A condition on one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    /// One of them holds.
    Any(Vec<Test>),
    /// All of them hold.
    All(Vec<Test>),
    /// The value of this column passes.
    Column(ColumnId, Check),
}

impl Test {
    pub(super) fn holds(&self, row: &impl Columns) -> bool {
        match self {
            Self::Any(tests) => tests.iter().any(|test| test.holds(row)),
            Self::All(tests) => tests.iter().all(|test| test.holds(row)),
            Self::Column(column, check) => row.passes(*column, check),
        }
    }

    /// The columns that are looked at.
    pub(super) fn columns(&self) -> Vec<&'static Column> {
        match self {
            Self::Any(tests) | Self::All(tests) => tests.iter().flat_map(Self::columns).collect(),
            Self::Column(column, _) => vec![column.column()],
        }
    }
}

/// A condition on one value. None of them accepts null.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Check {
    /// This truth.
    Bool(bool),
    /// A number within.
    Int(Span),
    /// A time whose microseconds are within.
    Micros(Span),
    /// This text.
    Text(String),
    /// Text of this shape.
    Glob(Glob),
    /// This address.
    Address(IpAddr),
    /// An address in this network.
    Network(IpNet),
    /// A list with this text in it.
    HasText(String),
    /// A list with text of this shape in it.
    HasGlob(Glob),
    /// A list with a number within.
    HasInt(Span),
    /// A list with such a tunnel, of any id where it is `None`.
    HasTunnel(TunnelKind, Option<u32>),
    /// A list with a message of this type, of any code where it is `None`.
    HasIcmp(u8, Option<u8>),
}

impl Check {
    pub(super) fn accepts(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Bool(wanted), Value::Bool(v)) => v == wanted,
            (Self::Int(span), Value::Int(v)) => span.contains(*v),
            (Self::Micros(span), Value::Time(v)) => span.contains(v.as_micros()),
            (Self::Text(wanted), Value::Text(v)) => v == wanted,
            (Self::Glob(glob), Value::Text(v)) => glob.fits(v),
            (Self::Address(wanted), Value::Ip(v)) => v == wanted,
            (Self::Network(net), Value::Ip(v)) => net.contains(v),
            (Self::Address(_) | Self::Network(_), Value::Text(v)) => {
                v.parse().is_ok_and(|address| self.accepts(&Value::Ip(address)))
            }
            (Self::HasText(wanted), Value::TextList(list)) => list.iter().any(|v| v == wanted),
            (Self::HasGlob(glob), Value::TextList(list)) => list.iter().any(|v| glob.fits(v)),
            (Self::HasInt(span), Value::IntList(list)) => list.iter().any(|v| span.contains(i64::from(*v))),
            (Self::HasTunnel(kind, id), Value::Tunnels(list)) => {
                list.iter().any(|v: &Tunnel| v.kind == *kind && (id.is_none() || v.id == *id))
            }
            (Self::HasIcmp(kind, code), Value::Icmps(list)) => {
                list.iter().any(|v: &Icmp| v.kind == *kind && code.is_none_or(|code| v.code == code))
            }
            _ => false,
        }
    }
}

/// A span of numbers, both ends within; empty where `first` is above `last`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) first: i64,
    pub(super) last: i64,
}

impl Span {
    const fn contains(self, number: i64) -> bool {
        self.first <= number && number <= self.last
    }
}

/// Text in which `*` stands for any characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Glob(pub(super) String);

impl Glob {
    fn fits(&self, text: &str) -> bool {
        let mut pieces = self.0.split('*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let Some(last) = pieces.next_back() else { return rest.is_empty() };
        for piece in pieces {
            let Some(at) = rest.find(piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
        rest.ends_with(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_fit_from_both_ends_without_using_a_character_twice() {
        let fits = |glob: &str, text| Glob(glob.to_owned()).fits(text);
        for (glob, text) in
            [("*", ""), ("*", "x"), ("web-*", "web-1"), ("*a*b*", "xaxbx"), ("a*a", "aa"), ("a**b", "ab")]
        {
            assert!(fits(glob, text), "{glob} {text}");
        }
        for (glob, text) in [("a*a", "a"), ("web-*", "aweb-1"), ("*b*a*", "ab"), ("ab*bc", "abc"), ("*x", "xy")] {
            assert!(!fits(glob, text), "{glob} {text}");
        }
    }
}
