//! The links of the node and whose each is: what the kernel and the cluster say in, a name for each tap out.
//!
//! Knows no socket and opens nothing. A pod that one veth has is not given to another, so that a new pod under an old
//! address is not taken for the one before it, which the cluster may still list.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use weir_cluster::Snapshot;
use weir_model::{PodRef, Tap, Timestamp};

use crate::live::{Capture, TapId};
use crate::taps::netns::{Link, Owner, Sight, decide};

/// How long a pod and its address stay with a veth that is gone. After that a new veth may be the same pod's.
const LINGER: Duration = Duration::from_secs(10);

/// Pairs of pod and address that are remembered of veths that are gone; the oldest is forgotten first.
const MAX_GONE: usize = 4_096;

/// A link as it stands.
pub(super) struct Entry {
    pub(super) link: Link,
    /// What was seen behind it; `None` = not looked at yet.
    pub(super) sight: Option<Sight>,
    /// Whose it is, by what was known last.
    pub(super) pod: Option<PodRef>,
    pub(super) tap: TapState,
}

/// What is done with a link.
pub(super) enum TapState {
    /// Nothing yet: it is not up, or not wanted.
    None,
    /// Its frames wait in the kernel until it is known whether they are wanted.
    Held(Box<Capture>, Timestamp),
    /// It is watched as this tap.
    Open(TapId, Arc<Tap>, Timestamp),
    /// It is nobody's that is to be watched.
    Left,
}

/// All links.
#[derive(Default)]
pub(super) struct Roster {
    pub(super) links: BTreeMap<u32, Entry>,
    gone: Vec<Gone>,
}

/// A pod that had an address on a veth that is gone.
struct Gone {
    pod: PodRef,
    ip: IpAddr,
    until: Instant,
}

impl Roster {
    /// Takes in a link as it is now.
    pub(super) fn put(&mut self, link: Link) {
        if let Some(entry) = self.links.get_mut(&link.index) {
            entry.link = link;
        } else {
            self.links.insert(link.index, Entry { link, sight: None, pod: None, tap: TapState::None });
        }
    }

    /// Takes out a link that is gone.
    pub(super) fn remove(&mut self, index: u32, now: Instant) -> Option<Entry> {
        let entry = self.links.remove(&index)?;
        self.gone.retain(|gone| gone.until > now);
        if let (Some(pod), Some(sight)) = (&entry.pod, &entry.sight) {
            let until = now + LINGER;
            self.gone.extend(sight.addresses().map(|ip| Gone { pod: pod.clone(), ip, until }));
            self.gone.drain(..self.gone.len().saturating_sub(MAX_GONE));
        }
        Some(entry)
    }

    /// Whose a link is; `None` where nobody has looked at it.
    pub(super) fn owner(&self, index: u32, snapshot: &Snapshot, node: &str, now: Instant) -> Option<Owner> {
        let entry = self.links.get(&index)?;
        let is_free = |pod: &PodRef, ip: IpAddr| self.is_free(&entry.link, pod, ip, now);
        Some(decide(entry.sight.as_ref()?, snapshot, node, is_free))
    }

    /// Links whose pod should be known and is not.
    pub(super) fn unnamed(&self) -> Vec<u32> {
        let is_one = |entry: &&Entry| entry.pod.is_none() && entry.link.peer.is_some();
        let watched = self
            .links
            .values()
            .filter(is_one)
            .filter(|entry| matches!(entry.tap, TapState::Held(..) | TapState::Open(..)));
        watched.map(|entry| entry.link.index).collect()
    }

    /// Whether no other veth has, or had until now, this pod with this address. Two veths into one namespace are one
    /// pod's.
    fn is_free(&self, link: &Link, pod: &PodRef, ip: IpAddr, now: Instant) -> bool {
        let has_it = |entry: &Entry| {
            entry.pod.as_ref() == Some(pod)
                && entry.link.peer != link.peer
                && entry.sight.as_ref().is_some_and(|sight| sight.addresses().any(|other| other == ip))
        };
        !self.links.values().any(|entry| entry.link.index != link.index && has_it(entry))
            && !self.gone.iter().any(|gone| gone.until > now && gone.ip == ip && gone.pod == *pod)
    }
}

#[cfg(test)]
mod tests {
    use weir_cluster::{SnapshotOptions, manifests};

    use super::*;

    const IP: &str = "10.1.0.7";

    fn snapshot(pod: &str) -> Snapshot {
        let text = format!(
            "{{apiVersion: v1, kind: Pod, metadata: {{name: {pod}, namespace: shop}}, spec: {{nodeName: node-a}},
              status: {{phase: Running, podIP: {IP}}}}}"
        );
        let loaded = manifests::parse(&text, "pod.yaml").expect("valid");
        Snapshot::build(&loaded.objects, &SnapshotOptions::default())
    }

    /// A veth with the address behind it, as it is first seen.
    fn veth(roster: &mut Roster, index: u32, peer: i32) {
        roster.put(Link { index, name: format!("veth{index}").into(), is_up: true, peer: Some(peer) });
        let inside = vec![IP.parse().expect("an address")];
        let sight = Sight::Veth { inside, routed: vec![], leads_out: false, sees_inside: true };
        roster.links.get_mut(&index).expect("put in").sight = Some(sight);
    }

    fn name(roster: &mut Roster, index: u32, pod: &str, now: Instant) -> Option<String> {
        let owner = roster.owner(index, &snapshot(pod), "node-a", now);
        let Some(Owner::Pod(pod)) = owner else { return None };
        roster.links.get_mut(&index).expect("there").pod = Some(pod.clone());
        Some(pod.name.to_string())
    }

    #[test]
    fn a_new_veth_under_an_old_address_is_not_the_pod_before_it() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        veth(&mut roster, 1, 0);
        assert_eq!(name(&mut roster, 1, "old", now).as_deref(), Some("old"));
        veth(&mut roster, 2, 1);
        assert_eq!(name(&mut roster, 2, "old", now), None, "the old veth is still there");
        roster.remove(1, now);
        assert_eq!(name(&mut roster, 2, "old", now), None, "the cluster has not told of the new pod yet");
        assert_eq!(name(&mut roster, 2, "new", now).as_deref(), Some("new"));
    }

    #[test]
    fn a_veth_that_is_made_anew_for_the_same_pod_is_named_after_a_while() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        veth(&mut roster, 1, 0);
        name(&mut roster, 1, "web", now);
        roster.remove(1, now);
        veth(&mut roster, 2, 0);
        assert_eq!(name(&mut roster, 2, "web", now), None);
        assert_eq!(name(&mut roster, 2, "web", now + LINGER).as_deref(), Some("web"));
    }

    #[test]
    fn two_veths_into_one_namespace_are_one_pods() {
        let (mut roster, now) = (Roster::default(), Instant::now());
        veth(&mut roster, 1, 0);
        veth(&mut roster, 2, 0);
        assert_eq!(name(&mut roster, 1, "web", now).as_deref(), Some("web"));
        assert_eq!(name(&mut roster, 2, "web", now).as_deref(), Some("web"));
        assert_eq!(roster.unnamed(), [0_u32; 0], "nothing is tapped here");
    }
}
