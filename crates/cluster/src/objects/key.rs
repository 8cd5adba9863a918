//! What objects are found by.

use std::fmt;
use std::sync::Arc;

use super::kind::ObjectKind;

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

impl ObjectKey {
    /// The key of an object of `kind` in `api_version`, where that is a kind that is kept.
    pub fn find(api_version: &str, kind: &str, namespace: &Arc<str>, name: &Arc<str>) -> Option<Self> {
        let kind = ObjectKind::find(api_version, kind)?;
        Some(Self { kind, namespace: Arc::clone(namespace), name: Arc::clone(name) })
    }
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
