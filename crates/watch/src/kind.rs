//! The kinds that can be watched, with what the API calls them in paths. Secrets are none of them.

use std::fmt;

/// A kind of objects. The API server is asked for nothing but these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind {
    api_version: &'static str,
    name: &'static str,
    plural: &'static str,
    presence: Presence,
}

/// Whether every API server has a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Presence {
    /// Part of Kubernetes: where it is missing, something is wrong.
    Always,
    /// Installed with a custom resource definition: missing is normal, and it may appear later.
    Optional,
}

const TABLE: &[Kind] = &[
    always("v1", "Namespace", "namespaces"),
    always("v1", "Node", "nodes"),
    always("v1", "Pod", "pods"),
    always("v1", "Service", "services"),
    always("apps/v1", "ReplicaSet", "replicasets"),
    always("apps/v1", "Deployment", "deployments"),
    always("apps/v1", "StatefulSet", "statefulsets"),
    always("apps/v1", "DaemonSet", "daemonsets"),
    always("batch/v1", "Job", "jobs"),
    always("batch/v1", "CronJob", "cronjobs"),
    always("discovery.k8s.io/v1", "EndpointSlice", "endpointslices"),
    always("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    always("networking.k8s.io/v1", "Ingress", "ingresses"),
    always("networking.k8s.io/v1", "IngressClass", "ingressclasses"),
    optional("policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy", "adminnetworkpolicies"),
    optional("policy.networking.k8s.io/v1alpha1", "BaselineAdminNetworkPolicy", "baselineadminnetworkpolicies"),
    optional("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy", "clusternetworkpolicies"),
    optional("projectcalico.org/v3", "NetworkPolicy", "networkpolicies"),
    optional("projectcalico.org/v3", "GlobalNetworkPolicy", "globalnetworkpolicies"),
    optional("crd.projectcalico.org/v1", "NetworkPolicy", "networkpolicies"),
    optional("crd.projectcalico.org/v1", "GlobalNetworkPolicy", "globalnetworkpolicies"),
    optional("cilium.io/v2", "CiliumNetworkPolicy", "ciliumnetworkpolicies"),
    optional("cilium.io/v2", "CiliumClusterwideNetworkPolicy", "ciliumclusterwidenetworkpolicies"),
    optional("crd.antrea.io/v1beta1", "NetworkPolicy", "networkpolicies"),
    optional("crd.antrea.io/v1beta1", "ClusterNetworkPolicy", "clusternetworkpolicies"),
    optional("crd.antrea.io/v1alpha1", "NetworkPolicy", "networkpolicies"),
    optional("crd.antrea.io/v1alpha1", "ClusterNetworkPolicy", "clusternetworkpolicies"),
    optional("gateway.networking.k8s.io/v1", "GatewayClass", "gatewayclasses"),
    optional("gateway.networking.k8s.io/v1", "Gateway", "gateways"),
    optional("gateway.networking.k8s.io/v1", "HTTPRoute", "httproutes"),
    optional("gateway.networking.k8s.io/v1", "GRPCRoute", "grpcroutes"),
    optional("gateway.networking.k8s.io/v1alpha2", "TLSRoute", "tlsroutes"),
    optional("gateway.networking.k8s.io/v1beta1", "ReferenceGrant", "referencegrants"),
];

const fn always(api_version: &'static str, name: &'static str, plural: &'static str) -> Kind {
    Kind { api_version, name, plural, presence: Presence::Always }
}

const fn optional(api_version: &'static str, name: &'static str, plural: &'static str) -> Kind {
    Kind { api_version, name, plural, presence: Presence::Optional }
}

impl Kind {
    /// Every kind that can be watched.
    pub const ALL: &'static [Self] = TABLE;

    /// The kind called `name` in `api_version`, where it is one that can be watched.
    pub fn find(api_version: &str, name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name == name && kind.api_version == api_version)
    }

    /// Group and version as in `apiVersion:`, `apps/v1`.
    pub const fn api_version(self) -> &'static str {
        self.api_version
    }

    /// The name as in `kind:`, `ReplicaSet`.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The name in paths and roles, `replicasets`.
    pub const fn plural(self) -> &'static str {
        self.plural
    }

    /// Whether every API server has it.
    pub const fn presence(self) -> Presence {
        self.presence
    }

    /// The group as in roles, `apps`; empty for the core.
    pub fn group(self) -> &'static str {
        self.api_version.split_once('/').map_or("", |(group, _)| group)
    }

    /// Where the objects of all namespaces are, `/apis/apps/v1/replicasets`.
    pub(crate) fn path(self) -> String {
        let root = if self.group().is_empty() { "api" } else { "apis" };
        format!("/{root}/{}/{}", self.api_version, self.plural)
    }
}

/// As in `kind:`.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_core_and_of_groups_differ() {
        let path = |api_version, name| Kind::find(api_version, name).map(Kind::path);
        assert_eq!(path("v1", "Pod").as_deref(), Some("/api/v1/pods"));
        assert_eq!(path("apps/v1", "ReplicaSet").as_deref(), Some("/apis/apps/v1/replicasets"));
        assert_eq!(path("v1", "ReplicaSet"), None);
    }

    #[test]
    fn nothing_secret_can_be_asked_for() {
        let secret = |kind: &&Kind| ["secrets", "configmaps", "serviceaccounts"].contains(&kind.plural);
        assert_eq!(Kind::ALL.iter().find(secret), None);
    }
}
