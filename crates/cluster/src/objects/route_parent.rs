//! References of routes to what they attach to.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::field;

/// A parent of a route, most often a Gateway or one of its listeners.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ParentRef {
    /// The group; none = Gateway API.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub group: Option<Arc<str>>,
    /// The kind; none = Gateway.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub kind: Option<Arc<str>>,
    /// The namespace; none = the route's.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub namespace: Option<Arc<str>>,
    /// The name.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub name: Arc<str>,
    /// The listener's name; none = every listener.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub section_name: Option<Arc<str>>,
    /// The listener's port; none = every port.
    #[serde(default, deserialize_with = "field::port", skip_serializing_if = "field::is_default")]
    pub port: Option<u16>,
}
