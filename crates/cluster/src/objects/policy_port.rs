//! Ports as policies of every kind name them.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::{Value, json};
use weir_model::Protocol;

use super::field;

/// Destination ports, on the pod itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyPort {
    /// The protocol; `None` = any of TCP, UDP and SCTP.
    pub protocol: Option<Protocol>,
    /// Which of its ports.
    pub ports: PortChoice,
}

/// Which ports of a protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortChoice {
    /// All.
    All,
    /// From one to the other, both included.
    Range(u16, u16),
    /// What a container of the destination pod calls so.
    Name(Arc<str>),
}

impl PolicyPort {
    /// As an entry of `ports` in a NetworkPolicy.
    pub(super) fn v1_text(&self) -> Value {
        let mut text = json!({"protocol": self.protocol.map_or("TCP", field::protocol_name)});
        match &self.ports {
            PortChoice::All => {}
            PortChoice::Range(start, end) if start == end => text["port"] = json!(start),
            PortChoice::Range(start, end) => (text["port"], text["endPort"]) = (json!(start), json!(end)),
            PortChoice::Name(name) => text["port"] = json!(name),
        }
        text
    }

    /// As an entry of `protocols` in a `ClusterNetworkPolicy`.
    pub(super) fn cluster_text(&self) -> Value {
        let of = match &self.ports {
            PortChoice::All => json!({}),
            PortChoice::Range(start, end) => json!({"destinationPort": {"range": {"start": start, "end": end}}}),
            PortChoice::Name(name) => return json!({"destinationNamedPort": name}),
        };
        json!({self.protocol.map_or("TCP", field::protocol_name).to_ascii_lowercase(): of})
    }
}

/// The highest port number.
const MAX: u32 = 65_535;

/// An entry of `ports` in a NetworkPolicy.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct V1Port {
    #[serde(default = "field::tcp", deserialize_with = "field::protocol::deserialize")]
    protocol: Protocol,
    #[serde(default)]
    port: Option<Value>,
    #[serde(default)]
    end_port: Option<u32>,
}

impl TryFrom<V1Port> for PolicyPort {
    type Error = String;

    fn try_from(text: V1Port) -> Result<Self, String> {
        let ports = match (&text.port, text.end_port) {
            (None, None) => PortChoice::All,
            (None, Some(_)) => return Err("endPort without port".to_owned()),
            (Some(Value::String(_)), Some(_)) => return Err("endPort with a named port".to_owned()),
            (Some(Value::String(name)), None) => PortChoice::Name(port_name(name)?),
            (Some(Value::Number(number)), end) => {
                let start = number.as_u64().and_then(|number| u32::try_from(number).ok());
                let start = start.ok_or_else(|| format!("not a port: {number}"))?;
                // Ports end there: a larger end says no more.
                range(start, end.map_or(start, |end| end.min(MAX)))?
            }
            (Some(_), _) => return Err("port is neither number nor name".to_owned()),
        };
        Ok(Self { protocol: Some(text.protocol), ports })
    }
}

/// An entry of `ports` in an `AdminNetworkPolicy` (v1alpha1).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct AdminPort {
    #[serde(default)]
    port_number: Option<NumberText>,
    #[serde(default)]
    port_range: Option<RangeText>,
    #[serde(default)]
    named_port: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NumberText {
    #[serde(default = "field::tcp", deserialize_with = "field::protocol::deserialize")]
    protocol: Protocol,
    port: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeText {
    #[serde(default = "field::tcp", deserialize_with = "field::protocol::deserialize")]
    protocol: Protocol,
    start: u32,
    end: u32,
}

impl TryFrom<AdminPort> for PolicyPort {
    type Error = String;

    fn try_from(text: AdminPort) -> Result<Self, String> {
        match (text.port_number, text.port_range, text.named_port) {
            (Some(number), None, None) => {
                Ok(Self { protocol: Some(number.protocol), ports: range(number.port, number.port)? })
            }
            (None, Some(r), None) => Ok(Self { protocol: Some(r.protocol), ports: range(r.start, r.end.min(MAX))? }),
            (None, None, Some(name)) => Ok(Self { protocol: None, ports: PortChoice::Name(port_name(&name)?) }),
            _ => Err("exactly one of portNumber, portRange and namedPort is needed".to_owned()),
        }
    }
}

/// An entry of `protocols` in a `ClusterNetworkPolicy` (v1alpha2).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct ClusterProtocol {
    #[serde(default)]
    tcp: Option<ProtocolText>,
    #[serde(default)]
    udp: Option<ProtocolText>,
    #[serde(default)]
    sctp: Option<ProtocolText>,
    #[serde(default)]
    destination_named_port: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ProtocolText {
    #[serde(default)]
    destination_port: Option<DestinationPort>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DestinationPort {
    #[serde(default)]
    number: Option<u32>,
    #[serde(default)]
    range: Option<DestinationRange>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DestinationRange {
    start: u32,
    end: u32,
}

impl TryFrom<ClusterProtocol> for PolicyPort {
    type Error = String;

    fn try_from(text: ClusterProtocol) -> Result<Self, String> {
        let named = text.destination_named_port.filter(|name| !name.is_empty());
        let (protocol, of) = match (text.tcp, text.udp, text.sctp, named) {
            (Some(of), None, None, None) => (Protocol::TCP, of),
            (None, Some(of), None, None) => (Protocol::UDP, of),
            (None, None, Some(of), None) => (Protocol::SCTP, of),
            (None, None, None, Some(name)) => {
                return Ok(Self { protocol: None, ports: PortChoice::Name(port_name(&name)?) });
            }
            _ => return Err("exactly one of tcp, udp, sctp and destinationNamedPort is needed".to_owned()),
        };
        let ports = match of.destination_port {
            None => PortChoice::All,
            Some(DestinationPort { number: Some(number), range: None }) => range(number, number)?,
            Some(DestinationPort { number: None, range: Some(r) }) => range(r.start, r.end.min(MAX))?,
            Some(_) => return Err("exactly one of number and range is needed".to_owned()),
        };
        Ok(Self { protocol: Some(protocol), ports })
    }
}

fn range(start: u32, end: u32) -> Result<PortChoice, String> {
    let port = |number: u32| {
        u16::try_from(number).ok().filter(|port| *port != 0).ok_or_else(|| format!("not a port: {number}"))
    };
    let (start, end) = (port(start)?, port(end)?);
    if end < start {
        return Err(format!("the range ends at {end}, before its start {start}"));
    }
    Ok(PortChoice::Range(start, end))
}

/// A name of a port has a letter (RFC 6335 section 5.1); what has none is a number in quotes, which matches nothing.
fn port_name(name: &str) -> Result<Arc<str>, String> {
    let is_name = name.bytes().any(|byte| byte.is_ascii_alphabetic());
    if is_name { Ok(Arc::from(name)) } else { Err(format!("not the name of a port: \"{name}\"")) }
}
