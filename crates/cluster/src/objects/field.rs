//! How single fields of the Kubernetes API are read and written: `null` for absent, addresses, CIDRs, protocols, times.
//!
//! A field's text comes in, a value or an error that quotes the text goes out. What is written is read as the same value.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use weir_model::{Protocol, Timestamp};

/// An address where the API also allows a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// An IP address (IPv4-mapped IPv6 as IPv4).
    Ip(IpAddr),
    /// A host name.
    Name(Box<str>),
}

impl Address {
    /// The IP address, where it is one.
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::Name(_) => None,
        }
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = text(from)?;
        Ok(text.parse().map_or_else(|_| Self::Name(text.as_ref().into()), |ip: IpAddr| Self::Ip(ip.to_canonical())))
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Ip(ip) => to.collect_str(ip),
            Self::Name(name) => to.serialize_str(name),
        }
    }
}

/// What absent fields are read as is not written.
pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Reads `null` as the type's default: the API server writes empty lists that way.
pub(super) fn nullable<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(from: D) -> Result<T, D::Error> {
    Option::deserialize(from).map(Option::unwrap_or_default)
}

/// Reads labels; `null` is an empty text, as the API server has it.
pub(super) fn labels<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Arc<str>, Arc<str>>, D::Error> {
    let written: BTreeMap<Arc<str>, Option<Arc<str>>> = nullable(from)?;
    Ok(written.into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect())
}

/// Reads a yes or no, also in the words that YAML 1.1 has for it: text elsewhere, so that a label may be `no`.
pub(super) fn flag<'de, D: Deserializer<'de>>(from: D) -> Result<Option<bool>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written<'a> {
        Bool(bool),
        #[serde(borrow)]
        Word(Cow<'a, str>),
    }
    let is_any = |word: &str, of: &[&str]| of.iter().any(|known| word.eq_ignore_ascii_case(known));
    match Option::deserialize(from)? {
        None => Ok(None),
        Some(Written::Bool(flag)) => Ok(Some(flag)),
        Some(Written::Word(word)) if is_any(&word, &["y", "yes", "on"]) => Ok(Some(true)),
        Some(Written::Word(word)) if is_any(&word, &["n", "no", "off"]) => Ok(Some(false)),
        Some(Written::Word(word)) => Err(D::Error::custom(format!("neither true nor false: {word}"))),
    }
}

/// Reads a yes or no; absent is no.
pub(super) fn is_set<'de, D: Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    flag(from).map(Option::unwrap_or_default)
}

/// Reads an empty name as no name.
pub(super) fn name<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Arc<str>>, D::Error> {
    Ok(Option::<Arc<str>>::deserialize(from)?.filter(|name| !name.is_empty()))
}

/// Reads port 0 as no port.
pub(super) fn port<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u16>, D::Error> {
    Ok(Option::deserialize(from)?.filter(|port| *port != 0))
}

/// Reads an IP address; an empty text is no address.
pub(super) fn ip<'de, D: Deserializer<'de>>(from: D) -> Result<Option<IpAddr>, D::Error> {
    let Some(text) = Option::<Text>::deserialize(from)?.filter(|text| !text.0.is_empty()) else { return Ok(None) };
    parse_ip(&text.0).map(Some)
}

/// Reads a list of IP addresses.
pub(super) fn ips<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpAddr>, D::Error> {
    let list: Vec<Text> = nullable(from)?;
    list.iter().map(|text| parse_ip(&text.0)).collect()
}

/// A CIDR; its host bits are cleared, an empty text is none.
pub(super) mod cidr {
    use super::{Deserialize as _, Deserializer, IpNet, Serializer, Text, parse_cidr};

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<IpNet>, D::Error> {
        let Some(text) = Option::<Text>::deserialize(from)?.filter(|text| !text.0.is_empty()) else { return Ok(None) };
        parse_cidr(&text.0).map(Some)
    }

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(in super::super) fn serialize<S: Serializer>(cidr: &Option<IpNet>, to: S) -> Result<S::Ok, S::Error> {
        match cidr {
            Some(cidr) => to.collect_str(cidr),
            None => to.serialize_none(),
        }
    }
}

/// A list of CIDRs.
pub(super) mod cidrs {
    use super::{Deserializer, IpNet, Serializer, Text, nullable, parse_cidr};

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
        let list: Vec<Text> = nullable(from)?;
        list.iter().map(|text| parse_cidr(&text.0)).collect()
    }

    pub(in super::super) fn serialize<S: Serializer>(cidrs: &[IpNet], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(cidrs.iter().map(ToString::to_string))
    }
}

/// `TCP`, `UDP` or `SCTP`; absent or empty is TCP.
pub(super) mod protocol {
    use super::{Deserialize as _, Deserializer, Error as _, Protocol, Serializer, Text, protocol_name};

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Protocol, D::Error> {
        let text = Option::<Text>::deserialize(from)?;
        match text.as_ref().map(|text| &*text.0) {
            None | Some("" | "TCP") => Ok(Protocol::TCP),
            Some("UDP") => Ok(Protocol::UDP),
            Some("SCTP") => Ok(Protocol::SCTP),
            Some(other) => Err(D::Error::custom(format!("not a protocol: {other} (expected TCP, UDP or SCTP)"))),
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
    pub(in super::super) fn serialize<S: Serializer>(protocol: &Protocol, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(protocol_name(*protocol))
    }
}

/// An RFC 3339 time.
pub(super) mod time {
    use super::{Deserialize as _, Deserializer, Error as _, Serializer, Text, Timestamp};

    pub(in super::super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let Some(text) = Option::<Text>::deserialize(from)? else { return Ok(None) };
        Timestamp::parse(&text.0).map(Some).map_err(D::Error::custom)
    }

    #[expect(clippy::ref_option, reason = "the signature that serde calls")]
    pub(in super::super) fn serialize<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => to.serialize_str(&time.rfc3339_exact()),
            None => to.serialize_none(),
        }
    }
}

/// As the API writes it; ports have no other protocols than these.
pub(super) const fn protocol_name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::UDP => "UDP",
        Protocol::SCTP => "SCTP",
        _ => "TCP",
    }
}

/// The protocol of a port that names none.
pub(super) const fn tcp() -> Protocol {
    Protocol::TCP
}

/// Reads annotations and keeps those that say something about routes: tools leave kilobytes in the others.
pub(super) fn route_annotations<'de, D: Deserializer<'de>>(from: D) -> Result<BTreeMap<Arc<str>, Arc<str>>, D::Error> {
    const KEPT: [&str; 3] =
        ["kubernetes.io/ingress.class", "ingressclass.kubernetes.io/", "nginx.ingress.kubernetes.io/"];
    let all: BTreeMap<Text<'_>, Option<Text<'_>>> = nullable(from)?;
    let kept = all.into_iter().filter(|(name, _)| KEPT.iter().any(|kept| name.0.starts_with(kept)));
    Ok(kept.map(|(name, value)| (name.0.into(), value.unwrap_or_default().0.into())).collect())
}

/// Text that is borrowed where the input allows it.
#[derive(Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

pub(super) fn text<'de, D: Deserializer<'de>>(from: D) -> Result<Cow<'de, str>, D::Error> {
    Text::deserialize(from).map(|text| text.0)
}

pub(super) fn parse_ip<E: Error>(text: &str) -> Result<IpAddr, E> {
    text.parse().map(|ip: IpAddr| ip.to_canonical()).map_err(|_| E::custom(format!("not an IP address: {text}")))
}

fn parse_cidr<E: Error>(text: &str) -> Result<IpNet, E> {
    text.parse()
        .map(|net: IpNet| net.trunc())
        .map_err(|_| E::custom(format!("not a CIDR: {text} (expected 10.244.1.0/24)")))
}

/// Reads a range of addresses of a policy: host bits are cleared, IPv4-mapped IPv6 is IPv4.
pub(super) fn network<'de, D: Deserializer<'de>>(from: D) -> Result<IpNet, D::Error> {
    parse_cidr(&text(from)?).map(canonical)
}

/// Reads a list of those.
pub(super) fn networks<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
    Ok(cidrs::deserialize(from)?.into_iter().map(canonical).collect())
}

fn canonical(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let mapped = v6.network().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96));
    let v4 = mapped.and_then(|(ip, prefix_len)| ipnet::Ipv4Net::new(ip, prefix_len).ok());
    v4.map_or(net, IpNet::V4)
}
