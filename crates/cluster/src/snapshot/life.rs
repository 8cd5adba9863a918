//! The time that a pod had its addresses, and what it was like in it.
//!
//! The API tells seconds, and events come late, so a life's ends are known within bounds. Where two lives of one address
//! may both hold a time, that is said.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Endpoint, PodRef, Timestamp};

use super::Few;

/// A pod that has addresses of its own.
///
/// Pods of the host's network are none, nor are pods that are over or have no address yet. Where two pods claim one
/// address, the one that started later has it; a pod that lost all its addresses so is not listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodEntry {
    /// Namespace and name.
    pub pod: PodRef,
    /// Its addresses, sorted.
    pub ips: Box<[IpAddr]>,
    /// The pod as an endpoint.
    pub endpoint: Arc<Endpoint>,
}

impl PodEntry {
    /// The node it is bound to.
    pub fn node(&self) -> Option<&Arc<str>> {
        self.endpoint.node.as_ref()
    }
}

/// No end is known.
pub(crate) const OPEN: Timestamp = Timestamp(i64::MAX);

#[derive(Clone, Debug)]
pub(crate) struct Life {
    /// Tells lives apart, also those of pods of one name.
    pub(crate) id: u64,
    /// When the pod started, for telling which of two has an address.
    pub(crate) started: Option<Timestamp>,
    /// Deletion was asked for.
    pub(crate) is_going: bool,
    /// It had its addresses no earlier.
    pub(crate) from: Timestamp,
    /// It surely had them from here on.
    pub(crate) sure_from: Timestamp,
    /// It had them no longer; [`OPEN`] while it lives.
    pub(crate) to: Timestamp,
    /// What it was like from each time on, in order; the first holds from its start. Never empty.
    pub(crate) versions: Few<(Timestamp, PodEntry)>,
}

impl Life {
    /// Whether it may have had its addresses then.
    pub(crate) fn may_hold(&self, time: Timestamp) -> bool {
        self.from <= time && (time < self.to || self.to == OPEN)
    }

    /// What it was like.
    pub(crate) fn at(&self, time: Timestamp) -> Option<&PodEntry> {
        let then = self.versions.iter().rev().find(|(from, _)| *from <= time);
        then.or_else(|| self.versions.first()).map(|(_, entry)| entry)
    }

    /// Puts it in the place of what was known of it, or behind the others. Most addresses and names have one life.
    pub(crate) fn put_in(self: &Arc<Self>, lives: &mut Few<Arc<Self>>) {
        if let Some(known) = lives.iter_mut().find(|known| known.id == self.id) {
            *known = Arc::clone(self);
        } else {
            lives.push(Arc::clone(self));
        }
    }

    /// Which of two has an address that both claim: the later start, then the one that is not going away.
    pub(crate) const fn claim(&self) -> (Option<Timestamp>, bool) {
        (self.started, !self.is_going)
    }
}

/// What two pods have in common, where there is no telling which of them it is: a pod without a name.
pub(crate) fn either(lives: &[&PodEntry]) -> Arc<Endpoint> {
    let Some((first, others)) = lives.split_first() else { return Arc::default() };
    let mut common = Endpoint { name: None, ..(*first.endpoint).clone() };
    for other in others {
        let other = &other.endpoint;
        for (field, theirs) in [
            (&mut common.namespace, &other.namespace),
            (&mut common.workload_kind, &other.workload_kind),
            (&mut common.workload, &other.workload),
            (&mut common.node, &other.node),
            (&mut common.zone, &other.zone),
        ] {
            if field != theirs {
                *field = None;
            }
        }
        common.labels.retain(|label| other.labels.contains(label));
    }
    if common.namespace.is_none() || common.workload_kind.is_none() {
        // A workload's name says nothing without them.
        (common.workload, common.workload_kind) = (None, None);
    }
    Arc::new(common)
}
