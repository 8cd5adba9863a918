//! Labels that select the pods of one workload and no others, and that outlast its next rollout.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use weir_model::PodRef;

use crate::Snapshot;
use crate::objects::Objects;

type Labels = BTreeMap<Arc<str>, Arc<str>>;

/// Labels that name one pod or one rollout.
const PASSING: [&str; 11] = [
    "pod-template-hash",
    "controller-revision-hash",
    "pod-template-generation",
    "statefulset.kubernetes.io/pod-name",
    "apps.kubernetes.io/pod-index",
    "controller-uid",
    "job-name",
    "batch.kubernetes.io/controller-uid",
    "batch.kubernetes.io/job-name",
    "batch.kubernetes.io/job-completion-index",
    "rollouts-pod-template-hash",
];

/// Labels that change with a release: used only where it does not work without them.
const OF_RELEASES: [&str; 4] = ["app.kubernetes.io/version", "helm.sh/chart", "version", "chart"];

/// The pods of now by their workload.
pub(super) struct Workloads<'a> {
    pods: BTreeMap<(Arc<str>, Arc<str>), Vec<&'a Labels>>,
}

/// Labels for a workload.
pub(super) enum Chosen {
    /// They select its pods and no others.
    Exactly { labels: Labels, pods: usize },
    /// They select pods of others, too.
    More { labels: Labels, others: Vec<String> },
    /// It has no pods, or none with labels.
    Gone,
}

impl<'a> Workloads<'a> {
    pub(super) fn of(objects: &'a Objects, snapshot: &Snapshot) -> Self {
        let mut pods: BTreeMap<(Arc<str>, Arc<str>), Vec<&Labels>> = BTreeMap::new();
        for pod in objects.pods().filter(|pod| !pod.spec.host_network && !pod.is_over()) {
            let metadata = &pod.metadata;
            let (namespace, name) = (Arc::clone(&metadata.namespace), Arc::clone(&metadata.name));
            let Some(entry) = snapshot.pod_named(&PodRef { namespace, name }) else { continue };
            let workload = entry.endpoint.workload.as_ref().unwrap_or(&metadata.name);
            pods.entry((Arc::clone(&metadata.namespace), Arc::clone(workload))).or_default().push(&metadata.labels);
        }
        Self { pods }
    }

    /// The workloads of a namespace.
    pub(super) fn in_namespace(&self, namespace: &Arc<str>) -> impl Iterator<Item = &Arc<str>> {
        self.pods.keys().filter(move |(own, _)| own == namespace).map(|(_, name)| name)
    }

    /// The workloads that answer the cluster's DNS, known by the label that they have everywhere.
    pub(super) fn dns(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let is_dns = |labels: &&Labels| labels.get("k8s-app").is_some_and(|app| **app == *"kube-dns");
        let found = self.pods.iter().filter(|(_, pods)| pods.iter().any(is_dns));
        found.map(|(workload, _)| workload.clone()).collect()
    }

    pub(super) fn choose(&self, workload: &(Arc<str>, Arc<str>)) -> Chosen {
        let Some(pods) = self.pods.get(workload) else { return Chosen::Gone };
        let shared = shared(pods);
        let lasting: Labels = without(&shared, &OF_RELEASES);
        for labels in [&lasting, &shared] {
            if !labels.is_empty() && self.others(workload, labels).is_empty() {
                return Chosen::Exactly { labels: labels.clone(), pods: pods.len() };
            }
        }
        if shared.is_empty() {
            return Chosen::More { others: self.others(workload, &shared), labels: shared };
        }
        Chosen::More { others: self.others(workload, &lasting), labels: lasting }
    }

    /// Other workloads of the namespace with a pod that has the labels.
    fn others(&self, workload: &(Arc<str>, Arc<str>), labels: &Labels) -> Vec<String> {
        let has = |pod: &&Labels| labels.iter().all(|(key, value)| pod.get(key) == Some(value));
        let neighbours = self.pods.iter().filter(|(other, _)| other.0 == workload.0 && *other != workload);
        let found: BTreeSet<String> = neighbours
            .filter(|(_, pods)| pods.iter().any(&has))
            .map(|((namespace, name), _)| format!("{namespace}/{name}"))
            .collect();
        found.into_iter().collect()
    }
}

/// The labels that all pods have, without those of one pod or rollout.
fn shared(pods: &[&Labels]) -> Labels {
    let Some((first, rest)) = pods.split_first() else { return Labels::new() };
    let everywhere = first.iter().filter(|(key, value)| rest.iter().all(|pod| pod.get(*key) == Some(*value)));
    let shared = everywhere.map(|(key, value)| (Arc::clone(key), Arc::clone(value))).collect();
    without(&shared, &PASSING)
}

fn without(labels: &Labels, keys: &[&str]) -> Labels {
    let kept = labels.iter().filter(|(key, _)| !keys.contains(&&***key));
    kept.map(|(key, value)| (Arc::clone(key), Arc::clone(value))).collect()
}
