//! Probes: JSON in, connections and what is expected of them out, or what is wrong with a probe.

use std::vec;

use serde_json::{Map, Value};
use weir_cluster::policy::{Connection, Party, PolicySet};
use weir_model::{Protocol, Verdict};

use super::notes::Notes;

/// A probe as it is written.
pub(super) struct Written {
    /// Its fields, where it is an object.
    pub(super) fields: Map<String, Value>,
    /// What is wrong with it as JSON.
    error: Option<String>,
}

/// The probes of a text: one array, or one object a line. Lines without content are passed over.
pub(super) enum Probes<'a> {
    Values(vec::IntoIter<Value>),
    Lines(std::iter::Enumerate<std::str::Lines<'a>>),
}

impl<'a> Probes<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        match serde_json::from_str(text) {
            Ok(Value::Array(values)) => Self::Values(values.into_iter()),
            Ok(value) => Self::Values(vec![value].into_iter()),
            Err(_) => Self::Lines(text.lines().enumerate()),
        }
    }
}

impl Iterator for Probes<'_> {
    type Item = Written;

    fn next(&mut self) -> Option<Written> {
        let value = match self {
            Self::Values(values) => Ok(values.next()?),
            Self::Lines(lines) => {
                let (index, line) = lines.find(|(_, line)| !line.trim().is_empty())?;
                serde_json::from_str(line).map_err(|error| format!("line {}: no JSON: {error}", index + 1))
            }
        };
        Some(match value {
            Ok(Value::Object(fields)) => Written { fields, error: None },
            Ok(other) => Written { fields: Map::new(), error: Some(format!("no JSON object: {other}")) },
            Err(error) => Written { fields: Map::new(), error: Some(error) },
        })
    }
}

/// A probe that can be answered.
pub(super) struct Probe {
    pub(super) connection: Connection<'static>,
    pub(super) expected: Expected,
}

/// The verdicts that a probe expects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Expected {
    pub(super) both: Option<Verdict>,
    pub(super) ingress: Option<Verdict>,
    pub(super) egress: Option<Verdict>,
}

impl Probe {
    /// Reads a probe; the error says what is wrong with it.
    pub(super) fn read(written: &Written, set: &PolicySet, notes: &Notes) -> Result<Self, String> {
        if let Some(error) = &written.error {
            return Err(error.clone());
        }
        let fields = &written.fields;
        let protocol = protocol(given(fields, "protocol"))?;
        Ok(Self {
            connection: Connection {
                src: party(fields, "src", set, notes)?,
                dst: party(fields, "dst", set, notes)?,
                protocol,
                port: port(given(fields, "port"), protocol)?,
                dst_dns_name: None,
            },
            expected: Expected {
                both: expected(fields, "expected")?,
                ingress: expected(fields, "expected_ingress")?,
                egress: expected(fields, "expected_egress")?,
            },
        })
    }
}

/// Whether a probe, good or bad, expects anything.
pub(super) fn expects(written: &Written) -> bool {
    ["expected", "expected_ingress", "expected_egress"].iter().any(|key| given(&written.fields, key).is_some())
}

fn given<'a>(fields: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    fields.get(key).filter(|value| !value.is_null())
}

fn party(fields: &Map<String, Value>, key: &str, set: &PolicySet, notes: &Notes) -> Result<Party, String> {
    let value = given(fields, key).ok_or_else(|| format!("{key} is missing"))?;
    let text = value.as_str().ok_or_else(|| format!("{key}: no text: {value}"))?.trim();
    if let Some(ip) = text.strip_prefix("ip:") {
        let bare = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']')).unwrap_or(ip);
        return bare.parse().map(|ip| set.party(ip)).map_err(|_| format!("{key}: not an IP address: {ip}"));
    }
    if let Some(name) = text.strip_prefix("node:") {
        return set.node(name).ok_or_else(|| format!("{key}: no such node: {name}"));
    }
    let (namespace, name) =
        text.split_once('/').ok_or_else(|| format!("{key}: not NAMESPACE/POD, ip:ADDRESS or node:NAME: {text}"))?;
    set.pod(namespace, name).ok_or_else(|| match notes.left_out(namespace, name) {
        Some(misfit) => format!("{key}: the pod is left out: {misfit}"),
        None => format!("{key}: no such pod: {text}"),
    })
}

fn protocol(value: Option<&Value>) -> Result<Protocol, String> {
    let text = match value {
        None => return Ok(Protocol::TCP),
        Some(Value::String(text)) => text.trim().to_owned(),
        Some(other) => other.to_string(),
    };
    if text.is_empty() {
        return Ok(Protocol::TCP);
    }
    Protocol::parse(&text).ok_or_else(|| format!("protocol: not a protocol: {text}"))
}

fn port(value: Option<&Value>, protocol: Protocol) -> Result<u16, String> {
    let number = match value {
        None if protocol.has_ports() => return Err("port is missing".to_owned()),
        None => return Ok(0),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(value) => value.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    let number = number.filter(|port| *port != 0 || !protocol.has_ports());
    number.ok_or_else(|| format!("port: not a port: {}", value.unwrap_or(&Value::Null)))
}

fn expected(fields: &Map<String, Value>, key: &str) -> Result<Option<Verdict>, String> {
    let Some(value) = given(fields, key) else { return Ok(None) };
    let verdict = value.as_str().and_then(|text| Verdict::parse(&text.trim().to_ascii_lowercase()));
    verdict.map(Some).ok_or_else(|| format!("{key}: neither allowed, denied nor undecided: {value}"))
}
