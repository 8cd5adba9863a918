//! What is said about a connection: a verdict and its reason for each direction, with the policies behind it.

use std::slice;

use weir_model::{Reason, Tier, Verdict};

use super::PolicyRef;
use super::rule::Rule;

/// The verdict about a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionVerdict<'a> {
    /// Both directions together.
    pub verdict: Verdict,
    /// What is said about the source: may it connect to the destination?
    pub egress: SideVerdict<'a>,
    /// What is said about the destination: may the source connect to it?
    pub ingress: SideVerdict<'a>,
}

/// The verdict about one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SideVerdict<'a> {
    /// The verdict.
    pub verdict: Verdict,
    /// Why.
    pub reason: Reason,
    /// The tier that decided; `None` = none did.
    pub tier: Option<Tier>,
    /// The policy whose rule decided; all that isolate the pod where no rule of theirs matches; all that make it
    /// undecided.
    pub policies: &'a [PolicyRef],
    /// The position of the rule that decided, in its policy's list for this direction.
    pub rule: Option<u32>,
}

impl<'a> SideVerdict<'a> {
    pub(super) const fn allowed(reason: Reason) -> Self {
        Self { verdict: Verdict::Allowed, reason, tier: None, policies: &[], rule: None }
    }

    pub(super) const fn undecided(reason: Reason, policies: &'a [PolicyRef]) -> Self {
        Self { verdict: Verdict::Undecided, reason, tier: None, policies, rule: None }
    }

    pub(super) const fn isolated(policies: &'a [PolicyRef]) -> Self {
        let tier = Some(Tier::NetworkPolicy);
        Self { verdict: Verdict::Denied, reason: Reason::IsolatedNoMatch, tier, policies, rule: None }
    }

    pub(super) const fn by(verdict: Verdict, reason: Reason, tier: Tier, policy: &'a PolicyRef, rule: &Rule) -> Self {
        let policies = slice::from_ref(policy);
        Self { verdict, reason, tier: Some(tier), policies, rule: Some(rule.index) }
    }
}
