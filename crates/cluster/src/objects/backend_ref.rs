//! References of routes to what serves requests.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::field;
use super::part::Part;
use super::route_filter::RouteFilter;

/// A reference to a Service or something like one. Mirrors have neither weight nor filters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct BackendRef {
    /// The group; none or empty = core.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub group: Option<Arc<str>>,
    /// The kind; none = Service.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub kind: Option<Arc<str>>,
    /// The name.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub name: Arc<str>,
    /// The namespace; none = the route's.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub namespace: Option<Arc<str>>,
    /// The port of the Service.
    #[serde(default, deserialize_with = "field::port", skip_serializing_if = "field::is_default")]
    pub port: Option<u16>,
    /// The share among the rule's references; none = 1.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub weight: Option<u32>,
    /// What is done to requests on this way only.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub filters: Vec<Part<RouteFilter>>,
}
