//! Values that many flows share and few kinds exist of, kept once: flows hold a 16-bit number and the table counts them.
//!
//! Number 0 is the default value and costs nothing. With 65,535 other values in use at once, further ones become the
//! default: the flow loses that detail, never a packet.

use std::hash::{BuildHasher, Hash};

use foldhash::fast::RandomState;
use weir_model::Icmp;

use super::index::Index;

/// A table of shared values.
pub(super) struct Shared<T> {
    /// Each with how many hold it.
    values: Vec<(T, u32)>,
    free: Vec<u16>,
    index: Index,
    hasher: RandomState,
}

impl<T: Copy + Default + Eq + Hash> Shared<T> {
    pub(super) fn new() -> Self {
        Self {
            values: vec![(T::default(), 0)],
            free: Vec::new(),
            index: Index::default(),
            hasher: RandomState::default(),
        }
    }

    /// The number of `value`, held until it is released.
    pub(super) fn hold(&mut self, value: T) -> u16 {
        if value == T::default() {
            return 0;
        }
        let hash = self.hasher.hash_one(value);
        if let Some(number) = self.index.find(hash, |number| self.value(number as u16) == value) {
            if let Some((_, holders)) = self.values.get_mut(number as usize) {
                *holders += 1;
            }
            return number as u16;
        }
        let number = match self.free.pop() {
            Some(number) => number,
            None if self.values.len() > usize::from(u16::MAX) => return 0,
            None => {
                self.values.push((value, 0));
                (self.values.len() - 1) as u16
            }
        };
        if let Some(place) = self.values.get_mut(usize::from(number)) {
            *place = (value, 1);
        }
        let (values, hasher) = (&self.values, &self.hasher);
        let hash_of =
            |number: u32| hasher.hash_one(values.get(number as usize).map_or_else(T::default, |(value, _)| *value));
        let others = (1..values.len() as u32).filter(|other| {
            *other != u32::from(number) && values.get(*other as usize).is_some_and(|(_, holders)| *holders > 0)
        });
        self.index.insert(hash, u32::from(number), hash_of, others);
        number
    }

    /// Gives a number back.
    pub(super) fn release(&mut self, number: u16) {
        if number == 0 {
            return;
        }
        if let Some((value, holders)) = self.values.get_mut(usize::from(number)) {
            *holders = holders.saturating_sub(1);
            if *holders == 0 {
                self.index.remove(self.hasher.hash_one(*value), u32::from(number));
                self.free.push(number);
            }
        }
    }

    /// The value of a number.
    pub(super) fn value(&self, number: u16) -> T {
        self.values.get(usize::from(number)).map_or_else(T::default, |(value, _)| *value)
    }

    /// Bytes that one more value may take: of a longer list beside the old one, of the index.
    pub(super) fn growth_bytes(&self) -> usize {
        if !self.free.is_empty() {
            return 0;
        }
        let is_full = self.values.len() == self.values.capacity();
        let values = if is_full { self.values.capacity() * size_of::<(T, u32)>() * 2 } else { 0 };
        values + self.index.growth_bytes()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.values.capacity() * size_of::<(T, u32)>() + self.free.capacity() * 2 + self.index.memory_bytes()
    }
}

/// The kinds of ICMP messages of one flow in order of appearance; the first sixteen are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct IcmpKinds {
    kinds: [Option<Icmp>; 16],
}

impl IcmpKinds {
    pub(super) fn iter(&self) -> impl Iterator<Item = Icmp> {
        self.kinds.into_iter().flatten()
    }

    pub(super) fn contains(&self, icmp: Icmp) -> bool {
        self.kinds.contains(&Some(icmp))
    }

    /// With `icmp` added at the end, if there is room.
    pub(super) fn with(mut self, icmp: Icmp) -> Self {
        if let Some(free) = self.kinds.iter_mut().find(|kind| kind.is_none()) {
            *free = Some(icmp);
        }
        self
    }
}
