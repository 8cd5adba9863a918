//! What is wrong with the objects, by whom it may touch: faults come in, those that may change the answer to a probe
//! go out with it, so that no answer hides that a policy was left out.

use weir_cluster::manifests::{Misfit, Note, Problem, Salvage};
use weir_cluster::policy::{ConnectionVerdict, PolicyRef, PolicySet};

/// Everything that is wrong.
#[derive(Debug, Default)]
pub(super) struct Notes {
    faults: Vec<(Reach, String)>,
    /// Pods that are left out.
    pods: Vec<Misfit>,
    /// Policies whose order the API leaves open.
    unordered: Vec<(PolicyRef, PolicyRef)>,
}

/// Whose connections something may touch.
#[derive(Debug, PartialEq, Eq)]
enum Reach {
    Everybody,
    /// Pods of a namespace.
    Namespace(String),
    /// Whoever is named by an address.
    Addresses,
}

impl Notes {
    /// Sorts out what reading the objects brought up.
    pub(super) fn new(salvage: &Salvage, set: &PolicySet) -> Self {
        let mut made = Self::default();
        for note in &salvage.loaded.notes {
            if let Note::Fault(misfit) = note {
                made.faults.push((reach(misfit).unwrap_or(Reach::Everybody), note.to_string()));
            }
        }
        for problem in &salvage.problems {
            let reach = match problem {
                Problem::Field(misfit) => {
                    if misfit.object.kind == "Pod" {
                        made.pods.push(Misfit::clone(misfit));
                    }
                    reach(misfit)
                }
                _ => Some(Reach::Everybody),
            };
            made.faults.extend(reach.map(|reach| (reach, format!("left out: {problem}"))));
        }
        made.unordered = set.ambiguous().map(|(first, second)| (first.clone(), second.clone())).collect();
        made
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.faults.len() + self.unordered.len()
    }

    /// Why there is no such pod, where it is one that is left out.
    pub(super) fn left_out(&self, namespace: &str, name: &str) -> Option<&Misfit> {
        self.pods.iter().find(|misfit| misfit.object.is("Pod", namespace, name))
    }

    /// Those that may touch a connection between parties as a probe names them.
    pub(super) fn about(&self, parties: [&str; 2], said: &ConnectionVerdict<'_>) -> Vec<String> {
        let touches = |reach: &Reach| {
            parties.iter().any(|party| match (party.strip_prefix("ip:"), reach) {
                (_, Reach::Everybody) | (Some(_), _) => true,
                (None, Reach::Namespace(namespace)) => party.split_once('/').is_some_and(|(own, _)| own == namespace),
                (None, Reach::Addresses) => false,
            })
        };
        let faults = self.faults.iter().filter(|(reach, _)| touches(reach)).map(|(_, note)| note.clone());
        let decides =
            |policy: &PolicyRef| [said.egress, said.ingress].iter().any(|side| side.policies.contains(policy));
        let unordered = self.unordered.iter().filter(|(first, second)| decides(first) || decides(second));
        faults.chain(unordered.map(|(first, second)| same_priority(first, second))).collect()
    }
}

/// `A and B have the same priority; ...`.
pub(super) fn same_priority(first: &PolicyRef, second: &PolicyRef) -> String {
    format!("{first} and {second} have the same priority; {first} is taken first, a CNI may differ")
}

/// Whom an object with a fault may touch; `None` = no verdict depends on it.
fn reach(misfit: &Misfit) -> Option<Reach> {
    let object = &misfit.object;
    match &*object.kind {
        "Pod" => Some(Reach::Addresses),
        "Namespace" => Some(object.name.clone().map_or(Reach::Everybody, Reach::Namespace)),
        "Node" => Some(Reach::Everybody),
        kind if kind.to_ascii_lowercase().contains("networkpol") => Some(match (&object.namespace, kind) {
            (Some(namespace), _) if !namespace.is_empty() => Reach::Namespace(namespace.clone()),
            (_, "NetworkPolicy" | "CiliumNetworkPolicy") => Reach::Namespace("default".to_owned()),
            _ => Reach::Everybody,
        }),
        _ => None,
    }
}
