//! Values as they are written, read by the type of their column: out comes the value in its normal form and a check.

use std::fmt::Display;
use std::net::IpAddr;

use ipnet::IpNet;

use super::check::{Check, Glob, Span};
use super::clause::Operator;
use super::columns::ColumnId;
use crate::tables::Measure;
use crate::{
    Audit, Cause, ColumnType, EndReason, EndpointKind, Evidence, FrontMethod, HttpVersion, InitiatorBy, L7, Leg, Nat,
    Outcome, Protocol, Reason, RouteLeg, RouteMethod, ServiceMethod, ServiceType, TcpState, Tier, Timestamp,
    TunnelKind, Verdict,
};

/// The value in its normal form and the check for a column; else what was expected.
pub(super) fn for_column(column: ColumnId, operator: Operator, value: &str) -> Result<(String, Check), String> {
    let column = column.column();
    match column.kind {
        ColumnType::Bool => match value {
            "true" | "false" => Ok((value.to_owned(), Check::Bool(value == "true"))),
            _ => Err("true or false".to_owned()),
        },
        ColumnType::Int32 if is_class(operator, value) && column.name == "status" => class(value),
        ColumnType::Int64 | ColumnType::Int32 => span(operator, value).map(|(text, span)| (text, Check::Int(span))),
        ColumnType::IntList => span(operator, value).map(|(text, span)| (text, Check::HasInt(span))),
        ColumnType::Time => time(operator, value),
        ColumnType::Ip => network(value),
        ColumnType::TextList if value.is_empty() => Err("a word".to_owned()),
        ColumnType::TextList => Ok((value.to_owned(), in_list(value))),
        ColumnType::Tunnels => tunnel(value),
        ColumnType::Icmps => icmp(value),
        ColumnType::Bytes => Err("nothing: bytes are not compared".to_owned()),
        ColumnType::Text if column.name == "protocol" => {
            let protocol = Protocol::parse(value).ok_or("a protocol: a name such as tcp, or a number up to 255")?;
            Ok((protocol.to_string(), Check::Text(protocol.to_string())))
        }
        ColumnType::Text => match vocabulary(column.name) {
            Some(words) if !value.contains('*') && !words.contains(&value) => {
                Err(format!("one of {}", words.join(", ")))
            }
            _ if value.is_empty() => Err("a name".to_owned()),
            _ => Ok((value.to_owned(), text(value))),
        },
    }
}

/// A check for text, with `*` for any characters.
pub(super) fn text(value: &str) -> Check {
    if value.contains('*') { Check::Glob(Glob(value.to_owned())) } else { Check::Text(value.to_owned()) }
}

/// A check of labels for `key=value`, or for `key` with any value.
pub(super) fn label(value: &str) -> Result<Check, String> {
    match value.split_once('=') {
        Some(("", _)) => Err("a label: key=value or key".to_owned()),
        None if value.is_empty() => Err("a label: key=value or key".to_owned()),
        Some(_) => Ok(in_list(value)),
        None => Ok(in_list(&format!("{value}=*"))),
    }
}

/// A check of policies for `namespace/name`, or for `name` in any namespace or none.
pub(super) fn policy(value: &str) -> Result<Vec<Check>, String> {
    if value.is_empty() || value.starts_with('/') || value.ends_with('/') {
        return Err("a policy: name or namespace/name".to_owned());
    }
    if value.contains('/') {
        Ok(vec![in_list(value)])
    } else {
        Ok(vec![in_list(value), in_list(&format!("*/{value}"))])
    }
}

fn in_list(value: &str) -> Check {
    if value.contains('*') { Check::HasGlob(Glob(value.to_owned())) } else { Check::HasText(value.to_owned()) }
}

/// The words a column can hold, where they are a fixed list.
fn vocabulary(column: &str) -> Option<Vec<&'static str>> {
    macro_rules! words {
        ($type:ty) => {
            Some(<$type>::ALL.iter().map(|word| word.name()).collect())
        };
    }
    match column {
        "leg" => words!(Leg),
        "initiator_by" => words!(InitiatorBy),
        "tcp_state" => words!(TcpState),
        "end_reason" => words!(EndReason),
        "src_kind" | "dst_kind" => words!(EndpointKind),
        "nat" => words!(Nat),
        "service_type" => words!(ServiceType),
        "service_method" => words!(ServiceMethod),
        "outcome" => words!(Outcome),
        "verdict" | "egress_verdict" | "ingress_verdict" => words!(Verdict),
        "egress_reason" | "ingress_reason" => words!(Reason),
        "egress_tier" | "ingress_tier" => words!(Tier),
        "evidence" => words!(Evidence),
        "cause" => words!(Cause),
        "audit" => words!(Audit),
        "route_leg" => words!(RouteLeg),
        "route_method" => words!(RouteMethod),
        "front_method" => words!(FrontMethod),
        "l7" => words!(L7),
        "http_version" => words!(HttpVersion),
        "measure" => words!(Measure),
        _ => None,
    }
}

/// Whether this is a class of HTTP statuses: `5xx`.
fn is_class(operator: Operator, value: &str) -> bool {
    operator == Operator::Equals && value.len() == 3 && value.to_ascii_lowercase().ends_with("xx")
}

fn class(value: &str) -> Result<(String, Check), String> {
    let class = value.chars().next().and_then(|first| first.to_digit(10)).filter(|class| (1..=5).contains(class));
    let first = i64::from(class.ok_or("a status, a range, or a class such as 5xx")?) * 100;
    Ok((value.to_ascii_lowercase(), Check::Int(Span { first, last: first + 99 })))
}

fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn span(operator: Operator, value: &str) -> Result<(String, Span), String> {
    if let Some(number) = number(value) {
        return Ok((number.to_string(), compared(operator, number)));
    }
    let range = value.split_once('-').and_then(|(first, last)| Some((number(first)?, number(last)?)));
    match range {
        Some((first, last)) if operator == Operator::Equals && first <= last => {
            Ok((format!("{first}-{last}"), Span { first, last }))
        }
        _ if operator == Operator::Equals => Err("a number, or a range such as 400-499".to_owned()),
        _ => Err("a number".to_owned()),
    }
}

/// The numbers that compare so with `number`.
fn compared(operator: Operator, number: i64) -> Span {
    const EMPTY: Span = Span { first: 1, last: 0 };
    match operator {
        Operator::Equals => Span { first: number, last: number },
        Operator::AtLeast => Span { first: number, last: i64::MAX },
        Operator::AtMost => Span { first: i64::MIN, last: number },
        Operator::Above => number.checked_add(1).map_or(EMPTY, |first| Span { first, last: i64::MAX }),
        Operator::Below => number.checked_sub(1).map_or(EMPTY, |last| Span { first: i64::MIN, last }),
    }
}

fn time(operator: Operator, value: &str) -> Result<(String, Check), String> {
    let time = Timestamp::parse(value).map_err(|_| "a time: 2026-11-22T21:00:00Z or seconds since 1970".to_owned())?;
    Ok((time.rfc3339(), Check::Micros(compared(operator, time.as_micros()))))
}

fn network(value: &str) -> Result<(String, Check), String> {
    if let Ok(address) = value.parse::<IpAddr>() {
        return Ok((address.to_string(), Check::Address(address)));
    }
    let net: IpNet = value.parse().map_err(|_| "an address, or a network such as 10.0.0.0/8".to_owned())?;
    let net = net.trunc();
    Ok((net.to_string(), Check::Network(net)))
}

fn tunnel(value: &str) -> Result<(String, Check), String> {
    let (kind, id) = with_detail(value);
    match (TunnelKind::parse(kind), id.map(str::parse)) {
        (Some(kind), None) => Ok((kind.name().to_owned(), Check::HasTunnel(kind, None))),
        (Some(kind), Some(Ok(id))) => Ok((format!("{}/{id}", kind.name()), Check::HasTunnel(kind, Some(id)))),
        _ => Err("vxlan, geneve, gre or ipip, or with an id: vxlan/42".to_owned()),
    }
}

fn icmp(value: &str) -> Result<(String, Check), String> {
    let (kind, code) = with_detail(value);
    match (kind.parse(), code.map(str::parse)) {
        (Ok(kind), None) => Ok((text_of(&kind), Check::HasIcmp(kind, None))),
        (Ok(kind), Some(Ok(code))) => Ok((format!("{kind}/{code}"), Check::HasIcmp(kind, Some(code)))),
        _ => Err("an ICMP type, or type/code: 3/1".to_owned()),
    }
}

fn text_of(value: &impl Display) -> String {
    value.to_string()
}

fn with_detail(value: &str) -> (&str, Option<&str>) {
    value.split_once('/').map_or((value, None), |(first, second)| (first, Some(second)))
}
