//! Who has which labels: selectors in, sets of positions out.
//!
//! Built once for all pods, all namespaces and all nodes; a selector then costs a few words for each 64 of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::HashMap;
use super::bits::Bits;
use crate::objects::{LabelSelector, Requirement, TextTest};

/// Labels, and the positions of those who have them.
#[derive(Debug, Default)]
pub(super) struct LabelIndex {
    keys: HashMap<Arc<str>, Holders>,
    len: usize,
}

/// Who has a label, in order: with whatever value, and with each.
#[derive(Debug, Default)]
struct Holders {
    all: Vec<u32>,
    values: HashMap<Arc<str>, Vec<u32>>,
}

impl LabelIndex {
    /// Indexes the labels of each position.
    pub(super) fn build<'a>(labels: impl Iterator<Item = &'a BTreeMap<Arc<str>, Arc<str>>>) -> Self {
        let mut index = Self::default();
        for labels in labels {
            let position = index.len as u32;
            index.len += 1;
            for (key, value) in labels {
                if !index.keys.contains_key(key) {
                    index.keys.insert(Arc::clone(key), Holders::default());
                }
                let Some(holders) = index.keys.get_mut(key) else { continue };
                holders.all.push(position);
                match holders.values.get_mut(value) {
                    Some(positions) => positions.push(position),
                    None => drop(holders.values.insert(Arc::clone(value), vec![position])),
                }
            }
        }
        index
    }

    /// Those whose labels a selector matches.
    pub(super) fn select(&self, selector: &LabelSelector) -> Bits {
        let mut selected = Bits::all(self.len);
        for requirement in &selector.requirements {
            selected.keep(&self.meets(requirement));
        }
        selected
    }

    /// Those whose value of a label looks like something.
    pub(super) fn looks_like(&self, key: &str, test: &TextTest) -> Bits {
        let mut bits = Bits::none(self.len);
        let values = self.keys.get(key).into_iter().flat_map(|holders| &holders.values);
        let positions = values.filter(|(value, _)| test.holds(value)).flat_map(|(_, positions)| positions);
        positions.for_each(|position| bits.insert(*position));
        bits
    }

    /// Those that meet one requirement.
    pub(super) fn meets(&self, requirement: &Requirement) -> Bits {
        let (key, values, is_inverted) = match requirement {
            Requirement::In(key, values) => (key, Some(values), false),
            Requirement::NotIn(key, values) => (key, Some(values), true),
            Requirement::Exists(key) => (key, None, false),
            Requirement::DoesNotExist(key) => (key, None, true),
        };
        let mut bits = Bits::none(self.len);
        if let Some(holders) = self.keys.get(key) {
            match values {
                None => holders.all.iter().for_each(|position| bits.insert(*position)),
                Some(values) => values
                    .iter()
                    .filter_map(|value| holders.values.get(value))
                    .flatten()
                    .for_each(|position| bits.insert(*position)),
            }
        }
        if is_inverted {
            bits.invert();
        }
        bits
    }
}
