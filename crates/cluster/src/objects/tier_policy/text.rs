//! Policies of the admin and baseline tiers written back, as they were understood.

use serde_json::{Value, json};
use weir_model::Tier;

use super::{Action, NamespaceChoice, TierPeer, TierPolicySpec, TierRule};
use crate::objects::draft::at_places;
use crate::objects::label_selector::LabelSelector;
use crate::objects::policy_port::PolicyPort;

/// `spec` of an `AdminNetworkPolicy` or `BaselineAdminNetworkPolicy`.
pub(super) fn alpha1(spec: &TierPolicySpec) -> Value {
    let mut text = spec_text(spec, "Allow");
    // That of the baseline is none that could be written.
    if spec.tier == Tier::Admin {
        text["priority"] = spec.priority.into();
    }
    text
}

/// `spec` of a `ClusterNetworkPolicy`.
pub(super) fn alpha2(spec: &TierPolicySpec) -> Value {
    let mut text = spec_text(spec, "Accept");
    text["priority"] = spec.priority.into();
    text["tier"] = if spec.tier == Tier::Admin { "Admin" } else { "Baseline" }.into();
    text
}

fn spec_text(spec: &TierPolicySpec, allow: &str) -> Value {
    let rules = |rules: &[TierRule], peers| at_places(rules.iter().map(|r| (r.index, rule_text(r, peers, allow))));
    json!({
        "subject": {"pods": {"namespaceSelector": spec.namespaces, "podSelector": spec.pods}},
        "ingress": rules(&spec.ingress, "from"),
        "egress": rules(&spec.egress, "to"),
    })
}

fn rule_text(rule: &TierRule, peers: &str, allow: &str) -> Value {
    let action = match rule.action {
        Action::Allow => allow,
        Action::Deny => "Deny",
        Action::Pass => "Pass",
    };
    let protocols: Value = rule.ports.iter().map(PolicyPort::cluster_text).collect();
    json!({"action": action, "protocols": protocols, peers: rule.peers.iter().map(peer_text).collect::<Value>()})
}

fn peer_text(peer: &TierPeer) -> Value {
    match peer {
        TierPeer::Pods { namespaces: NamespaceChoice::Selector(namespaces), pods } => {
            json!({"pods": {"namespaceSelector": namespaces, "podSelector": pods}})
        }
        TierPeer::Pods { namespaces: NamespaceChoice::Same(labels), pods } => {
            pods_text(&json!({"sameLabels": labels}), pods)
        }
        TierPeer::Pods { namespaces: NamespaceChoice::NotSame(labels), pods } => {
            pods_text(&json!({"notSameLabels": labels}), pods)
        }
        TierPeer::Nodes(nodes) => json!({"nodes": nodes}),
        TierPeer::Networks(networks) => {
            json!({"networks": networks.iter().map(ToString::to_string).collect::<Value>()})
        }
        TierPeer::DomainNames(names) => json!({"domainNames": names}),
    }
}

fn pods_text(namespaces: &Value, pods: &LabelSelector) -> Value {
    json!({"pods": {"namespaces": namespaces, "podSelector": pods}})
}
