//! Rules, peers and subjects of the admin and baseline tiers as they are written.
//!
//! Two shapes of v1alpha1 are in use: selectors of namespaces below a key of their own with `sameLabels` and
//! `notSameLabels` beside it, and selectors without. Both are read, also side by side.

use std::sync::Arc;

use ipnet::IpNet;
use serde::Deserialize;

use super::field;
use super::label_selector::LabelSelector;
use super::policy_port::{AdminPort, ClusterProtocol, PolicyPort};
use super::tier_policy::{Action, NamespaceChoice, TierPeer, TierRule};

/// `subject` of a policy.
#[derive(Deserialize)]
#[serde(try_from = "SubjectText")]
pub(super) struct Subject {
    pub(super) namespaces: LabelSelector,
    pub(super) pods: LabelSelector,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SubjectText {
    #[serde(default)]
    namespaces: Option<LabelSelector>,
    #[serde(default)]
    pods: Option<SubjectPods>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SubjectPods {
    #[serde(default, deserialize_with = "field::nullable")]
    namespace_selector: LabelSelector,
    #[serde(default, deserialize_with = "field::nullable")]
    pod_selector: LabelSelector,
}

impl TryFrom<SubjectText> for Subject {
    type Error = &'static str;

    fn try_from(text: SubjectText) -> Result<Self, Self::Error> {
        match (text.namespaces, text.pods) {
            (Some(namespaces), None) => Ok(Self { namespaces, pods: LabelSelector::default() }),
            (None, Some(pods)) => Ok(Self { namespaces: pods.namespace_selector, pods: pods.pod_selector }),
            _ => Err("exactly one of namespaces and pods is needed"),
        }
    }
}

/// A rule of an `AdminNetworkPolicy`. `EGRESS` says which way it looks.
#[derive(Deserialize)]
#[serde(try_from = "RuleText<AdminAction>")]
pub(super) struct AdminText<const EGRESS: bool>(TierRule);

/// A rule of a `BaselineAdminNetworkPolicy`.
#[derive(Deserialize)]
#[serde(try_from = "RuleText<BaselineAction>")]
pub(super) struct BaselineText<const EGRESS: bool>(TierRule);

/// A rule of a `ClusterNetworkPolicy`.
#[derive(Deserialize)]
#[serde(try_from = "RuleText<ClusterAction>")]
pub(super) struct ClusterText<const EGRESS: bool>(TierRule);

macro_rules! rules {
    ($($rule:ident($action:ident) = $($word:ident)+;)+) => { $(
        #[derive(Clone, Copy, Deserialize)]
        enum $action { $($word),+ }

        impl From<$action> for Action {
            fn from(action: $action) -> Self {
                match action { $($action::$word => meaning!($word)),+ }
            }
        }

        impl<const EGRESS: bool> TryFrom<RuleText<$action>> for $rule<EGRESS> {
            type Error = String;

            fn try_from(text: RuleText<$action>) -> Result<Self, String> {
                text.rule(EGRESS).map(Self)
            }
        }

        impl<const EGRESS: bool> $rule<EGRESS> {
            pub(super) fn read(self, index: u32) -> TierRule {
                TierRule { index, ..self.0 }
            }
        }
    )+ };
}

macro_rules! meaning {
    (Accept) => {
        Action::Allow
    };
    ($word:ident) => {
        Action::$word
    };
}

rules! {
    AdminText(AdminAction) = Allow Deny Pass;
    BaselineText(BaselineAction) = Allow Deny;
    ClusterText(ClusterAction) = Accept Deny Pass;
}

/// The fields of a rule of any of the kinds.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RuleText<A> {
    #[serde(default, rename = "name")]
    _name: Option<String>,
    action: A,
    #[serde(default)]
    from: Option<Vec<PeerText>>,
    #[serde(default)]
    to: Option<Vec<PeerText>>,
    #[serde(default, deserialize_with = "field::nullable")]
    ports: Vec<PortText>,
    #[serde(default, deserialize_with = "field::nullable")]
    protocols: Vec<ProtocolText>,
}

impl<A: Into<Action>> RuleText<A> {
    fn rule(self, is_egress: bool) -> Result<TierRule, String> {
        let (peers, other, here, there) =
            if is_egress { (self.to, self.from, "to", "from") } else { (self.from, self.to, "from", "to") };
        if other.is_some() {
            return Err(format!("{there} has no meaning here"));
        }
        let peers = peers.filter(|peers| !peers.is_empty()).ok_or_else(|| format!("{here} needs a peer"))?;
        let peers: Vec<TierPeer> = peers.into_iter().map(|peer| peer.0).collect();
        let action = self.action.into();
        let is_outside = |peer: &TierPeer| !matches!(peer, TierPeer::Pods { .. });
        if !is_egress && peers.iter().any(is_outside) {
            return Err("only namespaces and pods may be peers of ingress".to_owned());
        }
        if action == Action::Deny && peers.iter().any(|peer| matches!(peer, TierPeer::DomainNames(_))) {
            return Err("domainNames may only be allowed".to_owned());
        }
        let ports = self.ports.into_iter().map(|port| port.0);
        let ports = ports.chain(self.protocols.into_iter().map(|protocol| protocol.0)).collect();
        Ok(TierRule { index: 0, action, ports, peers })
    }
}

#[derive(Deserialize)]
#[serde(try_from = "AdminPort")]
struct PortText(PolicyPort);

impl TryFrom<AdminPort> for PortText {
    type Error = String;

    fn try_from(text: AdminPort) -> Result<Self, String> {
        text.try_into().map(Self)
    }
}

#[derive(Deserialize)]
#[serde(try_from = "ClusterProtocol")]
struct ProtocolText(PolicyPort);

impl TryFrom<ClusterProtocol> for ProtocolText {
    type Error = String;

    fn try_from(text: ClusterProtocol) -> Result<Self, String> {
        text.try_into().map(Self)
    }
}

#[derive(Deserialize)]
#[serde(try_from = "PeerFields")]
struct PeerText(TierPeer);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PeerFields {
    #[serde(default)]
    namespaces: Option<Namespaces>,
    #[serde(default)]
    pods: Option<PeerPods>,
    #[serde(default)]
    nodes: Option<LabelSelector>,
    #[serde(default)]
    networks: Option<Networks>,
    #[serde(default)]
    domain_names: Option<Vec<String>>,
}

/// `namespaces` of a peer: a selector, or one of the older keys.
#[derive(Deserialize)]
#[serde(try_from = "NamespacesFields")]
struct Namespaces(NamespaceChoice);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NamespacesFields {
    #[serde(default)]
    match_labels: Option<serde_json::Value>,
    #[serde(default)]
    match_expressions: Option<serde_json::Value>,
    #[serde(default)]
    namespace_selector: Option<LabelSelector>,
    #[serde(default, deserialize_with = "field::nullable")]
    same_labels: Vec<Arc<str>>,
    #[serde(default, deserialize_with = "field::nullable")]
    not_same_labels: Vec<Arc<str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PeerPods {
    #[serde(default)]
    namespaces: Option<Namespaces>,
    #[serde(default)]
    namespace_selector: Option<LabelSelector>,
    #[serde(default, deserialize_with = "field::nullable")]
    pod_selector: LabelSelector,
}

#[derive(Deserialize)]
struct Networks(#[serde(deserialize_with = "field::networks")] Vec<IpNet>);

impl TryFrom<PeerFields> for PeerText {
    type Error = &'static str;

    fn try_from(fields: PeerFields) -> Result<Self, Self::Error> {
        let PeerFields { namespaces, pods, nodes, networks, domain_names } = fields;
        let networks = networks.filter(|networks| !networks.0.is_empty());
        let domain_names = domain_names.filter(|names| !names.is_empty());
        Ok(Self(match (namespaces, pods, nodes, networks, domain_names) {
            (Some(Namespaces(namespaces)), None, None, None, None) => {
                TierPeer::Pods { namespaces, pods: LabelSelector::default() }
            }
            (None, Some(PeerPods { namespaces, namespace_selector, pod_selector }), None, None, None) => {
                let namespaces = match (namespaces, namespace_selector) {
                    (Some(Namespaces(choice)), None) => choice,
                    (None, selector) => NamespaceChoice::Selector(selector.unwrap_or_default()),
                    (Some(_), Some(_)) => return Err("namespaces together with namespaceSelector"),
                };
                TierPeer::Pods { namespaces, pods: pod_selector }
            }
            (None, None, Some(nodes), None, None) => TierPeer::Nodes(nodes),
            (None, None, None, Some(Networks(networks)), None) => TierPeer::Networks(networks),
            (None, None, None, None, Some(names)) => {
                let name = |name: &String| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase().into();
                TierPeer::DomainNames(names.iter().map(name).collect())
            }
            _ => return Err("a peer needs exactly one of namespaces, pods, nodes, networks and domainNames"),
        }))
    }
}

impl TryFrom<NamespacesFields> for Namespaces {
    type Error = String;

    fn try_from(fields: NamespacesFields) -> Result<Self, String> {
        let NamespacesFields { match_labels, match_expressions, namespace_selector, same_labels, not_same_labels } =
            fields;
        let bare = match_labels.is_some() || match_expressions.is_some();
        let given = [bare, namespace_selector.is_some(), !same_labels.is_empty(), !not_same_labels.is_empty()];
        if given.into_iter().filter(|given| *given).count() > 1 {
            return Err("namespaceSelector, sameLabels, notSameLabels and a selector exclude each other".to_owned());
        }
        if !same_labels.is_empty() {
            return Ok(Self(NamespaceChoice::Same(same_labels)));
        }
        if !not_same_labels.is_empty() {
            return Ok(Self(NamespaceChoice::NotSame(not_same_labels)));
        }
        if let Some(selector) = namespace_selector {
            return Ok(Self(NamespaceChoice::Selector(selector)));
        }
        let selector = serde_json::json!({"matchLabels": match_labels, "matchExpressions": match_expressions});
        serde_json::from_value(selector)
            .map(|selector| Self(NamespaceChoice::Selector(selector)))
            .map_err(|error| error.to_string())
    }
}
