//! What a cluster's objects say about flows.
//!
//! Kubernetes objects and flows come in; endpoints, Services, legs and verdicts come out. Everything here is pure: nothing
//! talks to an API server or reads a clock, and only [`manifests::load`] touches the disk.

#![forbid(unsafe_code)]

mod attribute;
pub mod backtest;
pub mod conntrack;
mod enforced;
pub mod gateways;
mod history;
pub mod join;
mod known;
pub mod manifests;
pub mod objects;
mod owners;
pub mod policy;
pub mod recommend;
mod resolved;
pub mod route;
pub mod routing;
mod snapshot;
mod timeline;
mod translations;

pub use attribute::{attribute, name_dialled};
pub use history::{History, Memory};
pub use known::Known;
pub use owners::{OwnerCandidates, settle_owners};
pub use resolved::{Resolved, ResolvedLimits};
pub use snapshot::{Backend, NamedNetwork, NamedNetworkError, PodEntry, ServiceHit, Snapshot, SnapshotOptions};
pub use timeline::Timeline;
pub use translations::{Sighting, TranslationOptions, Translations, Way, is_telling};
