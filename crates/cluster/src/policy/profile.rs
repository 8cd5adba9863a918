//! Which policies have a say about a pod in one direction, in their order. Pods with the same ones share it.

use std::sync::Arc;

use super::compiled::{Compiled, Side, Stage};
use super::{HashMap, PolicyRef};

#[derive(Debug, Default)]
pub(super) struct Profile {
    /// Positions of the policies of the admin tier.
    pub(super) admin: Box<[u32]>,
    /// Positions of the `NetworkPolicies`.
    pub(super) isolating: Box<[u32]>,
    /// Their names.
    pub(super) isolated_by: Box<[PolicyRef]>,
    /// Positions of the policies of the baseline tier.
    pub(super) baseline: Box<[u32]>,
    /// The names of policies of foreign kinds.
    pub(super) foreign: Box<[PolicyRef]>,
}

/// The profiles of all pods in one direction.
#[derive(Debug, Default)]
pub(super) struct Profiles {
    profiles: Vec<Profile>,
    of_pods: Vec<u32>,
}

impl Profiles {
    /// Sorts out which of the policies, which are in their order, have a say about which of `pods` pods.
    pub(super) fn build(policies: &[Arc<Compiled>], pods: usize, side: impl Fn(&Compiled) -> Option<&Side>) -> Self {
        let mut lists: Vec<Vec<u32>> = vec![Vec::new(); pods];
        for (position, policy) in (0..).zip(policies) {
            for pod in side(policy).iter().flat_map(|side| side.subjects.iter()) {
                if let Some(list) = lists.get_mut(pod as usize) {
                    list.push(position);
                }
            }
        }
        let mut profiles = Vec::new();
        let mut known: HashMap<Vec<u32>, u32> = HashMap::default();
        let of_pods = lists.into_iter().map(|list| {
            if let Some(profile) = known.get(&list) {
                return *profile;
            }
            profiles.push(Profile::of(&list, policies));
            let position = (profiles.len() - 1) as u32;
            known.insert(list, position);
            position
        });
        let of_pods = of_pods.collect();
        Self { profiles, of_pods }
    }

    pub(super) fn of(&self, pod: u32) -> Option<&Profile> {
        self.profiles.get(*self.of_pods.get(pod as usize)? as usize)
    }
}

impl Profile {
    fn of(list: &[u32], policies: &[Arc<Compiled>]) -> Self {
        let stage = |wanted: fn(Stage) -> bool| {
            let policies = list.iter().filter_map(|position| Some((*position, policies.get(*position as usize)?)));
            policies.filter(move |(_, policy)| wanted(policy.stage))
        };
        let positions = |wanted| stage(wanted).map(|(position, _)| position).collect();
        let names = |wanted| stage(wanted).map(|(_, policy)| policy.name.clone()).collect();
        Self {
            admin: positions(|stage| matches!(stage, Stage::Admin(_))),
            isolating: positions(|stage| stage == Stage::NetworkPolicy),
            isolated_by: names(|stage| stage == Stage::NetworkPolicy),
            baseline: positions(|stage| matches!(stage, Stage::Baseline(_))),
            foreign: names(|stage| stage == Stage::Foreign),
        }
    }
}
