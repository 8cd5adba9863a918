//! Pods: when each had its addresses, and what it was like.

use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{Endpoint, EndpointKind, PodRef, Timestamp};

use super::owners::Owned;
use super::{Ended, History, SECOND_NS};
use crate::PodEntry;
use crate::objects::{ObjectKey, ObjectKind, Pod};
use crate::snapshot::{Few, Life, OPEN};

/// Versions of one pod that are remembered; then the second one is dropped.
const MAX_VERSIONS: usize = 16;

/// What is kept of a pod that is there.
#[derive(Debug, Default)]
pub(super) struct PodFacts {
    /// `None` while it has no addresses of its own.
    life: Option<Arc<Life>>,
    /// Shared by the pods of an owner.
    owned: Arc<Owned>,
    /// Shared by the pods of a node.
    told: Option<Arc<Told>>,
    /// When its containers had finished.
    finished: Option<Timestamp>,
}

/// Addresses of a node, as a pod on it tells them.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Told {
    pub(super) node: Arc<str>,
    pub(super) ips: Vec<IpAddr>,
}

impl History {
    pub(super) fn put_pod(&mut self, pod: &Pod, key: &ObjectKey, seen: Timestamp) {
        let (name, before) = self.pods.remove_entry(&pod_ref(key)).unwrap_or_else(|| {
            let name = PodRef { namespace: self.names.name(&key.namespace), name: Arc::clone(&key.name) };
            (name, PodFacts::default())
        });
        let told = told(pod).map(|(node, ips)| {
            let told = Told { node: self.names.name(node), ips };
            self.tellings.share(told)
        });
        if before.told != told {
            self.tell_node(told.as_deref(), seen);
            self.untell_node(before.told.as_deref(), seen);
        }
        let owned = Owned {
            by: pod.metadata.controller().map(|reference| self.owner(reference)),
            template_hash: pod.metadata.labels.get("pod-template-hash").map(|hash| self.names.name(hash)),
        };
        let owned = self.ownings.share(owned);
        if before.owned.by != owned.by {
            self.owners.release(key, before.owned.by.as_ref());
            self.owners.adopt(&pod_key(&name), owned.by.as_ref());
        }
        let finished = pod.finished();
        let life = self.lived(before.life, pod, &name, &owned, seen);
        self.pods.insert(name, PodFacts { life, owned, told, finished });
    }

    pub(super) fn remove_pod(&mut self, key: &ObjectKey, seen: Timestamp) {
        let Some(facts) = self.pods.remove(&pod_ref(key)) else { return };
        self.untell_node(facts.told.as_deref(), seen);
        self.owners.release(key, facts.owned.by.as_ref());
        if let Some(life) = facts.life {
            self.end_life(life, end(facts.finished, seen));
        }
    }

    /// The life of a pod after it was seen like this.
    fn lived(
        &mut self,
        life: Option<Arc<Life>>,
        pod: &Pod,
        name: &PodRef,
        owned: &Owned,
        seen: Timestamp,
    ) -> Option<Arc<Life>> {
        let mut ips: Vec<IpAddr> = pod.ips().filter(|ip| !ip.is_unspecified()).collect();
        ips.sort_unstable();
        let has_own = !pod.spec.host_network && !ips.is_empty();
        let finished = pod.finished();
        if pod.is_over() || !has_own {
            let missed = life.is_none() && has_own && finished.is_some();
            // It came and went unseen: for late packets it is still known who had the address.
            let life = life.or_else(|| missed.then(|| self.begin_life(pod, name, owned, ips, seen)));
            if let Some(life) = life {
                self.end_life(life, end(finished, seen));
            }
            return None;
        }
        let Some(mut life) = life else {
            let life = self.begin_life(pod, name, owned, ips, seen);
            self.live(&life);
            return Some(life);
        };
        if life.started != pod.started() || life.at(OPEN).is_some_and(|entry| *entry.ips != *ips) {
            self.end_life(life, seen);
            let life = self.begin_life(pod, name, owned, ips, seen);
            self.live(&life);
            return Some(life);
        }
        let entry = self.entry(pod, name, owned, ips);
        let sure_from = sure_from(pod, life.sure_from);
        let is_going = pod.metadata.deletion_timestamp.is_some();
        let is_news = life.at(OPEN) != Some(&entry);
        if is_news || sure_from != life.sure_from || is_going != life.is_going {
            let known = Arc::make_mut(&mut life);
            (known.sure_from, known.is_going) = (sure_from, is_going);
            if is_news {
                known.versions.push((seen, entry));
            }
            if known.versions.len() > MAX_VERSIONS {
                known.versions.remove(1);
            }
            self.live(&life);
        }
        Some(life)
    }

    fn begin_life(&mut self, pod: &Pod, name: &PodRef, owned: &Owned, ips: Vec<IpAddr>, seen: Timestamp) -> Arc<Life> {
        self.next_life += 1;
        let entry = self.entry(pod, name, owned, ips);
        let from = pod.started().map_or(seen, |started| started.min(seen));
        Arc::new(Life {
            id: self.next_life,
            started: pod.started(),
            is_going: pod.metadata.deletion_timestamp.is_some(),
            from,
            sure_from: sure_from(pod, seen),
            to: OPEN,
            versions: Few::One((from, entry)),
        })
    }

    fn end_life(&mut self, mut life: Arc<Life>, to: Timestamp) {
        let ended = Arc::make_mut(&mut life);
        ended.to = to.max(ended.from);
        self.live(&life);
        let Some(entry) = life.at(OPEN) else { return };
        for ip in &entry.ips {
            self.ended.push_back((to, Ended::Address((*ip).into())));
        }
        self.ended.push_back((to, Ended::Pod(entry.pod.clone())));
    }

    /// Puts a life where it is looked up.
    fn live(&mut self, life: &Arc<Life>) {
        let Some(entry) = life.at(OPEN) else { return };
        for ip in &entry.ips {
            self.index.holders.update(&(*ip).into(), |holders| holders.live(life), |_| false);
        }
        self.index.lives.update(&entry.pod, |lives| life.put_in(lives), |_| false);
        if let Some(node) = entry.node()
            && self.index.on_node.get(node).is_none_or(|pods| !pods.contains(&entry.pod))
        {
            let put = |pods: &mut Arc<std::collections::BTreeSet<PodRef>>| {
                Arc::make_mut(pods).insert(entry.pod.clone());
            };
            self.index.on_node.update(node, put, |_| false);
        }
    }

    /// What a pod is, with what is known of its node and owners now.
    fn entry(&mut self, pod: &Pod, name: &PodRef, owned: &Owned, ips: Vec<IpAddr>) -> PodEntry {
        let node = pod.spec.node_name.as_ref().map(|node| self.names.name(node));
        let labels = &pod.metadata.labels;
        let chosen = self.options.labels.iter().filter_map(|label| labels.get_key_value(&**label));
        let mut labels: Vec<Arc<str>> = chosen.map(|(key, value)| self.names.name(&format!("{key}={value}"))).collect();
        labels.sort();
        labels.dedup();
        labels.shrink_to_fit();
        let endpoint = self.placed(
            Endpoint {
                kind: EndpointKind::Pod,
                namespace: Some(Arc::clone(&name.namespace)),
                name: Some(Arc::clone(&name.name)),
                node,
                labels,
                ..Endpoint::default()
            },
            name,
            owned,
        );
        PodEntry { pod: name.clone(), ips: ips.into(), endpoint: Arc::new(endpoint) }
    }

    /// The endpoint with zone and workload as they are known now.
    fn placed(&mut self, endpoint: Endpoint, name: &PodRef, owned: &Owned) -> Endpoint {
        let workload = self.owners.workload(name, owned);
        let zone = endpoint.node.as_ref().and_then(|node| self.nodes.get(node)?.zone().cloned());
        Endpoint {
            workload_kind: Some(self.names.name(&workload.kind)),
            workload: Some(self.names.name(&workload.name)),
            zone,
            ..endpoint
        }
    }

    /// Its node or an owner is known better than before: so was the pod all the time.
    pub(super) fn amend_pod(&mut self, name: &PodRef) {
        let Some(facts) = self.pods.get_mut(name) else { return };
        let (Some(mut life), owned) = (facts.life.take(), Arc::clone(&facts.owned)) else { return };
        let mut is_news = false;
        for (_, entry) in Arc::make_mut(&mut life).versions.iter_mut() {
            let endpoint = self.placed((*entry.endpoint).clone(), name, &owned);
            if endpoint != *entry.endpoint {
                entry.endpoint = Arc::new(endpoint);
                is_news = true;
            }
        }
        if is_news {
            self.live(&life);
        }
        if let Some(facts) = self.pods.get_mut(name) {
            facts.life = Some(life);
        }
    }

    pub(super) fn forget_pod(&mut self, pod: &PodRef, before: Timestamp) {
        let nodes: Vec<Arc<str>> = self
            .index
            .lives
            .get(pod)
            .into_iter()
            .flat_map(|lives| lives.iter())
            .filter_map(|life| life.at(OPEN)?.node().cloned())
            .collect();
        self.index.lives.update(pod, |lives| lives.retain(|life| life.to >= before), Few::is_empty);
        if self.index.lives.get(pod).is_some() {
            return;
        }
        for node in nodes {
            let remove = |pods: &mut Arc<std::collections::BTreeSet<PodRef>>| {
                Arc::make_mut(pods).remove(pod);
            };
            self.index.on_node.update(&node, remove, |pods| pods.is_empty());
        }
    }
}

fn pod_ref(key: &ObjectKey) -> PodRef {
    PodRef { namespace: Arc::clone(&key.namespace), name: Arc::clone(&key.name) }
}

fn pod_key(pod: &PodRef) -> ObjectKey {
    ObjectKey { kind: ObjectKind::Pod, namespace: Arc::clone(&pod.namespace), name: Arc::clone(&pod.name) }
}

/// The API tells full seconds, so something happened up to one later than it says.
fn sure_from(pod: &Pod, seen: Timestamp) -> Timestamp {
    pod.network_since().map_or(seen, |since| since.plus_ns(SECOND_NS).min(seen))
}

fn end(finished: Option<Timestamp>, seen: Timestamp) -> Timestamp {
    finished.map_or(seen, |finished| finished.plus_ns(SECOND_NS).min(seen))
}

/// The node that a pod is on and the addresses that it says the node has.
fn told(pod: &Pod) -> Option<(&Arc<str>, Vec<IpAddr>)> {
    if pod.is_over() {
        return None;
    }
    let node = pod.spec.node_name.as_ref()?;
    let shared = pod.ips().filter(|_| pod.spec.host_network);
    let mut ips: Vec<IpAddr> =
        pod.host_ips().chain(shared).filter(|ip| !ip.is_unspecified() && !ip.is_loopback()).collect();
    ips.sort_unstable();
    ips.dedup();
    (!ips.is_empty()).then_some((node, ips))
}
