//! `NetworkPolicies` written back, as they were understood.

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{NetworkPolicy, NetworkPolicySpec, PolicyPeer, PolicyRule};
use crate::objects::draft::{Kept, at_places};
use crate::objects::policy_port::PolicyPort;

impl Serialize for NetworkPolicy {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let spec = self.spec.as_ref().map(spec_text);
        Kept { metadata: &self.metadata, spec, faults: &self.faults }.serialize(to)
    }
}

fn spec_text(spec: &NetworkPolicySpec) -> Value {
    let mut text = json!({"podSelector": spec.pod_selector});
    let mut types = Vec::new();
    for (policy_type, field, peers, rules) in
        [("Ingress", "ingress", "from", &spec.ingress), ("Egress", "egress", "to", &spec.egress)]
    {
        if let Some(rules) = rules {
            types.push(policy_type);
            text[field] = at_places(rules.iter().map(|rule| (rule.index, rule_text(rule, peers))));
        }
    }
    text["policyTypes"] = types.into();
    text
}

fn rule_text(rule: &PolicyRule, peers: &str) -> Value {
    let ports: Value = rule.ports.iter().map(PolicyPort::v1_text).collect();
    json!({"ports": ports, peers: rule.peers.iter().map(peer_text).collect::<Value>()})
}

fn peer_text(peer: &PolicyPeer) -> Value {
    match peer {
        PolicyPeer::Pods { namespaces: None, pods } => json!({"podSelector": pods}),
        PolicyPeer::Pods { namespaces: Some(namespaces), pods } => {
            json!({"namespaceSelector": namespaces, "podSelector": pods})
        }
        PolicyPeer::Block { cidr, except } => {
            let except: Value = except.iter().map(ToString::to_string).collect();
            json!({"ipBlock": {"cidr": cidr.to_string(), "except": except}})
        }
    }
}
