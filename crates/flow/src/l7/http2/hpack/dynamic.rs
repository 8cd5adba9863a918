//! The dynamic table of HPACK (RFC 7541, 2.3.2), of which parts may be unknown.
//!
//! Indices count from the newest entry. So after header blocks were missed, entries made since then stand where they
//! should, whatever there is behind them; what is behind them is unknown. For the same reason an entry that is kept too
//! long does no harm (a sender does not refer to what it dropped), and one that is dropped too early becomes unknown.

use std::collections::VecDeque;

use super::name::Name;

/// Most bytes that are kept, counted as RFC 7541, 4.1 counts them. What a larger table has beyond is unknown.
const MAX_BYTES: usize = 64 << 10;
/// The size that a table starts with (RFC 9113, 6.5.2).
const INITIAL_BYTES: usize = 4_096;
/// What an entry counts beside its name and value.
const ENTRY_BYTES: usize = 32;

/// A name with its length on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: Name,
    pub(super) len: usize,
}

impl Named {
    /// The name behind an index that points to what was not seen.
    pub(super) const UNKNOWN: Self = Self { name: Name::Unknown, len: 0 };
}

/// A field in the table.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) named: Named,
    /// `None` = it means nothing here, or was not seen.
    pub(super) value: Option<Box<[u8]>>,
    size: usize,
}

/// The dynamic table of one side's header blocks.
#[derive(Debug)]
pub(super) struct DynamicTable {
    /// The newest first.
    entries: VecDeque<Entry>,
    /// Sizes of all entries.
    size: usize,
    max_size: usize,
    value_bytes: usize,
}

impl DynamicTable {
    pub(super) const fn new() -> Self {
        Self { entries: VecDeque::new(), size: 0, max_size: INITIAL_BYTES, value_bytes: 0 }
    }

    /// The entry `place` places behind the newest; `None` = unknown.
    pub(super) fn entry(&self, place: usize) -> Option<&Entry> {
        self.entries.get(place)
    }

    /// A new entry.
    pub(super) fn insert(&mut self, named: Named, value: &[u8]) {
        let size = named.len + value.len() + ENTRY_BYTES;
        if size > self.max_size {
            return self.clear();
        }
        if size > MAX_BYTES {
            self.clear();
            return self.push(Entry { named: Named::UNKNOWN, value: None, size: ENTRY_BYTES });
        }
        self.evict(self.max_size.min(MAX_BYTES) - size);
        self.push(Entry { named, value: named.name.matters().then(|| value.into()), size });
    }

    /// The sender's table has this size from now on.
    pub(super) fn resize(&mut self, max_size: usize) {
        self.max_size = max_size;
        self.evict(max_size);
    }

    /// The receiver allows a table of this size. The sender is to say it when its table gets larger; should it not, it
    /// does no harm to have done so.
    pub(super) const fn allow(&mut self, max_size: usize) {
        if max_size > self.max_size {
            self.max_size = max_size;
        }
    }

    /// Entries came and went that were not seen.
    pub(super) fn lose(&mut self) {
        self.clear();
        // The size may have been set too; the larger, the less harm.
        self.max_size = self.max_size.max(MAX_BYTES);
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>() + self.value_bytes
    }

    fn push(&mut self, entry: Entry) {
        self.size += entry.size;
        self.value_bytes += entry.value.as_ref().map_or(0, |value| value.len());
        self.entries.push_front(entry);
    }

    /// Drops the oldest until no more than `bytes` are left.
    fn evict(&mut self, bytes: usize) {
        while self.size > bytes {
            let Some(oldest) = self.entries.pop_back() else { break };
            self.size -= oldest.size;
            self.value_bytes -= oldest.value.map_or(0, |value| value.len());
        }
    }

    fn clear(&mut self) {
        (self.entries, self.size, self.value_bytes) = (VecDeque::new(), 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(len: usize) -> Named {
        Named { name: Name::Path, len }
    }

    fn values(table: &DynamicTable) -> Vec<Option<&[u8]>> {
        table.entries.iter().map(|entry| entry.value.as_deref()).collect()
    }

    #[test]
    fn the_oldest_make_room_for_the_newest() {
        let mut table = DynamicTable::new();
        table.resize(100);
        for value in [&b"/0123456789"[..], b"/b", b"/c"] {
            table.insert(path(5), value);
        }
        assert_eq!(values(&table), [Some(&b"/c"[..]), Some(b"/b")]);
        table.resize(40);
        assert_eq!(values(&table), [Some(&b"/c"[..])]);
        table.insert(path(5), b"/longer");
        assert_eq!((values(&table).len(), table.size), (0, 0));
    }

    #[test]
    fn what_means_nothing_takes_its_place_and_no_more() {
        let mut table = DynamicTable::new();
        table.insert(path(5), b"/a");
        table.insert(Named { name: Name::Other, len: 13 }, b"secret");
        assert_eq!((values(&table), table.size), (vec![None, Some(&b"/a"[..])], 90));
    }

    #[test]
    fn a_value_that_is_too_long_to_keep_hides_what_is_behind_it() {
        let mut table = DynamicTable::new();
        table.insert(path(5), b"/a");
        table.allow(1 << 20);
        table.insert(path(5), &vec![b'a'; MAX_BYTES]);
        table.insert(path(5), b"/b");
        assert_eq!(values(&table), [Some(&b"/b"[..]), None]);
    }

    #[test]
    fn a_table_of_any_size_keeps_to_its_cap() {
        let mut table = DynamicTable::new();
        table.resize(usize::MAX);
        for _ in 0..10_000 {
            table.insert(path(5), &[b'a'; 100]);
            assert!(table.size <= MAX_BYTES);
        }
        table.lose();
        assert_eq!(table.memory_bytes(), 0);
    }
}
