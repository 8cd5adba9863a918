//! How a folder looks from outside: names, sizes, times and inodes of everything in it, as one number.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Folders within each other at most.
const MAX_DEPTH: usize = 32;
/// Entries looked at, at most; a folder with more of them is told apart by the first ones, in order of their names.
const MAX_ENTRIES: usize = 100_000;

/// How a folder looked. Two looks that differ say that something in it has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint(u64);

impl Fingerprint {
    /// Looks at a folder, or at a file. Links are followed, each folder once; names that start with a dot are passed
    /// over. What cannot be looked at counts as that.
    pub fn of(path: &Path) -> Self {
        let mut look = Look { hasher: DefaultHasher::new(), seen: BTreeSet::new(), entries: 0 };
        look.entry(path, 0);
        Self(look.hasher.finish())
    }
}

struct Look {
    hasher: DefaultHasher,
    /// Device and inode of folders.
    seen: BTreeSet<(u64, u64)>,
    entries: usize,
}

impl Look {
    fn entry(&mut self, path: &Path, depth: usize) {
        self.entries += 1;
        path.hash(&mut self.hasher);
        match fs::metadata(path) {
            Ok(metadata) if metadata.is_dir() => {
                if depth <= MAX_DEPTH && self.seen.insert((metadata.dev(), metadata.ino())) {
                    self.folder(path, depth);
                }
            }
            Ok(metadata) => file(&metadata).hash(&mut self.hasher),
            Err(error) => error.kind().hash(&mut self.hasher),
        }
    }

    fn folder(&mut self, path: &Path, depth: usize) {
        let Ok(entries) = fs::read_dir(path) else { return "unreadable".hash(&mut self.hasher) };
        let mut names: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.file_name())).collect();
        names.retain(|name| !name.as_encoded_bytes().starts_with(b"."));
        names.sort();
        for name in names {
            if self.entries >= MAX_ENTRIES {
                return;
            }
            self.entry(&path.join(name), depth + 1);
        }
    }
}

/// The inode changes with an exchanged link, the change time with whatever is written, also within one second.
fn file(metadata: &Metadata) -> impl Hash {
    (metadata.dev(), metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec(), metadata.ctime_nsec())
}
