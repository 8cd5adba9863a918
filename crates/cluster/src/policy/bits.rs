//! Sets of small numbers, positions of pods, nodes or namespaces: to compute with, and to look one number up in.

/// A set as one bit for each member there could be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bits {
    words: Box<[u64]>,
    len: usize,
}

impl Bits {
    /// The empty set of members below `len`.
    pub(super) fn none(len: usize) -> Self {
        Self { words: vec![0; len.div_ceil(64)].into(), len }
    }

    /// The set of all members below `len`.
    pub(super) fn all(len: usize) -> Self {
        let mut bits = Self::none(len);
        bits.invert();
        bits
    }

    pub(super) fn insert(&mut self, member: u32) {
        if let Some(word) = self.words.get_mut(member as usize / 64) {
            *word |= 1 << (member % 64);
        }
    }

    pub(super) fn insert_all(&mut self, members: std::ops::Range<u32>) {
        let (first, last) = (members.start as usize / 64, members.end as usize / 64);
        for (index, word) in self.words.iter_mut().enumerate().take(last + 1).skip(first) {
            let from = if index == first { u64::MAX << (members.start % 64) } else { u64::MAX };
            let to = if index == last { (1 << (members.end % 64)) - 1 } else { u64::MAX };
            *word |= from & to;
        }
    }

    pub(super) fn contains(&self, member: u32) -> bool {
        self.words.get(member as usize / 64).is_some_and(|word| word >> (member % 64) & 1 == 1)
    }

    /// Turns the set into what it lacks.
    pub(super) fn invert(&mut self) {
        let full = self.len / 64;
        for (index, word) in self.words.iter_mut().enumerate() {
            let members = if index < full { u64::MAX } else { (1 << (self.len % 64)) - 1 };
            *word = !*word & members;
        }
    }

    /// Keeps only what is also in `other`.
    pub(super) fn keep(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word &= other;
        }
    }

    /// Adds what is in `other`.
    pub(super) fn add(&mut self, other: &Self) {
        for (word, other) in self.words.iter_mut().zip(&other.words) {
            *word |= other;
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    fn count(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// The members, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = u32> {
        (0u32..).zip(&self.words).flat_map(|(index, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let bit = (left != 0).then(|| left.trailing_zeros())?;
                left &= left - 1;
                Some(index * 64 + bit)
            })
        })
    }
}

/// A set to look members up in, in the smaller of two forms.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Members {
    /// Many: a bit each.
    Bits(Bits),
    /// Few: themselves, sorted.
    Sorted(Box<[u32]>),
}

impl Members {
    pub(super) fn contains(&self, member: u32) -> bool {
        match self {
            Self::Bits(bits) => bits.contains(member),
            Self::Sorted(sorted) => sorted.binary_search(&member).is_ok(),
        }
    }
}

impl Default for Members {
    fn default() -> Self {
        Self::Sorted(Box::default())
    }
}

impl From<Bits> for Members {
    fn from(bits: Bits) -> Self {
        // A member takes 32 bits by itself.
        if bits.count() * 32 < bits.len { Self::Sorted(bits.iter().collect()) } else { Self::Bits(bits) }
    }
}
