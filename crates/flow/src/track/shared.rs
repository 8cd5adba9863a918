//! Values that many flows share and few kinds exist of, kept once: flows hold a 16-bit number and the table counts them.
//!
//! Number 0 is the default value and costs nothing. With 65,535 other values in use at once, further ones become the
//! default: the flow loses that detail, never a packet.

use std::hash::Hash;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use weir_model::Icmp;

/// A table of shared values.
pub(super) struct Shared<T> {
    values: Vec<(T, u32)>,
    free: Vec<u16>,
    numbers: HashMap<T, u16, RandomState>,
}

impl<T: Copy + Default + Eq + Hash> Shared<T> {
    pub(super) fn new() -> Self {
        Self { values: vec![(T::default(), 0)], free: Vec::new(), numbers: HashMap::default() }
    }

    /// The number of `value`, held until it is released.
    pub(super) fn hold(&mut self, value: T) -> u16 {
        if value == T::default() {
            return 0;
        }
        if let Some(number) = self.numbers.get(&value).copied() {
            if let Some((_, holders)) = self.values.get_mut(usize::from(number)) {
                *holders += 1;
            }
            return number;
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
        self.numbers.insert(value, number);
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
                self.numbers.remove(value);
                self.free.push(number);
            }
        }
    }

    /// The value of a number.
    pub(super) fn value(&self, number: u16) -> T {
        self.values.get(usize::from(number)).map_or_else(T::default, |(value, _)| *value)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.values.capacity() * size_of::<(T, u32)>() + self.free.capacity() * 2 + self.numbers.allocation_size()
    }
}

/// The kinds of ICMP messages of one flow in order of appearance; the first eight are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct IcmpKinds {
    kinds: [Option<Icmp>; 8],
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
