//! Labels that the pods of gateways have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Serves;
use crate::objects::{ObjectMeta, Objects};

/// The label that a Gateway's pods and Services carry its name in (GEP-1762).
const GATEWAY_NAME: &str = "gateway.networking.k8s.io/gateway-name";

/// A label of a controller's pods, and how the controller calls itself in an IngressClass.
struct Controller {
    key: &'static str,
    value: &'static str,
    class_of: &'static str,
}

const fn named(value: &'static str, class_of: &'static str) -> Controller {
    Controller { key: "app.kubernetes.io/name", value, class_of }
}

/// As their own manifests and charts label them.
const CONTROLLERS: [Controller; 9] = [
    named("ingress-nginx", "k8s.io/ingress-nginx"),
    named("nginx-ingress", "nginx.org/ingress-controller"),
    named("traefik", "traefik.io/ingress-controller"),
    named("haproxy-ingress", "haproxy-ingress.github.io/controller"),
    named("kubernetes-ingress", "haproxy.org/ingress-controller"),
    named("kong", "ingress-controllers.konghq.com/kong"),
    named("emissary-ingress", "getambassador.io/ingress-controller"),
    Controller { key: "istio", value: "ingressgateway", class_of: "istio.io/ingress-controller" },
    Controller { key: "app", value: "envoy", class_of: "projectcontour.io/" },
];

/// Components beside the proxy that share its name.
const OTHER_COMPONENTS: [&str; 4] = ["admission-webhook", "default-backend", "webhook", "certgen"];

/// What labels say in one cluster.
pub(super) struct WellKnown<'a> {
    objects: &'a Objects,
    gateways: BTreeSet<(Arc<str>, Arc<str>)>,
}

impl<'a> WellKnown<'a> {
    pub(super) fn new(objects: &'a Objects) -> Self {
        let name = |metadata: &ObjectMeta| (Arc::clone(&metadata.namespace), Arc::clone(&metadata.name));
        Self { objects, gateways: objects.gateways().map(|gateway| name(&gateway.metadata)).collect() }
    }

    /// What the pods of a known controller serve: Ingresses of the classes that name the controller.
    pub(super) fn controller(&self, labels: &BTreeMap<Arc<str>, Arc<str>>) -> Option<Serves> {
        let component = labels.get("app.kubernetes.io/component");
        if component.is_some_and(|component| OTHER_COMPONENTS.contains(&&**component)) {
            return None;
        }
        let is_of = |known: &&Controller| labels.get(known.key).is_some_and(|value| &**value == known.value);
        let known = CONTROLLERS.iter().find(is_of)?;
        let classes = self.objects.ingress_classes().filter(|class| {
            class.spec.controller.as_ref().is_some_and(|controller| controller.starts_with(known.class_of))
        });
        let classes = classes.map(|class| Arc::clone(&class.metadata.name)).collect();
        Some(Serves { ingresses: true, classes, ..Serves::default() })
    }

    /// The Gateway whose name an object carries, where there is one in its namespace.
    pub(super) fn gateway_of(&self, metadata: &ObjectMeta) -> Option<Serves> {
        let name = (Arc::clone(&metadata.namespace), Arc::clone(metadata.labels.get(GATEWAY_NAME)?));
        self.gateways.contains(&name).then(|| Serves { gateways: [name].into(), ..Serves::default() })
    }
}
