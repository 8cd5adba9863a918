//! How much of a candidate the stored connections tried out: which of its rules decided something, and which never did.

use std::sync::Arc;

use weir_model::{Judgement, SideJudgement, Tier, Verdict};

use crate::objects::{Object, ObjectKey};

/// What each policy of a candidate did.
#[derive(Debug, Default)]
pub struct Exercise {
    policies: Vec<PolicyUse>,
}

/// What one policy did.
#[derive(Clone, Debug)]
pub struct PolicyUse {
    /// The policy.
    pub key: ObjectKey,
    /// As verdicts call it.
    name: Arc<str>,
    tier: Tier,
    /// Its rules in their order, those for ingress first.
    pub rules: Vec<RuleUse>,
    /// Connections that it denied because no rule matched (a NetworkPolicy).
    pub isolated: u64,
}

/// What one rule did.
#[derive(Clone, Debug)]
pub struct RuleUse {
    /// The way it is about.
    pub way: WayOfRule,
    /// Its position in the policy's list for that way.
    pub index: u32,
    /// Connections that it decided.
    pub decided: u64,
}

/// Which way a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayOfRule {
    /// Connections to the pods of the policy.
    Ingress,
    /// Connections from them.
    Egress,
}

impl WayOfRule {
    /// As manifests call it.
    pub const fn name(self) -> &'static str {
        if matches!(self, Self::Ingress) { "ingress" } else { "egress" }
    }
}

impl Exercise {
    /// Nothing was tried yet.
    pub fn of(policies: &[Object]) -> Self {
        Self { policies: policies.iter().filter_map(PolicyUse::of).collect() }
    }

    /// So many connections were judged like this by the set with the candidate.
    pub fn count(&mut self, after: &Judgement, connections: u64) {
        for policy in &mut self.policies {
            policy.count(WayOfRule::Egress, &after.egress, connections);
            policy.count(WayOfRule::Ingress, &after.ingress, connections);
        }
    }

    /// What each policy did.
    pub fn policies(&self) -> &[PolicyUse] {
        &self.policies
    }
}

impl PolicyUse {
    fn of(object: &Object) -> Option<Self> {
        let key = object.key();
        let (tier, ingress, egress) = match object {
            Object::NetworkPolicy(policy) => {
                let spec = policy.spec.as_ref()?;
                let indices = |rules: &Option<Vec<crate::objects::PolicyRule>>| -> Vec<u32> {
                    rules.iter().flatten().map(|rule| rule.index).collect()
                };
                (Tier::NetworkPolicy, indices(&spec.ingress), indices(&spec.egress))
            }
            Object::AdminNetworkPolicy(policy) => of_tier(policy.spec.as_ref()?),
            Object::BaselineAdminNetworkPolicy(policy) => of_tier(policy.spec.as_ref()?),
            Object::ClusterNetworkPolicy(policy) => of_tier(policy.spec.as_ref()?),
            _ => return None,
        };
        let rule = |way| move |index| RuleUse { way, index, decided: 0 };
        let rules = ingress.into_iter().map(rule(WayOfRule::Ingress));
        let rules = rules.chain(egress.into_iter().map(rule(WayOfRule::Egress))).collect();
        let name = match &*key.namespace {
            "" => Arc::clone(&key.name),
            namespace => Arc::from(format!("{namespace}/{}", key.name)),
        };
        Some(Self { key, name, tier, rules, isolated: 0 })
    }

    fn count(&mut self, way: WayOfRule, side: &SideJudgement, connections: u64) {
        if side.tier != Some(self.tier) || !side.policies.contains(&self.name) {
            return;
        }
        match side.rule {
            Some(index) => {
                let rule = self.rules.iter_mut().find(|rule| rule.way == way && rule.index == index);
                if let Some(rule) = rule {
                    rule.decided += connections;
                }
            }
            None if side.verdict == Verdict::Denied => self.isolated += connections,
            None => {}
        }
    }
}

fn of_tier(spec: &crate::objects::TierPolicySpec) -> (Tier, Vec<u32>, Vec<u32>) {
    let indices = |rules: &[crate::objects::TierRule]| rules.iter().map(|rule| rule.index).collect();
    (spec.tier, indices(&spec.ingress), indices(&spec.egress))
}
