//! Where a cluster's objects come from: a folder of manifests, or an API server.
//!
//! A [`Source`] goes in, a [`Feed`] of changes comes out, with what is known of each kind and since when. Sources go on
//! whatever fails; what they read is turned into objects by a function of the caller's, so nothing here knows what an
//! object says.

#![forbid(unsafe_code)]

mod change;
mod feed;
mod kind;
mod knowledge;
pub mod kube;
pub mod manifests;
mod place;

pub use change::{Change, ObjectId};
pub use feed::{Closed, Feed, Outlet, Source, View, open};
pub use kind::{Kind, Presence};
pub use knowledge::{Counts, Knowledge, Known, State};
pub use place::{Found, NotAPlace, Place, Readers};
