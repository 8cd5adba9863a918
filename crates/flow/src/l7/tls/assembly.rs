//! Bytes that come in pieces, in any order and more than once. Pieces come in, what stands without a hole at the start
//! goes out; both the bytes and the number of holes are bounded.

use std::ops::Range;

/// The most bytes that are kept; what is beyond them is dropped.
pub(in crate::l7) const MAX_BYTES: usize = 64 << 10;
/// The most ranges with holes between them.
const MAX_RANGES: usize = 64;

/// The pieces so far.
#[derive(Debug, Default)]
pub(in crate::l7) struct Assembly {
    bytes: Vec<u8>,
    /// What of the bytes came: sorted, none touches another.
    seen: Vec<Range<usize>>,
}

impl Assembly {
    /// Adds the piece at `start`; false = nothing of it is new, or there is no room for it.
    pub(in crate::l7) fn put(&mut self, start: usize, piece: &[u8]) -> bool {
        let piece = piece.get(..MAX_BYTES.saturating_sub(start)).unwrap_or(piece);
        let end = start.saturating_add(piece.len());
        if piece.is_empty() || self.seen.iter().any(|range| range.start <= start && end <= range.end) {
            return false;
        }
        let first = self.seen.partition_point(|range| range.end < start);
        let behind = self.seen.partition_point(|range| range.start <= end);
        let touched = self.seen.get(first..behind).unwrap_or_default();
        if touched.is_empty() && self.seen.len() == MAX_RANGES {
            return false;
        }
        let merged = touched.iter().fold(start..end, |all, range| all.start.min(range.start)..all.end.max(range.end));
        self.seen.splice(first..behind, [merged]);
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        if let Some(place) = self.bytes.get_mut(start..end) {
            place.copy_from_slice(piece);
        }
        true
    }

    /// What is there without a hole from the start on.
    pub(in crate::l7) fn prefix(&self) -> &[u8] {
        let first = self.seen.first().filter(|range| range.start == 0);
        first.and_then(|range| self.bytes.get(range.clone())).unwrap_or_default()
    }

    /// Bytes of memory that it holds beside its own size.
    pub(in crate::l7) const fn memory_bytes(&self) -> usize {
        self.bytes.capacity() + self.seen.capacity() * size_of::<Range<usize>>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pieces_beyond_the_bounds_are_dropped() {
        let mut assembly = Assembly::default();
        assert!(!assembly.put(MAX_BYTES, b"x"));
        assert!(!assembly.put(usize::MAX, b"x"));
        assert!(assembly.put(MAX_BYTES - 1, b"xy"));
        for at in 0..1_000 {
            assembly.put(1 + at * 2, b"x");
        }
        assert_eq!(assembly.seen.len(), MAX_RANGES);
        assert!(assembly.put(0, &vec![b'y'; MAX_BYTES]));
        assert_eq!(assembly.prefix(), vec![b'y'; MAX_BYTES]);
    }

    proptest! {
        #[test]
        fn any_order_of_pieces_gives_the_whole(cuts in prop::collection::vec((0usize..300, 1usize..40), 0..60)) {
            let whole: Vec<u8> = (0..=255).cycle().take(300).collect();
            let mut assembly = Assembly::default();
            let mut has = vec![false; whole.len()];
            for (start, len) in cuts {
                let end = whole.len().min(start + len);
                let is_new = has[start..end].contains(&false);
                prop_assert_eq!(assembly.put(start, &whole[start..end]), is_new);
                has[start..end].fill(true);
                let prefix = has.iter().take_while(|has| **has).count();
                prop_assert_eq!(assembly.prefix(), &whole[..prefix]);
            }
        }
    }
}
