//! HTTPRoutes (`gateway.networking.k8s.io`), as written.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::backend_ref::BackendRef;
use super::field;
use super::meta::ObjectMeta;
use super::part::{Ignored, Part};
use super::route_filter::RouteFilter;
use super::route_parent::ParentRef;

/// An HTTPRoute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct HttpRoute {
    /// Name and age.
    pub metadata: ObjectMeta,
    /// The specification.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub spec: HttpRouteSpec,
}

/// `spec` of an HTTPRoute.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HttpRouteSpec {
    /// What it attaches to.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub parent_refs: Vec<Part<ParentRef>>,
    /// Host names; none = those of the listener.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub hostnames: Vec<Part<Arc<str>>>,
    /// Rules; not said = one that matches everything.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub rules: Option<Vec<Part<HttpRule>>>,
}

/// A rule.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpRule {
    /// What it matches, any of them; none = everything.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub matches: Vec<Part<HttpMatch>>,
    /// What is done to matching requests.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub filters: Vec<Part<RouteFilter>>,
    /// Where they go.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub backend_refs: Vec<Part<BackendRef>>,
    /// Its name; says nothing about requests.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub name: Ignored,
    /// How long requests may take; not looked at, as all that follows.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub timeouts: Ignored,
    /// How often they are tried.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub retry: Ignored,
    /// Which requests belong together.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub session_persistence: Ignored,
}

/// Conditions that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpMatch {
    /// The path; none = prefix `/`.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub path: Option<HttpPathMatch>,
    /// Headers.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub headers: Vec<ValueMatch>,
    /// Parameters of the query.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub query_params: Vec<ValueMatch>,
    /// The method.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub method: Option<Arc<str>>,
}

/// A condition on the path.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HttpPathMatch {
    /// `Exact`, `PathPrefix` (where it is not said) or `RegularExpression`.
    #[serde(default, rename = "type", deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub match_type: Option<Arc<str>>,
    /// The path; none = `/`.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub value: Option<Arc<str>>,
}

/// A condition on a header or a parameter of the query.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ValueMatch {
    /// `Exact` (where it is not said) or `RegularExpression`.
    #[serde(default, rename = "type", deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub match_type: Option<Arc<str>>,
    /// The name.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub name: Arc<str>,
    /// The value.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub value: Arc<str>,
}
