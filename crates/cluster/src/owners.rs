//! Whose veth an interface is, from what was seen there: the pod whose address every flow shares.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use weir_model::{Flow, PodRef, Tuple};

use crate::{PodEntry, Snapshot};

/// The pods that one interface may belong to, narrowed flow by flow.
#[derive(Clone, Debug, Default)]
pub struct OwnerCandidates {
    pods: Option<BTreeSet<PodRef>>,
}

impl OwnerCandidates {
    /// Keeps only pods (of `node`, where it is known) that take part in the flow. Flows between addresses that mean something on one link
    /// only (neighbour discovery, multicast) say nothing.
    pub fn narrow(&mut self, flow: &Flow, snapshot: &Snapshot, node: Option<&str>) {
        let Tuple { src_ip, dst_ip, .. } = flow.tuple;
        if is_link_scoped(src_ip) || is_link_scoped(dst_ip) {
            return;
        }
        let here = |pod: &&PodEntry| node.is_none_or(|node| pod.node().is_some_and(|own| **own == *node));
        let local = |ip| snapshot.pod(ip).filter(here).map(|pod| pod.pod.clone());
        let sharing: BTreeSet<PodRef> = [src_ip, dst_ip].into_iter().filter_map(local).collect();
        match &mut self.pods {
            Some(pods) => pods.retain(|pod| sharing.contains(pod)),
            None => self.pods = Some(sharing),
        }
    }
}

/// Whether an address means something on one link only: many links have it, and it names nobody.
pub(crate) fn is_link_scoped(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_multicast() || v4.is_broadcast() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.is_multicast() || v6.is_unspecified(),
    }
}

/// Settles who is who: an interface with one candidate has it, and since a pod has one veth it is taken from the
/// others. Interfaces with none or several left stay unknown.
pub fn settle_owners(mut interfaces: BTreeMap<String, OwnerCandidates>) -> BTreeMap<String, PodRef> {
    let mut settled = BTreeMap::new();
    while let Some((interface, pod)) = interfaces.iter().find_map(|(interface, candidates)| {
        let pods = candidates.pods.as_ref()?;
        (pods.len() == 1).then(|| pods.first().map(|pod| (interface.clone(), pod.clone()))).flatten()
    }) {
        interfaces.remove(&interface);
        for candidates in interfaces.values_mut() {
            if let Some(pods) = &mut candidates.pods {
                pods.remove(&pod);
            }
        }
        settled.insert(interface, pod);
    }
    settled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str) -> PodRef {
        PodRef { namespace: "shop".into(), name: name.into() }
    }

    fn candidates(names: &[&str]) -> OwnerCandidates {
        OwnerCandidates { pods: Some(names.iter().map(|name| pod(name)).collect()) }
    }

    #[test]
    fn a_pod_that_is_settled_is_no_candidate_elsewhere() {
        let settled = settle_owners(BTreeMap::from([
            ("veth-client".to_owned(), candidates(&["client"])),
            ("veth-web".to_owned(), candidates(&["client", "web"])),
            ("veth-quiet".to_owned(), OwnerCandidates::default()),
        ]));
        assert_eq!(settled.get("veth-web"), Some(&pod("web")));
        assert_eq!(settled.len(), 2);
    }

    #[test]
    fn two_pods_that_only_talk_to_each_other_stay_unknown() {
        let settled = settle_owners(BTreeMap::from([
            ("a".to_owned(), candidates(&["client", "web"])),
            ("b".to_owned(), candidates(&["client", "web"])),
        ]));
        assert!(settled.is_empty());
    }
}
