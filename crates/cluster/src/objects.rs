//! The cluster's objects, cut down to what attribution needs, in a store keyed by kind, namespace and name.
//!
//! Objects come in one by one (from manifests or from a watcher); a [`crate::Snapshot`] is built from all of them.
//! The store holds no index and never follows a reference.

mod endpoint_slice;
mod field;
mod meta;
mod node;
mod pod;
mod service;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};

pub use endpoint_slice::{AddressType, Conditions, EndpointSlice, ObjectReference, SliceEndpoint, SlicePort};
pub use field::Address;
pub use meta::{ObjectMeta, OwnerReference};
pub use node::{Namespace, Node, NodeAddress, NodeSpec, NodeStatus};
pub use pod::{Container, ContainerPort, HostIp, Phase, Pod, PodIp, PodSpec, PodStatus};
pub use service::{
    ClusterIp, LoadBalancerIngress, LoadBalancerStatus, Service, ServicePort, ServiceSpec, ServiceStatus, SpecType,
    TargetPort, TrafficPolicy,
};

/// Metadata of an object that owns pods, directly or through another. Its specification says nothing about flows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Workload {
    /// Name, labels and owners.
    pub metadata: ObjectMeta,
}

/// Declares the kinds: `Variant(Type) = group/version, scope, reader of all of them;`.
macro_rules! kinds {
    ($($kind:ident($type:ty) = $api_version:literal, $namespaced:literal;)+) => {
        /// The kinds of objects that are kept.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ObjectKind { $(
            #[doc = concat!("`", stringify!($kind), "` of `", $api_version, "`.")]
            $kind,
        )+ }

        impl ObjectKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$kind),+];

            /// The name as in `kind:`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => stringify!($kind)),+ }
            }

            /// Group and version as in `apiVersion:`.
            pub const fn api_version(self) -> &'static str {
                match self { $(Self::$kind => $api_version),+ }
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

            const fn metadata_mut(&mut self) -> &mut ObjectMeta {
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
}

impl ObjectKind {
    /// The kind called `kind` in `api_version`, where it is one that is kept.
    pub fn find(api_version: &str, kind: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|k| k.name() == kind && k.api_version() == api_version)
    }
}

/// What an object is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The kind.
    pub kind: ObjectKind,
    /// The namespace; empty for kinds without one.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.name())?;
        f.write_str(" ")?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

impl Object {
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

/// All objects that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    objects: BTreeMap<ObjectKey, Object>,
}

impl Objects {
    /// Adds an object and returns the one it takes the place of. Its namespace becomes that of [`Object::key`].
    pub fn insert(&mut self, mut object: Object) -> Option<Object> {
        let key = object.key();
        object.metadata_mut().namespace = Arc::clone(&key.namespace);
        self.objects.insert(key, object)
    }

    /// Takes an object out.
    pub fn remove(&mut self, key: &ObjectKey) -> Option<Object> {
        self.objects.remove(key)
    }

    /// Puts `objects` in the place of all objects of `kind`: what a watcher does after it listed anew. Objects of
    /// other kinds among them are added as by [`Objects::insert`].
    pub fn replace(&mut self, kind: ObjectKind, objects: impl IntoIterator<Item = Object>) {
        self.objects.retain(|key, _| key.kind != kind);
        for object in objects {
            self.insert(object);
        }
    }

    /// The object with this key.
    pub fn get(&self, key: &ObjectKey) -> Option<&Object> {
        self.objects.get(key)
    }

    /// Every object, by kind, namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Object)> {
        self.objects.iter()
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether there is no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    fn of(&self, kind: ObjectKind) -> impl Iterator<Item = &Object> {
        let first = ObjectKey { kind, namespace: Arc::from(""), name: Arc::from("") };
        self.objects.range(first..).take_while(move |(key, _)| key.kind == kind).map(|(_, object)| object)
    }
}

/// Declares the readers of one kind each.
macro_rules! readers {
    ($($reader:ident: $kind:ident($type:ty), $doc:literal;)+) => {
        impl Objects { $(
            #[doc = $doc]
            pub fn $reader(&self) -> impl Iterator<Item = &$type> {
                self.of(ObjectKind::$kind).filter_map(|object| match object {
                    Object::$kind(object) => Some(&**object),
                    _ => None,
                })
            }
        )+ }
    };
}

readers! {
    namespaces: Namespace(Namespace), "All Namespaces, by name.";
    nodes: Node(Node), "All Nodes, by name.";
    pods: Pod(Pod), "All Pods, by namespace and name.";
    services: Service(Service), "All Services, by namespace and name.";
    endpoint_slices: EndpointSlice(EndpointSlice), "All EndpointSlices, by namespace and name.";
}
