//! Cut files, flipped bytes, missing files.

use std::fs::{self, OpenOptions};
use std::path::Path;

use tempfile::TempDir;
use weir_journal::{Journal, JournalError, JournalOptions, OnDamage, Position};

use crate::{SMALL, append, copy, open, positions, segments};

fn written(count: u64) -> TempDir {
    let dir = TempDir::new().expect("a folder");
    append(&mut open(dir.path()).0, count);
    dir
}

fn flip(file: &Path, offset: usize) {
    let mut bytes = fs::read(file).expect("reads");
    bytes[offset] ^= 0x10;
    fs::write(file, bytes).expect("writes");
}

/// A copy of `from` whose last segment is changed by `change`; then opened.
fn reopened(from: &TempDir, change: impl FnOnce(&Path)) -> (TempDir, Result<Vec<u64>, JournalError>) {
    let dir = TempDir::new().expect("a folder");
    copy(from.path(), dir.path());
    change(segments(dir.path()).last().expect("a segment"));
    let opened = Journal::open(dir.path(), &SMALL).map(|(mut journal, _)| {
        let kept = positions(&journal, 0);
        append(&mut journal, 3);
        assert_eq!(positions(&journal, 0).len(), kept.len() + 3, "goes on behind what was kept");
        kept
    });
    (dir, opened)
}

#[test]
fn a_last_segment_cut_at_any_byte_keeps_every_entry_before_the_cut() {
    let whole = written(12);
    let last = segments(whole.path()).last().expect("a segment").clone();
    let first_in_last: u64 = last.file_stem().and_then(|s| s.to_str()).expect("a name").parse().expect("a number");
    assert!(first_in_last > 1, "more than one segment");
    let (length, mut offset, mut ends) = (fs::metadata(&last).expect("a file").len(), 24, vec![]);
    for position in first_in_last..=12 {
        offset += 8 + crate::entry(position).len() as u64;
        ends.push((position, offset));
    }
    assert_eq!(offset, length);
    for cut in 0..length {
        let (_dir, kept) = reopened(&whole, |file| {
            OpenOptions::new().write(true).open(file).expect("opens").set_len(cut).expect("cuts");
        });
        let expected = ends.iter().rev().find(|(_, end)| *end <= cut).map_or(first_in_last - 1, |(p, _)| *p);
        assert_eq!(kept.expect("opens"), (1..=expected).collect::<Vec<_>>(), "cut at {cut}");
    }
}

#[test]
fn a_byte_flipped_anywhere_in_the_last_segment_leaves_a_prefix_or_an_error() {
    let whole = written(12);
    let length = fs::metadata(segments(whole.path()).last().expect("a segment")).expect("a file").len();
    for offset in 0..length as usize {
        match reopened(&whole, |file| flip(file, offset)).1 {
            Ok(kept) => {
                assert!(offset >= 24 && kept.len() < 12, "the flip at {offset} went unnoticed");
                assert_eq!(kept, (1..=kept.len() as u64).collect::<Vec<_>>());
            }
            Err(error) => assert!(offset < 24, "{offset}: {error}"),
        }
    }
}

#[test]
fn garbage_behind_the_last_entry_is_cut_off_and_reported() {
    let whole = written(3);
    let file = segments(whole.path()).pop().expect("a segment");
    let good = fs::metadata(&file).expect("a file").len();
    let mut bytes = fs::read(&file).expect("reads");
    bytes.extend([0; 100]);
    fs::write(&file, bytes).expect("writes");
    let (journal, recovered) = open(whole.path());
    let torn = recovered.torn.expect("reported");
    assert_eq!((torn.path, torn.offset, torn.bytes), (file, good, 100));
    assert_eq!(positions(&journal, 0), [1, 2, 3]);
    drop(journal);
    assert!(open(whole.path()).1.torn.is_none(), "cut once");
}

#[test]
fn damage_before_the_last_segment_is_an_error_that_names_the_place() {
    let whole = written(12);
    let first = segments(whole.path()).remove(0);
    for offset in 0..fs::metadata(&first).expect("a file").len() as usize {
        flip(&first, offset);
        match Journal::open(whole.path(), &SMALL) {
            Err(JournalError::Damaged { path, offset: at }) => {
                assert_eq!(path, first);
                assert!(at <= offset as u64);
            }
            other => panic!("flip at {offset}: {:?}", other.map(|_| ())),
        }
        flip(&first, offset);
    }
    assert_eq!(positions(&open(whole.path()).0, 0).len(), 12);
}

#[test]
fn missing_segments_and_checkpoints_are_noticed() {
    let whole = written(12);
    let mut files = segments(whole.path());
    assert!(files.len() > 2);
    let removed = files.remove(1);
    let kept = fs::read(&removed).expect("reads");
    fs::remove_file(&removed).expect("removes");
    assert!(matches!(Journal::open(whole.path(), &SMALL), Err(JournalError::Gap { .. })));
    fs::write(&removed, kept).expect("writes");

    let (mut journal, _) = open(whole.path());
    journal.checkpoint(Position(8), b"state").expect("checkpoint");
    drop(journal);
    let checkpoint = whole.path().join("checkpoint");
    flip(&checkpoint, 25);
    assert!(matches!(Journal::open(whole.path(), &SMALL), Err(JournalError::Damaged { .. })));
    fs::remove_file(checkpoint).expect("removes");
    assert!(matches!(Journal::open(whole.path(), &SMALL), Err(JournalError::Gap { expected: 1, .. })));
}

#[test]
fn a_half_written_checkpoint_leaves_the_old_one() {
    let whole = written(5);
    open(whole.path()).0.checkpoint(Position(2), b"old").expect("checkpoint");
    fs::write(whole.path().join("checkpoint.new"), b"WEIRC").expect("writes");
    let (mut journal, recovered) = open(whole.path());
    assert_eq!(recovered.checkpoint.map(|c| c.data), Some(b"old".to_vec()));
    journal.checkpoint(Position(5), b"new").expect("checkpoint");
}

#[test]
fn a_segment_of_a_later_version_is_refused_by_name() {
    let whole = written(3);
    let file = segments(whole.path()).pop().expect("a segment");
    let mut bytes = fs::read(&file).expect("reads");
    bytes[8] = 9;
    let crc = crc32fast::hash(&bytes[..20]).to_le_bytes();
    bytes[20..24].copy_from_slice(&crc);
    fs::write(&file, bytes).expect("writes");
    assert!(matches!(Journal::open(whole.path(), &SMALL), Err(JournalError::Version { version: 9, .. })));
}

/// The positions that are left when damage is skipped, and how many places were damaged. What is appended afterwards must
/// be there at the next start too.
fn salvaged(dir: &Path) -> (Vec<u64>, usize) {
    let skipping = JournalOptions { on_damage: OnDamage::Skip, ..SMALL };
    let (mut journal, recovered) = Journal::open(dir, &skipping).expect("opens whatever is there");
    let kept = positions(&journal, 0);
    append(&mut journal, 3);
    drop(journal);
    let again = positions(&Journal::open(dir, &skipping).expect("opens").0, 0);
    assert_eq!(again.len(), kept.len() + 3, "{again:?} behind {kept:?}");
    (kept, recovered.skipped.len() + usize::from(recovered.torn.is_some()))
}

#[test]
fn where_damage_is_skipped_all_before_it_in_its_file_and_all_other_files_stay() {
    let whole = written(12);
    let files = segments(whole.path());
    let first_of =
        |file: &Path| file.file_stem().and_then(|stem| stem.to_str()?.parse::<u64>().ok()).expect("a number");
    for (at, file) in files.iter().enumerate() {
        let first = first_of(file);
        let next = files.get(at + 1).map_or(13, |file| first_of(file));
        // Every kind of byte is hit: of heads, lengths, checksums and entries.
        for offset in (at..fs::metadata(file).expect("a file").len() as usize).step_by(7) {
            let dir = TempDir::new().expect("a folder");
            copy(whole.path(), dir.path());
            flip(&dir.path().join(file.file_name().expect("a name")), offset);
            let (kept, damaged) = salvaged(dir.path());
            assert_eq!(damaged, 1, "{file:?} at {offset}");
            let others = (1..first).chain(next..=12);
            assert!(others.clone().all(|position| kept.contains(&position)), "{file:?} at {offset}: {kept:?}");
            let of_file: Vec<u64> = kept.iter().copied().filter(|position| (first..next).contains(position)).collect();
            assert_eq!(of_file, (first..first + of_file.len() as u64).collect::<Vec<_>>(), "{file:?} at {offset}");
            assert!(first + (of_file.len() as u64) < next, "the flip at {offset} went unnoticed");
        }
    }
}

#[test]
fn where_damage_is_skipped_files_and_checkpoints_may_be_missing() {
    let whole = written(12);
    let files = segments(whole.path());
    for file in &files {
        let dir = TempDir::new().expect("a folder");
        copy(whole.path(), dir.path());
        fs::remove_file(dir.path().join(file.file_name().expect("a name"))).expect("removes");
        salvaged(dir.path());
    }
    open(whole.path()).0.checkpoint(Position(8), b"state").expect("checkpoint");
    flip(&whole.path().join("checkpoint"), 25);
    let (kept, damaged) = salvaged(whole.path());
    assert_eq!((kept.last(), damaged), (Some(&12), 1));
}
