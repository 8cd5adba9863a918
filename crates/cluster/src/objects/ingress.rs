//! Ingresses and IngressClasses (`networking.k8s.io/v1`), as written: nothing is checked or defaulted here.
//!
//! Where a field that is not known might be a misspelt one whose absence means everything, it is refused.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::field;
use super::meta::ObjectMeta;
use super::part::Part;
use super::service::ServiceStatus;

/// An Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Ingress {
    /// Name, age and annotations.
    pub metadata: ObjectMeta,
    /// The specification.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub spec: IngressSpec,
    /// Where its controller is reached; written like that of a Service.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub status: ServiceStatus,
}

/// `spec` of an Ingress.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressSpec {
    /// The IngressClass.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub ingress_class_name: Option<Arc<str>>,
    /// Where requests go that no rule matches.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub default_backend: Option<Part<IngressBackend>>,
    /// Hosts with certificates.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub tls: Vec<Part<IngressTls>>,
    /// Rules.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub rules: Vec<Part<IngressRule>>,
}

/// Hosts of one certificate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IngressTls {
    /// The hosts; none = all of the Ingress.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub hosts: Vec<Arc<str>>,
    /// The Secret of the certificate; none = the controller's own.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub secret_name: Option<Arc<str>>,
}

/// Paths of one host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IngressRule {
    /// The host, `*.` first for a wildcard; none = every host.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub host: Option<Arc<str>>,
    /// The paths.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub http: IngressHttp,
}

/// `http` of a rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct IngressHttp {
    /// The paths.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub paths: Vec<Part<IngressPath>>,
}

/// One path and where it leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IngressPath {
    /// The path; none = `/`.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub path: Option<Arc<str>>,
    /// `Exact`, `Prefix` or `ImplementationSpecific`.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub path_type: Option<Arc<str>>,
    /// Where it leads.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub backend: IngressBackend,
}

/// A Service, or some other object.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct IngressBackend {
    /// The Service.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub service: Option<IngressService>,
    /// Another object; the controller knows what it means.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub resource: Option<IngressResource>,
}

/// An object that is no Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct IngressResource {
    /// Its kind.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub kind: Arc<str>,
    /// Its name.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub name: Arc<str>,
}

/// A Service of the Ingress's namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct IngressService {
    /// Its name.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub name: Arc<str>,
    /// Its port.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub port: IngressPort,
}

/// A port of a Service, by name or number.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct IngressPort {
    /// The name.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub name: Option<Arc<str>>,
    /// The number.
    #[serde(default, deserialize_with = "field::port", skip_serializing_if = "field::is_default")]
    pub number: Option<u16>,
}

/// An IngressClass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct IngressClass {
    /// Name, age and annotations.
    pub metadata: ObjectMeta,
    /// The specification.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub spec: IngressClassSpec,
}

/// `spec` of an IngressClass.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct IngressClassSpec {
    /// The controller that serves the class.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub controller: Option<Arc<str>>,
}

impl Ingress {
    /// The class it names by its field, else by the older annotation.
    pub fn class_name(&self) -> Option<&Arc<str>> {
        let annotated = || self.metadata.annotations.get("kubernetes.io/ingress.class");
        self.spec.ingress_class_name.as_ref().or_else(annotated).filter(|name| !name.is_empty())
    }
}

impl IngressClass {
    /// Whether Ingresses that name no class have this one.
    pub fn is_default(&self) -> bool {
        let annotation = self.metadata.annotations.get("ingressclass.kubernetes.io/is-default-class");
        annotation.is_some_and(|value| &**value == "true")
    }
}
