//! What a source tells: that an object is there or gone, and that every object of a kind has been told.

use std::fmt;
use std::sync::Arc;

use crate::Kind;

/// What an object is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// The kind.
    pub kind: Kind,
    /// The namespace; empty for kinds without one.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

/// `Pod shop/web-1`.
impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if !self.namespace.is_empty() {
            write!(f, "{}/", self.namespace)?;
        }
        f.write_str(&self.name)
    }
}

/// One change. A receiver that keeps what is applied and drops what is deleted has the objects as they are; when it
/// took a change in is its own clock's matter.
///
/// An object that was deleted and made anew under its name is told as deleted, then as applied, also where the
/// deletion itself was missed. Versions of one object come in the order the API server made them in, none twice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change<O> {
    /// The object is there, or is now like this.
    Applied {
        /// Which.
        id: ObjectId,
        /// How it is.
        object: O,
    },
    /// The object is gone.
    Deleted {
        /// Which.
        id: ObjectId,
    },
    /// Every object of the kind has been told: what was not, is not there. Told again after each new list, and also
    /// for a kind that the API server does not have.
    Complete {
        /// The kind.
        kind: Kind,
    },
}

impl<O> Change<O> {
    /// The kind that it is about.
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Applied { id, .. } | Self::Deleted { id } => id.kind,
            Self::Complete { kind } => *kind,
        }
    }
}
