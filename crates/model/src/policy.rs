//! What policies say about a connection: the verdict, its reason, and the tier that gave it.
//!
//! Plain names; who decides is `weir-cluster`.

use crate::flow::names;

/// What the policies say about a connection, or about one direction of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// It may be opened.
    Allowed,
    /// It may not be opened.
    Denied,
    /// The rules or the known facts do not say.
    Undecided,
}

impl Verdict {
    /// The verdict about a connection whose two directions have these: denied if one denies, else undecided if one is.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Denied, _) | (_, Self::Denied) => Self::Denied,
            (Self::Undecided, _) | (_, Self::Undecided) => Self::Undecided,
            (Self::Allowed, Self::Allowed) => Self::Allowed,
        }
    }
}

/// Why a direction has its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// Allowed: no policy that selects the pod has a say.
    NoPolicy,
    /// Allowed by the rule named.
    AllowedBy,
    /// Denied: policies isolate the pod, and no rule of any of them matches.
    IsolatedNoMatch,
    /// Denied by the rule named, of the admin tier.
    AdminDeny,
    /// Denied by the rule named, of the baseline tier.
    BaselineDeny,
    /// Allowed: a pod talks to itself.
    OwnPod,
    /// Allowed: a pod and the node that it runs on.
    LocalNode,
    /// Allowed: the side is a pod of the host's network, which no policy selects.
    HostNetwork,
    /// Allowed: the side is no pod.
    ExternalSide,
    /// Undecided: the API does not say what holds.
    Unspecified,
    /// Undecided: a policy of another kind selects the pod.
    ForeignPolicy,
    /// Undecided: the Service has no backend.
    NoBackend,
    /// Undecided: the backends that it may have reached differ.
    AmbiguousBackend,
    /// Undecided: what a rule asks of the other side is not known.
    UnknownPeer,
}

/// Where in the order of evaluation a policy stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tier {
    /// Before every `NetworkPolicy`.
    Admin,
    /// `NetworkPolicies`.
    NetworkPolicy,
    /// Where no `NetworkPolicy` isolates the pod.
    Baseline,
}

names!(Verdict { Allowed = "allowed", Denied = "denied", Undecided = "undecided" });
names!(Reason {
    NoPolicy = "no-policy", AllowedBy = "allowed-by", IsolatedNoMatch = "isolated-no-match", AdminDeny = "admin-deny",
    BaselineDeny = "baseline-deny", OwnPod = "self", LocalNode = "local-node", HostNetwork = "host-network",
    ExternalSide = "external-side", Unspecified = "unspecified", ForeignPolicy = "foreign-policy",
    NoBackend = "no-backend", AmbiguousBackend = "ambiguous-backend", UnknownPeer = "unknown-peer",
});
names!(Tier { Admin = "admin", NetworkPolicy = "network-policy", Baseline = "baseline" });
