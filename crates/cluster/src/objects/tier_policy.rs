//! Policies of the admin and baseline tiers, of both versions of `policy.networking.k8s.io`, read into one shape.
//!
//! Their rules are ordered and may deny, and they select pods of the whole cluster.

mod text;

use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use weir_model::Tier;

use super::draft::{Draft, Fault, Kept};
use super::label_selector::LabelSelector;
use super::meta::ObjectMeta;
use super::policy_port::PolicyPort;
use super::tier_rule::{AdminText, BaselineText, ClusterText, Subject};

/// What a policy of the admin or baseline tier says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierPolicySpec {
    /// Its tier: admin or baseline.
    pub tier: Tier,
    /// Lower ones come first. That of a `BaselineAdminNetworkPolicy`, which has none, is behind all others.
    pub priority: u32,
    /// The namespaces of the pods it is about.
    pub namespaces: LabelSelector,
    /// The labels of the pods it is about.
    pub pods: LabelSelector,
    /// Rules for connections to them, in order.
    pub ingress: Vec<TierRule>,
    /// Rules for connections from them, in order.
    pub egress: Vec<TierRule>,
}

/// A rule; the first one that matches decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierRule {
    /// Its position in the list as it is written.
    pub index: u32,
    /// What happens to what matches.
    pub action: Action,
    /// Ports; none = all, of every protocol.
    pub ports: Vec<PolicyPort>,
    /// Peers, at least one.
    pub peers: Vec<TierPeer>,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Allows (`Allow` in v1alpha1, `Accept` in v1alpha2).
    Allow,
    /// Denies.
    Deny,
    /// Leaves it to the next tier.
    Pass,
}

/// The other side, as a rule of these tiers means it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TierPeer {
    /// Pods that are not of the host's network.
    Pods {
        /// Their namespaces.
        namespaces: NamespaceChoice,
        /// Their labels; empty = all.
        pods: LabelSelector,
    },
    /// Nodes, by the labels of their objects. Egress only.
    Nodes(LabelSelector),
    /// Addresses, those of pods among them. Egress only.
    Networks(Vec<IpNet>),
    /// DNS names, lower case, without the final dot; `*.` stands for one or more labels. Egress only, never denies.
    DomainNames(Vec<Box<str>>),
}

/// Which namespaces a peer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamespaceChoice {
    /// By their labels.
    Selector(LabelSelector),
    /// Those that have all these labels with the values of the subject's namespace.
    Same(Vec<Arc<str>>),
    /// Those that have all these labels, one of them with another value than the subject's namespace.
    NotSame(Vec<Arc<str>>),
}

/// Declares the kinds.
macro_rules! tier_policies {
    ($($(#[doc = $doc:literal])+ $kind:ident: $reader:ident, $writer:path;)+) => { $(
        $(#[doc = $doc])+
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $kind {
            /// The name.
            pub metadata: ObjectMeta,
            /// What it says; `None` = nothing, because of a fault.
            pub spec: Option<TierPolicySpec>,
            /// What is wrong with it.
            pub faults: Vec<Fault>,
        }

        impl<'de> Deserialize<'de> for $kind {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let mut draft = Draft::read(from)?;
                let spec = $reader(&mut draft).filter(|_| !draft.is_refused);
                let (metadata, faults) = draft.finish();
                Ok(Self { metadata, spec, faults })
            }
        }

        impl Serialize for $kind {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let spec = self.spec.as_ref().map($writer);
                Kept { metadata: &self.metadata, spec, faults: &self.faults }.serialize(to)
            }
        }
    )+ };
}

tier_policies! {
    /// An `AdminNetworkPolicy` (`policy.networking.k8s.io/v1alpha1`).
    AdminNetworkPolicy: admin, text::alpha1;
    /// A `BaselineAdminNetworkPolicy` (`policy.networking.k8s.io/v1alpha1`).
    BaselineAdminNetworkPolicy: baseline, text::alpha1;
    /// A `ClusterNetworkPolicy` (`policy.networking.k8s.io/v1alpha2`).
    ClusterNetworkPolicy: cluster, text::alpha2;
}

/// The highest priority number.
const MAX_PRIORITY: u32 = 1_000;

fn admin(draft: &mut Draft) -> Option<TierPolicySpec> {
    let (ingress, egress) = (draft.rules::<AdminText<false>>("ingress"), draft.rules::<AdminText<true>>("egress"));
    let ingress = ingress.unwrap_or_default().into_iter().map(|(index, rule)| rule.read(index)).collect();
    let egress = egress.unwrap_or_default().into_iter().map(|(index, rule)| rule.read(index)).collect();
    let (priority, (namespaces, pods)) = (priority(draft), subject(draft));
    Some(TierPolicySpec { tier: Tier::Admin, priority: priority?, namespaces, pods, ingress, egress })
}

#[expect(clippy::unnecessary_wraps, reason = "the readers of all kinds look alike")]
fn baseline(draft: &mut Draft) -> Option<TierPolicySpec> {
    let (ingress, egress) =
        (draft.rules::<BaselineText<false>>("ingress"), draft.rules::<BaselineText<true>>("egress"));
    let ingress = ingress.unwrap_or_default().into_iter().map(|(index, rule)| rule.read(index)).collect();
    let egress = egress.unwrap_or_default().into_iter().map(|(index, rule)| rule.read(index)).collect();
    if &*draft.metadata.name != "default" {
        draft.refuse("metadata.name", "only the name default is allowed");
    }
    let (namespaces, pods) = subject(draft);
    Some(TierPolicySpec { tier: Tier::Baseline, priority: u32::MAX, namespaces, pods, ingress, egress })
}

fn cluster(draft: &mut Draft) -> Option<TierPolicySpec> {
    let (ingress, egress) = (draft.rules::<ClusterText<false>>("ingress"), draft.rules::<ClusterText<true>>("egress"));
    let ingress = ingress.unwrap_or_default().into_iter().map(|(index, rule)| rule.read(index)).collect();
    let egress = egress.unwrap_or_default().into_iter().map(|(index, rule)| rule.read(index)).collect();
    let tier = draft.field::<TierText>("tier");
    if tier.is_none() && !draft.is_refused {
        draft.refuse("spec.tier", "is missing");
    }
    let tier = match tier? {
        TierText::Admin => Tier::Admin,
        TierText::Baseline => Tier::Baseline,
    };
    let (priority, (namespaces, pods)) = (priority(draft), subject(draft));
    Some(TierPolicySpec { tier, priority: priority?, namespaces, pods, ingress, egress })
}

#[derive(Deserialize)]
enum TierText {
    Admin,
    Baseline,
}

fn priority(draft: &mut Draft) -> Option<u32> {
    let known = draft.is_refused;
    let priority: Option<u32> = draft.field("priority");
    if priority.is_none() && draft.is_refused == known {
        draft.refuse("spec.priority", "is missing");
    }
    if priority.is_some_and(|priority| priority > MAX_PRIORITY) {
        draft.refuse("spec.priority", format!("more than {MAX_PRIORITY}"));
    }
    priority
}

fn subject(draft: &mut Draft) -> (LabelSelector, LabelSelector) {
    let known = draft.is_refused;
    let subject: Option<Subject> = draft.field("subject");
    if subject.is_none() && draft.is_refused == known {
        draft.refuse("spec.subject", "is missing");
    }
    subject.map_or_else(Default::default, |subject| (subject.namespaces, subject.pods))
}
