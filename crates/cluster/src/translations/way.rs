//! The way of one connection's packets: as they were sent, and as they are after each translation.

use std::sync::Arc;

use weir_model::{Flow, InitiatorBy, Protocol, Timestamp, Tuple};

/// A tuple, where it was seen and when.
#[derive(Clone, Copy, Debug)]
pub struct Sighting<'a> {
    /// Addresses and ports.
    pub tuple: Tuple,
    /// The node of the tap.
    pub node: Option<&'a Arc<str>>,
    /// Its first packet, by that node's clock.
    pub from: Timestamp,
    /// Its last packet so far.
    pub until: Timestamp,
    /// It was seen to open: that was its very first packet.
    pub is_opening: bool,
}

impl<'a> Sighting<'a> {
    /// A flow at a tap of a node.
    pub fn of(flow: &Flow, node: Option<&'a Arc<str>>) -> Self {
        Self {
            tuple: flow.tuple,
            node,
            from: flow.start_ts,
            until: flow.last_ts,
            is_opening: flow.tuple.protocol == Protocol::TCP && flow.initiator_by == InitiatorBy::Syn,
        }
    }
}

/// The way of an opener's packets from node to node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// As they were sent, then as they are after each translation; the same two where nothing is rewritten.
    tuples: Vec<Tuple>,
}

impl Way {
    pub(crate) fn new(original: Tuple, translated: Tuple) -> Self {
        Self { tuples: vec![original, translated] }
    }

    pub(super) fn push(&mut self, after: Tuple) {
        self.tuples.push(after);
    }

    pub(super) fn push_front(&mut self, before: Tuple) {
        self.tuples.insert(0, before);
    }

    pub(super) fn steps(&self) -> usize {
        self.tuples.len() - 1
    }

    /// As the packets came to the first node that is known to have rewritten them.
    pub fn first(&self) -> Tuple {
        self.tuples.first().copied().expect("there are two at least")
    }

    /// As they left the last one.
    pub fn last(&self) -> Tuple {
        self.tuples.last().copied().expect("there are two at least")
    }

    /// Every tuple on it, each once.
    pub fn tuples(&self) -> impl Iterator<Item = Tuple> + '_ {
        let is_first = |(at, tuple): &(usize, &Tuple)| !self.tuples.iter().take(*at).any(|before| before == *tuple);
        self.tuples.iter().enumerate().filter(is_first).map(|(_, tuple)| *tuple)
    }

    /// Whether a tuple is on it as it stands.
    pub fn has(&self, tuple: &Tuple) -> bool {
        self.tuples.contains(tuple)
    }

    /// How much it tells: more translations more, none least.
    pub(crate) fn weight(&self) -> usize {
        if self.is_straight() { 1 } else { self.tuples.len() }
    }

    /// Whether nothing is rewritten.
    pub fn is_straight(&self) -> bool {
        self.first() == self.last()
    }
}
