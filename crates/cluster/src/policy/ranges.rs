//! Addresses and ports as sorted ranges that do not touch, so that one binary search answers.

use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use weir_model::Protocol;

use super::HashMap;
use crate::objects::{PolicyPort, PortChoice};

/// Addresses: those of some blocks, without what each leaves out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Addresses {
    v4: Box<[(u128, u128)]>,
    v6: Box<[(u128, u128)]>,
}

impl Addresses {
    /// What at least one block has that is not among its exceptions.
    pub(super) fn of<'a>(blocks: &(impl Iterator<Item = (IpNet, &'a [IpNet])> + Clone)) -> Self {
        let family = |is_v4: bool| {
            let of_family = move |net: &IpNet| matches!(net, IpNet::V4(_)) == is_v4;
            let ranges = blocks.clone().filter(|(net, _)| of_family(net)).flat_map(|(net, except)| {
                let mut except: Vec<_> = except.iter().filter(|net| of_family(net)).map(bounds).collect();
                except.sort_unstable();
                without(bounds(&net), &except)
            });
            merged(ranges.collect())
        };
        Self { v4: family(true), v6: family(false) }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.v4.is_empty() && self.v6.is_empty()
    }

    pub(super) fn contains(&self, ip: IpAddr) -> bool {
        let (ranges, ip) = match ip {
            IpAddr::V4(v4) => (&self.v4, u128::from(v4.to_bits())),
            IpAddr::V6(v6) => (&self.v6, v6.to_bits()),
        };
        ranges.get(ranges.partition_point(|(_, last)| *last < ip)).is_some_and(|(first, _)| *first <= ip)
    }
}

fn bounds(net: &IpNet) -> (u128, u128) {
    let number = |ip: IpAddr| match ip {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => v6.to_bits(),
    };
    (number(net.network()), number(net.broadcast()))
}

/// A range without sorted exceptions.
fn without((first, last): (u128, u128), except: &[(u128, u128)]) -> Vec<(u128, u128)> {
    let mut left = Vec::with_capacity(except.len() + 1);
    let mut next = Some(first);
    for (from, to) in except {
        let Some(start) = next.filter(|start| *start <= last) else { break };
        if *to < start {
            continue;
        }
        if *from > last {
            break;
        }
        if *from > start {
            left.push((start, from - 1));
        }
        next = to.checked_add(1);
    }
    left.extend(next.filter(|start| *start <= last).map(|start| (start, last)));
    left
}

/// Sorts ranges and joins those that overlap or touch.
fn merged(mut ranges: Vec<(u128, u128)>) -> Box<[(u128, u128)]> {
    ranges.sort_unstable();
    let mut joined: Vec<(u128, u128)> = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        match joined.last_mut() {
            Some((_, end)) if first <= end.saturating_add(1) => *end = last.max(*end),
            _ => joined.push((first, last)),
        }
    }
    joined.into()
}

/// Which destination ports a rule is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ports {
    /// All, of every protocol.
    All,
    /// Some.
    Some {
        /// By number: the protocol above the port, both ends included.
        ranges: Box<[(u128, u128)]>,
        /// By name, with the protocol where one is asked for.
        names: Box<[(Option<Protocol>, NameId)]>,
    },
}

/// A name of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NameId(u32);

/// A named port that a pod declares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NamedPort {
    pub(super) name: NameId,
    pub(super) protocol: Protocol,
    pub(super) port: u16,
}

/// The names that pods give their ports, numbered.
#[derive(Debug, Default)]
pub(super) struct PortNames(HashMap<Arc<str>, NameId>);

impl PortNames {
    /// The number of a name, which gets one.
    pub(super) fn insert(&mut self, name: &Arc<str>) -> NameId {
        let next = NameId(self.0.len() as u32);
        *self.0.entry(Arc::clone(name)).or_insert(next)
    }

    /// The number of a name; that of nobody's port where no pod uses it.
    fn id(&self, name: &str) -> NameId {
        self.0.get(name).copied().unwrap_or(NameId(u32::MAX))
    }
}

impl Ports {
    pub(super) fn of(ports: &[PolicyPort], port_names: &PortNames) -> Self {
        if ports.is_empty() {
            return Self::All;
        }
        let (mut ranges, mut names) = (Vec::new(), Vec::new());
        for PolicyPort { protocol, ports } in ports {
            let (first, last) = match ports {
                PortChoice::All => (0, u16::MAX),
                PortChoice::Range(first, last) => (*first, *last),
                PortChoice::Name(name) => {
                    names.push((*protocol, port_names.id(name)));
                    continue;
                }
            };
            let any = [Protocol::TCP, Protocol::UDP, Protocol::SCTP];
            for protocol in protocol.as_ref().map_or(&any[..], std::slice::from_ref) {
                ranges.push((key(*protocol, first), key(*protocol, last)));
            }
        }
        Self::Some { ranges: merged(ranges), names: names.into() }
    }

    /// Whether they have this port of a pod that declares `named`.
    pub(super) fn contain(&self, protocol: Protocol, port: u16, named: &[NamedPort]) -> bool {
        let Self::Some { ranges, names } = self else { return true };
        let number = key(protocol, port);
        let at = ranges.partition_point(|(_, last)| *last < number);
        if ranges.get(at).is_some_and(|(first, _)| *first <= number) {
            return true;
        }
        names.iter().any(|(wanted, name)| {
            wanted.is_none_or(|wanted| wanted == protocol)
                && named.iter().any(|own| own.name == *name && own.protocol == protocol && own.port == port)
        })
    }
}

fn key(protocol: Protocol, port: u16) -> u128 {
    u128::from(protocol.0) << 16 | u128::from(port)
}
