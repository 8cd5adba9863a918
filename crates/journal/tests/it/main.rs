//! The journal from outside: crashes, damage, limits, and a long life against a plain list.

mod damage;
mod kill;
mod life;
mod limits;

use std::fs;
use std::path::{Path, PathBuf};

use weir_journal::{Journal, JournalError, JournalOptions, OnDamage, Position, Recovered};

const SMALL: JournalOptions = JournalOptions { segment_bytes: 120, max_bytes: 1 << 20, on_damage: OnDamage::Refuse };

fn open(dir: &Path) -> (Journal, Recovered) {
    Journal::open(dir, &SMALL).expect("opens")
}

/// Entry `position` of every test: its content follows from its position.
fn entry(position: u64) -> Vec<u8> {
    (0..position * 7 % 50).map(|at| (at * 31 + position) as u8).collect()
}

fn append(journal: &mut Journal, count: u64) {
    for _ in 0..count {
        let next = journal.last().0 + 1;
        assert_eq!(journal.append(&entry(next)).expect("appends"), Position(next));
    }
    assert_eq!(journal.sync().expect("syncs"), journal.last());
}

fn positions(journal: &Journal, after: u64) -> Vec<u64> {
    let read = |item: Result<(Position, Vec<u8>), JournalError>| {
        let (position, bytes) = item.expect("reads");
        assert_eq!(bytes, entry(position.0), "entry {}", position.0);
        position.0
    };
    journal.entries_after(Position(after)).map(read).collect()
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = dir.read_dir().expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "seg"));
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    for file in from.read_dir().expect("a folder") {
        let file = file.expect("an entry");
        fs::copy(file.path(), to.join(file.file_name())).expect("copies");
    }
}
