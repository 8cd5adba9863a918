//! One policy, compiled: the pods it is about and its rules, all by position.

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;
use weir_model::Tier;

use super::bits::Bits;
use super::cluster::Cluster;
use super::ranges::{Addresses, Ports};
use super::rule::{Peers, Relative, Rule, SomePeers};
use super::{HashMap, PolicyOptions, PolicyRef};
use crate::objects::{
    Action, ForeignPolicy, LabelSelector, NamespaceChoice, NetworkPolicy, PodChoice, PolicyPeer, PolicyRule, TierPeer,
    TierPolicySpec, TierRule,
};

#[derive(Debug)]
pub(super) struct Compiled {
    pub(super) name: PolicyRef,
    /// Its place in the order of evaluation.
    pub(super) stage: Stage,
    /// Connections to pods; `None` = it has no say.
    pub(super) ingress: Option<Side>,
    /// Connections from pods; `None` = it has no say.
    pub(super) egress: Option<Side>,
}

/// Which part of the order of evaluation a policy belongs to, and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// The admin tier, by priority.
    Admin(u32),
    /// `NetworkPolicies`.
    NetworkPolicy,
    /// The baseline tier, by priority.
    Baseline(u32),
    /// Not evaluated.
    Foreign,
}

/// What a policy says in one direction.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) subjects: Bits,
    pub(super) rules: Box<[Rule]>,
}

/// What compiling needs to know.
#[derive(Clone, Copy)]
pub(super) struct Compiler<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) options: PolicyOptions,
}

impl Compiler<'_> {
    /// Compiles a NetworkPolicy.
    pub(super) fn network_policy(&self, name: PolicyRef, policy: &NetworkPolicy) -> Option<Compiled> {
        let spec = policy.spec.as_ref()?;
        let subjects = self.cluster.pods_in(policy.namespace(), &spec.pod_selector);
        let side = |rules: &Option<Vec<PolicyRule>>| {
            let rules = rules.as_ref()?.iter().map(|rule| self.rule(rule, policy.namespace()));
            Some(Side { subjects: subjects.clone(), rules: rules.collect() })
        };
        let (ingress, egress) = (side(&spec.ingress), side(&spec.egress));
        Some(Compiled { name, stage: Stage::NetworkPolicy, ingress, egress })
    }

    /// Compiles a policy of the admin or baseline tier.
    pub(super) fn tier_policy(&self, name: PolicyRef, spec: &TierPolicySpec) -> Compiled {
        let subjects = self.cluster.pods_matching(&spec.namespaces, &spec.pods);
        let side = |rules: &[TierRule]| {
            let rules: Box<[Rule]> = rules.iter().map(|rule| self.tier_rule(rule)).collect();
            (!rules.is_empty()).then(|| Side { subjects: subjects.clone(), rules })
        };
        let stage = match spec.tier {
            Tier::Admin => Stage::Admin(spec.priority),
            Tier::NetworkPolicy => Stage::NetworkPolicy,
            Tier::Baseline => Stage::Baseline(spec.priority),
        };
        Compiled { name, stage, ingress: side(&spec.ingress), egress: side(&spec.egress) }
    }

    /// Finds whom a policy of a foreign kind may select.
    pub(super) fn foreign_policy(&self, name: PolicyRef, policy: &ForeignPolicy) -> Compiled {
        let side = |choice: &Option<PodChoice>| {
            let mut pods = self.cluster.pods_chosen(choice.as_ref()?);
            if !name.namespace.is_empty() {
                pods.keep(&self.cluster.pods_in(&name.namespace, &LabelSelector::default()));
            }
            (!pods.is_empty()).then(|| Side { subjects: pods, rules: Box::default() })
        };
        let (ingress, egress) = (side(&policy.ingress), side(&policy.egress));
        Compiled { name, stage: Stage::Foreign, ingress, egress }
    }

    fn rule(&self, rule: &PolicyRule, namespace: &str) -> Rule {
        let ports = Ports::of(&rule.ports, &self.cluster.port_names);
        let peers = if rule.peers.is_empty() {
            Peers::Everybody
        } else {
            let mut pods = Bits::none(self.cluster.pods.len());
            for peer in &rule.peers {
                match peer {
                    PolicyPeer::Pods { namespaces: None, pods: labels } => {
                        pods.add(&self.cluster.pods_in(namespace, labels));
                    }
                    PolicyPeer::Pods { namespaces: Some(namespaces), pods: labels } => {
                        pods.add(&self.cluster.pods_matching(namespaces, labels));
                    }
                    PolicyPeer::Block { .. } => {}
                }
            }
            let blocks = rule.peers.iter().filter_map(|peer| match peer {
                PolicyPeer::Block { cidr, except } => Some((*cidr, &**except)),
                PolicyPeer::Pods { .. } => None,
            });
            Peers::Some(Box::new(SomePeers {
                pods: pods.into(),
                addresses: Addresses::of(&blocks),
                addresses_have_pods: self.options.ipblock_matches_pods,
                ask_labels: rule.peers.iter().any(|peer| matches!(peer, PolicyPeer::Pods { .. })),
                ..SomePeers::default()
            }))
        };
        Rule { index: rule.index, action: Action::Allow, ports, peers }
    }

    fn tier_rule(&self, rule: &TierRule) -> Rule {
        let mut pods = Bits::none(self.cluster.pods.len());
        let mut nodes: Option<Bits> = None;
        let (mut relative, mut names) = (Vec::new(), Vec::new());
        for peer in &rule.peers {
            match peer {
                TierPeer::Pods { namespaces: NamespaceChoice::Selector(namespaces), pods: labels } => {
                    pods.add(&self.cluster.pods_matching(namespaces, labels));
                }
                TierPeer::Pods { namespaces: NamespaceChoice::Same(keys), pods } => {
                    relative.push(self.relative(keys, pods, true));
                }
                TierPeer::Pods { namespaces: NamespaceChoice::NotSame(keys), pods } => {
                    relative.push(self.relative(keys, pods, false));
                }
                TierPeer::Nodes(selector) => {
                    let found = self.cluster.nodes_matching(selector);
                    match &mut nodes {
                        Some(nodes) => nodes.add(&found),
                        None => nodes = Some(found),
                    }
                }
                TierPeer::Networks(_) => {}
                TierPeer::DomainNames(wanted) => names.extend(wanted.iter().cloned()),
            }
        }
        let networks = rule.peers.iter().flat_map(|peer| match peer {
            TierPeer::Networks(networks) => networks.as_slice(),
            _ => &[],
        });
        let no_exception: &[IpNet] = &[];
        let peers = SomePeers {
            pods: pods.into(),
            relative: relative.into(),
            nodes,
            addresses: Addresses::of(&networks.map(|net| (*net, no_exception))),
            addresses_have_pods: true,
            domain_names: names.into(),
            ask_labels: rule.peers.iter().any(|peer| matches!(peer, TierPeer::Pods { .. } | TierPeer::Nodes(_))),
        };
        let ports = Ports::of(&rule.ports, &self.cluster.port_names);
        Rule { index: rule.index, action: rule.action, ports, peers: Peers::Some(Box::new(peers)) }
    }

    fn relative(&self, keys: &[Arc<str>], pods: &LabelSelector, is_same: bool) -> Relative {
        let pods = self.cluster.pods_matching(&LabelSelector::default(), pods);
        let mut known: HashMap<Vec<&str>, u32> = HashMap::default();
        let values = self.cluster.namespace_labels.iter().map(|labels: &BTreeMap<Arc<str>, Arc<str>>| {
            let values: Vec<&str> = keys.iter().map(|key| labels.get(key).map(|v| &**v)).collect::<Option<_>>()?;
            let next = known.len() as u32;
            Some(*known.entry(values).or_insert(next))
        });
        let values = values.collect();
        Relative { pods: pods.into(), values, is_same }
    }
}
