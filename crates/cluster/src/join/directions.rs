//! Whether the taps of a node miss what is sent to pods: some CNIs hand packets to a pod past the host end of its veth, all
//! of them or those between pods of one node.

use std::collections::HashMap;
use std::sync::Arc;

/// Legs, by the directions they saw.
#[derive(Clone, Copy, Debug, Default)]
struct Legs {
    /// One alone, though that one acknowledged the other.
    half: u32,
    whole: u32,
}

/// For each leg that was seen whole.
const TIMES: u32 = 10;

/// Key: a node, and whether both pods are on it. Cap: [`MAX_NODES`], then a node that is new is not noted.
#[derive(Debug, Default)]
pub(super) struct Directions {
    legs: HashMap<Option<Arc<str>>, [Legs; 2]>,
}

const MAX_NODES: usize = 10_000;

impl Directions {
    /// A leg of a pod on the node, between two of its pods or not, was seen in both directions, or in one though there was
    /// another.
    pub(super) fn learn(&mut self, node: Option<&Arc<str>>, is_local: bool, is_half: bool) {
        let node = node.cloned();
        if self.legs.len() >= MAX_NODES && !self.legs.contains_key(&node) {
            return;
        }
        let [remote, local] = self.legs.entry(node).or_default();
        let legs = if is_local { local } else { remote };
        let count = if is_half { &mut legs.half } else { &mut legs.whole };
        *count = count.saturating_add(1);
    }

    /// Whether such legs are seen in one direction only. Where none was seen of pods of one node, as those of others are, and
    /// the other way about.
    pub(super) fn is_one_way(&self, node: Option<&Arc<str>>, is_local: bool) -> bool {
        self.legs.get(&node.cloned()).is_some_and(|[remote, local]| {
            let (legs, others) = if is_local { (local, remote) } else { (remote, local) };
            let legs = if legs.half + legs.whole > 0 { legs } else { others };
            legs.half > 0 && legs.half >= legs.whole.saturating_mul(TIMES)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether legs of `node-a` with pods of other nodes, and between its own, are one-way after so many legs (remote, local)
    /// that were seen in half and whole.
    fn is_one_way(half: [u32; 2], whole: [u32; 2]) -> [bool; 2] {
        let node: Arc<str> = "node-a".into();
        let mut directions = Directions::default();
        for (at, is_local) in [(0, false), (1, true)] {
            (0..half[at]).for_each(|_| directions.learn(Some(&node), is_local, true));
            (0..whole[at]).for_each(|_| directions.learn(Some(&node), is_local, false));
        }
        assert!(!directions.is_one_way(Some(&"node-b".into()), false), "of a node that nothing is known of");
        [false, true].map(|is_local| directions.is_one_way(Some(&node), is_local))
    }

    #[test]
    fn a_cni_may_pass_all_taps_by_or_those_of_one_node() {
        assert_eq!(is_one_way([0, 0], [3, 3]), [false, false]);
        assert_eq!(is_one_way([0, 2], [9, 0]), [false, true]);
        assert_eq!(is_one_way([2, 0], [0, 0]), [true, true], "nothing speaks for another way within the node");
    }

    #[test]
    fn what_a_tap_joined_half_way_is_no_rule() {
        assert_eq!(is_one_way([0, 2], [0, 1]), [false, false]);
        assert_eq!(is_one_way([0, 20], [1, 2]), [false, true]);
    }
}
