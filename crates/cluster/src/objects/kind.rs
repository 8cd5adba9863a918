//! The kinds of objects, declared once: name, versions, scope, and the type that each is read into.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::draft::Fault;
use super::key::ObjectKey;
use super::{
    AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy, EndpointSlice, ForeignPolicy, Gateway,
    GatewayClass, GrpcRoute, HttpRoute, Ingress, IngressClass, Namespace, NetworkPolicy, Node, ObjectMeta, Pod,
    ReferenceGrant, Service, TlsRoute, Workload,
};

/// The name of a kind: that of its variant, unless it has another one.
macro_rules! name_of {
    ($kind:ident) => {
        stringify!($kind)
    };
    ($kind:ident $name:literal) => {
        $name
    };
}

/// Declares the kinds: `Variant(Type) = group/version | others of the same shape, scope, name where it is not the
/// variant's;`.
macro_rules! kinds {
    ($($kind:ident($type:ty) = $api_version:literal $(| $older:literal)*, $namespaced:literal $(, $name:literal)?;)+) => {
        /// The kinds of objects that are kept.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ObjectKind { $(
            #[doc = concat!("`", name_of!($kind $($name)?), "` of `", $api_version, "`.")]
            $kind,
        )+ }

        impl ObjectKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// The name as in `kind:`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => name_of!($kind $($name)?)),+ }
            }

            /// Group and version as in `apiVersion:`.
            pub const fn api_version(self) -> &'static str {
                match self { $(Self::$kind => $api_version),+ }
            }

            /// Groups and versions whose objects are read alike, the one of [`ObjectKind::api_version`] first.
            pub const fn api_versions(self) -> &'static [&'static str] {
                match self { $(Self::$kind => &[$api_version $(, $older)*]),+ }
            }

            /// Whether objects of this kind live in a namespace.
            pub const fn is_namespaced(self) -> bool {
                match self { $(Self::$kind => $namespaced),+ }
            }

            /// Reads one object of this kind; unknown fields are passed over.
            pub fn read<'de, D: Deserializer<'de>>(self, from: D) -> Result<Object, D::Error> {
                match self { $(Self::$kind => <$type>::deserialize(from).map(|object| Object::$kind(Box::new(object)))),+ }
            }
        }

        /// One object.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Object { $(
            #[doc = concat!("A `", stringify!($kind), "`.")]
            $kind(Box<$type>),
        )+ }

        impl Object {
            /// The kind.
            pub const fn kind(&self) -> ObjectKind {
                match self { $(Self::$kind(_) => ObjectKind::$kind),+ }
            }

            /// Namespace, name, labels and owners.
            pub const fn metadata(&self) -> &ObjectMeta {
                match self { $(Self::$kind(object) => &object.metadata),+ }
            }

            /// Writes version and kind, then the fields of the object.
            fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                let (api_version, kind) = (self.kind().api_version(), self.kind().name());
                match self { $(Self::$kind(object) => Written { api_version, kind, object }.serialize(to)),+ }
            }

            pub(super) const fn metadata_mut(&mut self) -> &mut ObjectMeta {
                match self { $(Self::$kind(object) => &mut object.metadata),+ }
            }
        }
    };
}

kinds! {
    Namespace(Namespace) = "v1", false;
    Node(Node) = "v1", false;
    Pod(Pod) = "v1", true;
    ReplicaSet(Workload) = "apps/v1", true;
    Deployment(Workload) = "apps/v1", true;
    StatefulSet(Workload) = "apps/v1", true;
    DaemonSet(Workload) = "apps/v1", true;
    Job(Workload) = "batch/v1", true;
    CronJob(Workload) = "batch/v1", true;
    Service(Service) = "v1", true;
    EndpointSlice(EndpointSlice) = "discovery.k8s.io/v1", true;
    Ingress(Ingress) = "networking.k8s.io/v1", true;
    IngressClass(IngressClass) = "networking.k8s.io/v1" | "networking.k8s.io/v1beta1", false;
    GatewayClass(GatewayClass) = "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1beta1" | "gateway.networking.k8s.io/v1alpha2", false;
    Gateway(Gateway) = "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1beta1" | "gateway.networking.k8s.io/v1alpha2", true;
    HTTPRoute(HttpRoute) = "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1beta1" | "gateway.networking.k8s.io/v1alpha2", true;
    GRPCRoute(GrpcRoute) = "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1alpha2", true;
    TLSRoute(TlsRoute) = "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1alpha3"
        | "gateway.networking.k8s.io/v1alpha2", true;
    ReferenceGrant(ReferenceGrant) = "gateway.networking.k8s.io/v1" | "gateway.networking.k8s.io/v1beta1"
        | "gateway.networking.k8s.io/v1alpha2", true;
    NetworkPolicy(NetworkPolicy) = "networking.k8s.io/v1", true;
    AdminNetworkPolicy(AdminNetworkPolicy) = "policy.networking.k8s.io/v1alpha1", false;
    BaselineAdminNetworkPolicy(BaselineAdminNetworkPolicy) = "policy.networking.k8s.io/v1alpha1", false;
    ClusterNetworkPolicy(ClusterNetworkPolicy) = "policy.networking.k8s.io/v1alpha2", false;
    CalicoNetworkPolicy(ForeignPolicy) = "projectcalico.org/v3", true, "NetworkPolicy";
    CalicoGlobalNetworkPolicy(ForeignPolicy) = "projectcalico.org/v3", false, "GlobalNetworkPolicy";
    CalicoStoredNetworkPolicy(ForeignPolicy) = "crd.projectcalico.org/v1", true, "NetworkPolicy";
    CalicoStoredGlobalNetworkPolicy(ForeignPolicy) = "crd.projectcalico.org/v1", false, "GlobalNetworkPolicy";
    CiliumNetworkPolicy(ForeignPolicy) = "cilium.io/v2", true;
    CiliumClusterwideNetworkPolicy(ForeignPolicy) = "cilium.io/v2", false;
    AntreaNetworkPolicy(ForeignPolicy) = "crd.antrea.io/v1beta1", true, "NetworkPolicy";
    AntreaClusterNetworkPolicy(ForeignPolicy) = "crd.antrea.io/v1beta1", false, "ClusterNetworkPolicy";
    AntreaAlphaNetworkPolicy(ForeignPolicy) = "crd.antrea.io/v1alpha1", true, "NetworkPolicy";
    AntreaAlphaClusterNetworkPolicy(ForeignPolicy) = "crd.antrea.io/v1alpha1", false, "ClusterNetworkPolicy";
}

/// An object as it is written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a, O> {
    api_version: &'static str,
    kind: &'static str,
    #[serde(flatten)]
    object: &'a O,
}

/// As a manifest of what is kept: read again it is the same object.
impl Serialize for Object {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.write(to)
    }
}

impl ObjectKind {
    /// Whether its objects say which connections may be opened.
    pub const fn is_policy(self) -> bool {
        matches!(
            self,
            Self::NetworkPolicy
                | Self::AdminNetworkPolicy
                | Self::BaselineAdminNetworkPolicy
                | Self::ClusterNetworkPolicy
                | Self::CalicoNetworkPolicy
                | Self::CalicoGlobalNetworkPolicy
                | Self::CalicoStoredNetworkPolicy
                | Self::CalicoStoredGlobalNetworkPolicy
                | Self::CiliumNetworkPolicy
                | Self::CiliumClusterwideNetworkPolicy
                | Self::AntreaNetworkPolicy
                | Self::AntreaClusterNetworkPolicy
                | Self::AntreaAlphaNetworkPolicy
                | Self::AntreaAlphaClusterNetworkPolicy
        )
    }

    /// The kind called `kind` in `api_version`, where it is one that is kept.
    pub fn find(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|k| k.name() == kind && k.api_versions().contains(&api_version))
    }

    /// Whether objects of this kind only say where requests go. One that cannot be read is left out, not a failure:
    /// it says nothing about who has an address.
    pub const fn is_routing(self) -> bool {
        use ObjectKind::{
            GRPCRoute, Gateway, GatewayClass, HTTPRoute, Ingress, IngressClass, ReferenceGrant, TLSRoute,
        };
        matches!(
            self,
            Ingress | IngressClass | GatewayClass | Gateway | HTTPRoute | GRPCRoute | TLSRoute | ReferenceGrant
        )
    }

    /// Reads one object of this kind from its JSON text.
    pub fn read_json(self, text: &str) -> Result<Object, serde_json::Error> {
        self.read(&mut serde_json::Deserializer::from_str(text))
    }
}

impl Object {
    /// One line of JSON that [`ObjectKind::read_json`] reads as the same object. The same object always gives the same text.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("every key is a text, and nothing in an object refuses to be written")
    }

    /// What is wrong with it and has no effect. Only policies can be read in spite of faults.
    pub fn faults(&self) -> &[Fault] {
        match self {
            Self::NetworkPolicy(policy) => &policy.faults,
            Self::AdminNetworkPolicy(policy) => &policy.faults,
            Self::BaselineAdminNetworkPolicy(policy) => &policy.faults,
            Self::ClusterNetworkPolicy(policy) => &policy.faults,
            _ => &[],
        }
    }

    /// The policy, where it is one of a kind that only some CNI knows.
    pub fn foreign_policy(&self) -> Option<&ForeignPolicy> {
        match self {
            Self::CalicoNetworkPolicy(policy)
            | Self::CalicoGlobalNetworkPolicy(policy)
            | Self::CalicoStoredNetworkPolicy(policy)
            | Self::CalicoStoredGlobalNetworkPolicy(policy)
            | Self::CiliumNetworkPolicy(policy)
            | Self::CiliumClusterwideNetworkPolicy(policy)
            | Self::AntreaNetworkPolicy(policy)
            | Self::AntreaClusterNetworkPolicy(policy)
            | Self::AntreaAlphaNetworkPolicy(policy)
            | Self::AntreaAlphaClusterNetworkPolicy(policy) => Some(policy),
            _ => None,
        }
    }

    /// The key. An object of a namespaced kind that names no namespace is in `default`, as for `kubectl`.
    pub fn key(&self) -> ObjectKey {
        let (kind, metadata) = (self.kind(), self.metadata());
        let namespace = match (kind.is_namespaced(), &*metadata.namespace) {
            (false, _) => Arc::from(""),
            (true, "") => Arc::from("default"),
            (true, _) => Arc::clone(&metadata.namespace),
        };
        ObjectKey { kind, namespace, name: Arc::clone(&metadata.name) }
    }
}
