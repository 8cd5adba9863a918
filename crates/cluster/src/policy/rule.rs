//! A rule that is compiled: who its peers are, by position and address, and on which ports.

use std::net::IpAddr;

use super::bits::{Bits, Members};
use super::cluster::PodFacts;
use super::party::Who;
use super::ranges::{Addresses, NamedPort, Ports};
use crate::objects::Action;

#[derive(Debug)]
pub(super) struct Rule {
    /// Its position in the list as it is written.
    pub(super) index: u32,
    pub(super) action: Action,
    pub(super) ports: Ports,
    pub(super) peers: Peers,
}

/// The other sides that a rule means.
#[derive(Debug)]
pub(super) enum Peers {
    /// Everybody.
    Everybody,
    /// Those that one of these has.
    Some(Box<SomePeers>),
}

#[derive(Debug, Default)]
pub(super) struct SomePeers {
    pub(super) pods: Members,
    pub(super) relative: Box<[Relative]>,
    pub(super) nodes: Option<Bits>,
    pub(super) addresses: Addresses,
    /// Whether `addresses` may be those of pods.
    pub(super) addresses_have_pods: bool,
    pub(super) domain_names: Box<[Box<str>]>,
    /// Whether labels are asked for, so that an address which may be anybody's may be meant, even where nobody known is.
    pub(super) ask_labels: bool,
}

/// Pods whose namespace has, or has not, the labels of the subject's namespace.
#[derive(Debug)]
pub(super) struct Relative {
    pub(super) pods: Members,
    /// For each namespace which values it has, as a number; `None` = it lacks one of the labels.
    pub(super) values: Box<[Option<u32>]>,
    pub(super) is_same: bool,
}

/// Whether a rule is about a connection. In this order: a later one settles what earlier ones leave open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Match {
    No,
    /// It depends on something that is not known.
    Maybe,
    Yes,
}

/// The other side of the one that is judged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer<'a> {
    pub(super) who: Who,
    /// The facts, where it is a pod that is not of the host's network.
    pub(super) pod: Option<&'a PodFacts>,
    /// Its node, where it is one or is of the host's network.
    pub(super) node: Option<u32>,
    pub(super) ip: Option<IpAddr>,
    pub(super) dns_name: Option<&'a str>,
}

/// The pod that is connected to, for ports by name.
#[derive(Clone, Copy, Debug)]
pub(super) enum Named<'a> {
    /// These are its ports.
    Ports(&'a [NamedPort]),
    /// They are not known.
    Unknown,
}

impl Ports {
    pub(super) fn matches(&self, protocol: weir_model::Protocol, port: u16, named: Named<'_>) -> Match {
        match (self, named) {
            (Self::All, _) => Match::Yes,
            (_, Named::Ports(named)) if self.contain(protocol, port, named) => Match::Yes,
            (_, Named::Unknown) if self.contain(protocol, port, &[]) => Match::Yes,
            (Self::Some { names, .. }, Named::Unknown) if !names.is_empty() => Match::Maybe,
            _ => Match::No,
        }
    }
}

impl Peers {
    /// Whether they have `peer`, of a subject in `namespace`.
    pub(super) fn matches(&self, peer: &Peer<'_>, namespace: u32) -> Match {
        match self {
            Self::Everybody => Match::Yes,
            Self::Some(some) => some.matches(peer, namespace),
        }
    }
}

impl SomePeers {
    fn matches(&self, peer: &Peer<'_>, namespace: u32) -> Match {
        let is_pod = match (peer.who, peer.pod) {
            (Who::Pod(position), Some(facts)) => {
                if self.pods.contains(position)
                    || self.relative.iter().any(|r| r.pods.contains(position) && r.has(facts.namespace, namespace))
                {
                    return Match::Yes;
                }
                true
            }
            _ => false,
        };
        let is_node = || peer.node.is_some_and(|node| self.nodes.as_ref().is_some_and(|nodes| nodes.contains(node)));
        let has_address = || peer.ip.is_some_and(|ip| self.addresses.contains(ip));
        if is_node() || ((!is_pod || self.addresses_have_pods) && has_address()) {
            return if peer.who == Who::Unknown && !self.addresses_have_pods { Match::Maybe } else { Match::Yes };
        }
        // A pod or node that has no address yet may get one of these.
        if peer.ip.is_none() && (!is_pod || self.addresses_have_pods) && !self.addresses.is_empty() {
            return Match::Maybe;
        }
        if !self.domain_names.is_empty() && matches!(peer.who, Who::External | Who::Unknown | Who::Link) {
            match peer.dns_name {
                Some(name) if self.domain_names.iter().any(|wanted| is_of_domain(name, wanted)) => return Match::Yes,
                Some(_) => {}
                None => return Match::Maybe,
            }
        }
        if peer.who == Who::Unknown && self.ask_labels { Match::Maybe } else { Match::No }
    }
}

impl Relative {
    fn has(&self, peer: u32, subject: u32) -> bool {
        let values = |namespace: u32| self.values.get(namespace as usize).copied().flatten();
        values(peer).zip(values(subject)).is_some_and(|(peer, subject)| (peer == subject) == self.is_same)
    }
}

/// Whether a DNS name is of a pattern: itself, or `*.` for one or more labels.
fn is_of_domain(name: &str, pattern: &str) -> bool {
    let name = name.strip_suffix('.').unwrap_or(name);
    match pattern.strip_prefix('*') {
        None => name.eq_ignore_ascii_case(pattern),
        Some(ending) => name
            .len()
            .checked_sub(ending.len())
            .filter(|start| *start > 0)
            .and_then(|start| name.get(start..))
            .is_some_and(|end| end.eq_ignore_ascii_case(ending)),
    }
}
