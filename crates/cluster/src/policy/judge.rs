//! The verdict about one connection: both directions, each tier in its order.
//!
//! Allocates nothing, and looks only at the policies that select the pods of the two sides. Where something that a
//! rule asks for is not known, every way it could be is followed; only if all end alike is there a verdict.

use weir_model::{Protocol, Reason, Tier, Verdict};

use super::compiled::{Compiled, Side};
use super::party::{Party, Who};
use super::profile::Profile;
use super::rule::{Match, Named, Peer, Rule};
use super::verdict::{ConnectionVerdict, SideVerdict};
use super::{Connection, PolicyRef, PolicySet};
use crate::objects::Action;

/// Which way a side is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    const fn of(self, policy: &Compiled) -> Option<&Side> {
        match self {
            Self::Ingress => policy.ingress.as_ref(),
            Self::Egress => policy.egress.as_ref(),
        }
    }
}

impl PolicySet {
    /// The verdict about opening a connection, whose destination is the one after the translation of a Service.
    pub fn judge<'a>(&'a self, connection: &Connection<'_>) -> ConnectionVerdict<'a> {
        let egress = self.side(connection, Direction::Egress);
        let ingress = self.side(connection, Direction::Ingress);
        ConnectionVerdict { verdict: egress.verdict.and(ingress.verdict), egress, ingress }
    }

    fn side(&self, connection: &Connection<'_>, direction: Direction) -> SideVerdict<'_> {
        let (subject, other) = match direction {
            Direction::Egress => (&connection.src, &connection.dst),
            Direction::Ingress => (&connection.dst, &connection.src),
        };
        let Who::Pod(position) = subject.who else {
            return match subject.who {
                Who::Unknown => SideVerdict::undecided(Reason::UnknownPeer, &[]),
                _ => SideVerdict::allowed(Reason::ExternalSide),
            };
        };
        let Some(facts) = self.cluster.pod(position) else { return SideVerdict::allowed(Reason::ExternalSide) };
        if facts.is_host_network {
            return SideVerdict::allowed(Reason::HostNetwork);
        }
        if subject.who == other.who {
            return SideVerdict::allowed(Reason::OwnPod);
        }
        let profiles = if direction == Direction::Ingress { &self.ingress } else { &self.egress };
        let Some(profile) = profiles.of(position) else { return SideVerdict::allowed(Reason::NoPolicy) };
        let peer = self.peer(other, subject, connection);
        let is_source_link = other.who == Who::Link && direction == Direction::Ingress;
        let hearing = Hearing {
            set: self,
            direction,
            profile,
            namespace: facts.namespace,
            peer,
            is_local: is_source_link || (facts.node.is_some() && peer.node == facts.node),
            protocol: connection.protocol,
            port: connection.port,
            named: self.named(&connection.dst),
        };
        hearing.verdict()
    }

    fn peer<'a>(&'a self, other: &Party, subject: &Party, connection: &Connection<'a>) -> Peer<'a> {
        let facts = match other.who {
            Who::Pod(position) => self.cluster.pod(position),
            _ => None,
        };
        let node = match (other.who, facts) {
            (Who::Node(node), _) => Some(node),
            (_, Some(facts)) if facts.is_host_network => facts.node,
            _ => None,
        };
        let ip = other.ip.or_else(|| self.address(other, subject));
        let pod = facts.filter(|facts| !facts.is_host_network);
        Peer { who: other.who, pod, node, ip, dns_name: connection.dst_dns_name }
    }

    fn named(&self, dst: &Party) -> Named<'_> {
        match dst.who {
            Who::Unknown => Named::Unknown,
            Who::Pod(position) => {
                let facts = self.cluster.pod(position).filter(|facts| !facts.is_host_network);
                Named::Ports(facts.map_or(&[], |facts| &facts.named))
            }
            _ => Named::Ports(&[]),
        }
    }
}

/// One direction of a connection, with the pod that is judged and what is known about the other side.
struct Hearing<'a, 'p> {
    set: &'a PolicySet,
    direction: Direction,
    profile: &'a Profile,
    /// The namespace of the pod.
    namespace: u32,
    peer: Peer<'p>,
    /// The other side is the node that the pod runs on.
    is_local: bool,
    protocol: Protocol,
    port: u16,
    named: Named<'p>,
}

/// How an ordered tier ends.
#[derive(Clone, Copy)]
struct Ending<'a> {
    /// What the first rule that surely matches says; `None` = none does, or it passes.
    decided: Option<SideVerdict<'a>>,
    /// Actions of earlier rules that may match.
    may_allow: bool,
    may_deny: bool,
    may_pass: bool,
}

impl<'a> Hearing<'a, '_> {
    fn verdict(&self) -> SideVerdict<'a> {
        let profile = self.profile;
        let is_probe = self.is_local && self.direction == Direction::Ingress;
        if !(profile.foreign.is_empty() || is_probe) {
            return SideVerdict::undecided(Reason::ForeignPolicy, &profile.foreign);
        }
        let admin = self.tier(&profile.admin, Tier::Admin);
        admin.settled(|| self.below_admin())
    }

    fn below_admin(&self) -> SideVerdict<'a> {
        if self.profile.isolating.is_empty() {
            let baseline = self.tier(&self.profile.baseline, Tier::Baseline);
            let otherwise = if self.is_local { Reason::LocalNode } else { Reason::NoPolicy };
            return baseline.settled(|| SideVerdict::allowed(otherwise));
        }
        if self.is_local { SideVerdict::allowed(Reason::LocalNode) } else { self.network_policies() }
    }

    /// The first rule that allows it, of any policy; else isolated.
    fn network_policies(&self) -> SideVerdict<'a> {
        let mut best = Match::No;
        for (policy, rules) in self.rules(&self.profile.isolating) {
            for rule in rules {
                let found = self.matches(rule);
                if found == Match::Yes {
                    return SideVerdict::by(Verdict::Allowed, Reason::AllowedBy, Tier::NetworkPolicy, policy, rule);
                }
                best = best.max(found);
            }
        }
        let isolated_by = &self.profile.isolated_by;
        if best == Match::Maybe {
            return SideVerdict::undecided(Reason::UnknownPeer, isolated_by);
        }
        if !matches!(self.protocol, Protocol::TCP | Protocol::UDP | Protocol::SCTP) {
            return SideVerdict::undecided(Reason::Unspecified, isolated_by);
        }
        SideVerdict::isolated(isolated_by)
    }

    fn tier(&self, policies: &'a [u32], tier: Tier) -> Ending<'a> {
        let mut ending = Ending { decided: None, may_allow: false, may_deny: false, may_pass: false };
        for (policy, rules) in self.rules(policies) {
            for rule in rules {
                match (self.matches(rule), rule.action) {
                    (Match::No, _) => {}
                    (Match::Maybe, Action::Allow) => ending.may_allow = true,
                    (Match::Maybe, Action::Deny) => ending.may_deny = true,
                    (Match::Maybe, Action::Pass) => ending.may_pass = true,
                    (Match::Yes, Action::Pass) => return ending,
                    (Match::Yes, action) => {
                        let (verdict, reason) = match (action, tier) {
                            (Action::Deny, Tier::Baseline) => (Verdict::Denied, Reason::BaselineDeny),
                            (Action::Deny, _) => (Verdict::Denied, Reason::AdminDeny),
                            _ => (Verdict::Allowed, Reason::AllowedBy),
                        };
                        return Ending {
                            decided: Some(SideVerdict::by(verdict, reason, tier, policy, rule)),
                            ..ending
                        };
                    }
                }
            }
        }
        ending
    }

    fn rules(&self, policies: &'a [u32]) -> impl Iterator<Item = (&'a PolicyRef, &'a [Rule])> {
        let set = self.set;
        let direction = self.direction;
        policies.iter().filter_map(move |position| {
            let policy = set.policies.get(*position as usize)?;
            Some((&policy.name, &*direction.of(policy)?.rules))
        })
    }

    fn matches(&self, rule: &Rule) -> Match {
        match rule.ports.matches(self.protocol, self.port, self.named) {
            Match::No => Match::No,
            ports => ports.min(rule.peers.matches(&self.peer, self.namespace)),
        }
    }
}

impl<'a> Ending<'a> {
    /// The verdict, with that of the tiers below where this one may leave it to them.
    fn settled(self, below: impl FnOnce() -> SideVerdict<'a>) -> SideVerdict<'a> {
        let Self { decided, may_allow, may_deny, may_pass } = self;
        let (sure, passed) = match decided {
            Some(decided) => (decided, may_pass.then(below)),
            None => (below(), None),
        };
        let differs = |wanted: Verdict| sure.verdict != wanted;
        let is_open = (may_allow && differs(Verdict::Allowed))
            || (may_deny && differs(Verdict::Denied))
            || passed.is_some_and(|passed| differs(passed.verdict));
        if is_open { SideVerdict::undecided(Reason::UnknownPeer, sure.policies) } else { sure }
    }
}
