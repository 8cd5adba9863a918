//! All objects that are known, in order of kind, namespace and name. No index, no reference is followed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::key::ObjectKey;
use super::kind::{Object, ObjectKind};
use super::{
    AdminNetworkPolicy, BaselineAdminNetworkPolicy, ClusterNetworkPolicy, EndpointSlice, Gateway, GatewayClass,
    GrpcRoute, HttpRoute, Ingress, IngressClass, Namespace, NetworkPolicy, Node, Pod, ReferenceGrant, Service,
    TlsRoute,
};

/// All objects that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objects {
    objects: BTreeMap<ObjectKey, Object>,
    /// Namespaces and names of Secrets.
    secrets: BTreeSet<(Arc<str>, Arc<str>)>,
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

    /// Notes that there is a Secret. What it holds is nobody's business here.
    pub fn insert_secret(&mut self, namespace: Arc<str>, name: Arc<str>) {
        self.secrets.insert((namespace, name));
    }

    /// Whether there is a Secret of this name; `None` = no Secret at all is told of, so nobody knows.
    pub fn has_secret(&self, namespace: &Arc<str>, name: &Arc<str>) -> Option<bool> {
        let is_known = !self.secrets.is_empty();
        is_known.then(|| self.secrets.contains(&(Arc::clone(namespace), Arc::clone(name))))
    }

    /// The object with this key.
    pub fn get(&self, key: &ObjectKey) -> Option<&Object> {
        self.objects.get(key)
    }

    /// Every object, by kind, namespace and name.
    pub fn iter(&self) -> impl Iterator<Item = (&ObjectKey, &Object)> {
        self.objects.iter()
    }

    /// Every policy, those of foreign kinds among them, by kind, namespace and name.
    pub fn policies(&self) -> impl Iterator<Item = (&ObjectKey, &Object)> {
        ObjectKind::ALL.iter().filter(|kind| kind.is_policy()).flat_map(|kind| self.keyed(*kind))
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
        self.keyed(kind).map(|(_, object)| object)
    }

    fn keyed(&self, kind: ObjectKind) -> impl Iterator<Item = (&ObjectKey, &Object)> {
        let first = ObjectKey { kind, namespace: Arc::from(""), name: Arc::from("") };
        self.objects.range(first..).take_while(move |(key, _)| key.kind == kind)
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
    ingresses: Ingress(Ingress), "All Ingresses, by namespace and name.";
    ingress_classes: IngressClass(IngressClass), "All IngressClasses, by name.";
    gateway_classes: GatewayClass(GatewayClass), "All GatewayClasses, by name.";
    gateways: Gateway(Gateway), "All Gateways, by namespace and name.";
    http_routes: HTTPRoute(HttpRoute), "All HTTPRoutes, by namespace and name.";
    grpc_routes: GRPCRoute(GrpcRoute), "All GRPCRoutes, by namespace and name.";
    tls_routes: TLSRoute(TlsRoute), "All TLSRoutes, by namespace and name.";
    reference_grants: ReferenceGrant(ReferenceGrant), "All ReferenceGrants, by namespace and name.";
    network_policies: NetworkPolicy(NetworkPolicy), "All `NetworkPolicies`, by namespace and name.";
    admin_network_policies: AdminNetworkPolicy(AdminNetworkPolicy), "All `AdminNetworkPolicies`, by name.";
    baseline_admin_network_policies: BaselineAdminNetworkPolicy(BaselineAdminNetworkPolicy), "All `BaselineAdminNetworkPolicies`, by name.";
    cluster_network_policies: ClusterNetworkPolicy(ClusterNetworkPolicy), "All `ClusterNetworkPolicies`, by name.";
}
