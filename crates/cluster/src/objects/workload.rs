//! Objects that own pods. What they specify says nothing about flows.

use serde::{Deserialize, Serialize};

use super::meta::ObjectMeta;

/// Metadata of an object that owns pods, directly or through another. Its specification says nothing about flows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Workload {
    /// Name, labels and owners.
    pub metadata: ObjectMeta,
}
