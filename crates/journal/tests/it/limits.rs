//! Sizes, locks and wrong calls.

use tempfile::TempDir;
use weir_journal::{Journal, JournalError, JournalOptions, Position};

#[test]
fn a_full_journal_refuses_entries_until_a_checkpoint_makes_room() {
    let dir = TempDir::new().expect("a folder");
    let options = JournalOptions { segment_bytes: 200, max_bytes: 600, ..JournalOptions::default() };
    let (mut journal, _) = Journal::open(dir.path(), &options).expect("opens");
    while let Ok(position) = journal.append(&[7; 60]) {
        assert!(position.0 < 100);
        assert!(journal.bytes() <= options.max_bytes);
    }
    assert!(matches!(journal.append(&[7; 60]), Err(JournalError::Full { max_bytes: 600 })));
    let last = journal.sync().expect("still works");
    journal.checkpoint(last, b"").expect("checkpoints");
    assert_eq!(journal.append(&[7; 60]).expect("room again"), Position(last.0 + 1));
}

#[test]
fn one_segment_as_large_as_the_journal_is_replaced_when_it_is_covered() {
    let dir = TempDir::new().expect("a folder");
    let options = JournalOptions { segment_bytes: 1 << 20, max_bytes: 300, ..JournalOptions::default() };
    let (mut journal, _) = Journal::open(dir.path(), &options).expect("opens");
    for _ in 0..20 {
        let position = journal.append(&[1; 200]).expect("room");
        assert!(matches!(journal.append(&[1; 200]), Err(JournalError::Full { .. })));
        journal.checkpoint(position, b"").expect("checkpoints");
    }
}

#[test]
fn an_entry_larger_than_the_journal_is_refused_without_harm() {
    let dir = TempDir::new().expect("a folder");
    let options = JournalOptions { segment_bytes: 200, max_bytes: 600, ..JournalOptions::default() };
    let (mut journal, _) = Journal::open(dir.path(), &options).expect("opens");
    assert!(matches!(journal.append(&[0; 601]), Err(JournalError::TooLarge { bytes: 601 })));
    assert_eq!(journal.append(&[]).expect("empty entries are entries"), Position(1));
}

#[test]
fn a_journal_has_one_owner() {
    let dir = TempDir::new().expect("a folder");
    let (journal, _) = crate::open(dir.path());
    assert!(matches!(Journal::open(dir.path(), &crate::SMALL), Err(JournalError::Locked(_))));
    drop(journal);
    crate::open(dir.path());
}

#[test]
fn a_checkpoint_never_goes_back_or_ahead_of_what_was_written() {
    let dir = TempDir::new().expect("a folder");
    let (mut journal, _) = crate::open(dir.path());
    crate::append(&mut journal, 4);
    journal.checkpoint(Position(3), b"").expect("checkpoints");
    for bad in [0, 2, 5] {
        assert!(matches!(journal.checkpoint(Position(bad), b""), Err(JournalError::BadCheckpoint { .. })), "{bad}");
    }
    assert_eq!(journal.checkpointed(), Position(3));
}

#[test]
fn after_a_failed_write_nothing_more_is_accepted() {
    let dir = TempDir::new().expect("a folder");
    let (mut journal, _) = crate::open(dir.path());
    crate::append(&mut journal, 1);
    // The next segment's name is taken, so beginning it fails.
    for next in 2..40 {
        std::fs::create_dir(dir.path().join(format!("{next:020}.seg"))).expect("a folder in the way");
    }
    let error = (0..40).find_map(|_| journal.append(&[1; 50]).err()).expect("a segment fills");
    assert!(matches!(error, JournalError::Io { action: "create", .. }), "{error}");
    assert!(matches!(journal.append(b"x"), Err(JournalError::Poisoned)));
    assert!(matches!(journal.sync(), Err(JournalError::Poisoned)));
}

#[test]
fn a_checkpoint_at_the_end_of_the_oldest_file_makes_room_for_new_entries() {
    let dir = TempDir::new().expect("a folder");
    let options = JournalOptions { segment_bytes: 200, max_bytes: 600, ..JournalOptions::default() };
    let (mut journal, _) = Journal::open(dir.path(), &options).expect("opens");
    let mut oldest = Position(1);
    for _ in 0..100 {
        if let Err(JournalError::Full { .. }) = journal.append(&[7; 60]) {
            let end = journal.segment_end(oldest);
            assert!(end >= oldest && end < journal.last(), "one file of several");
            journal.checkpoint(end, b"").expect("checkpoints");
            oldest = Position(end.0 + 1);
            journal.append(&[7; 60]).expect("room again");
        }
    }
    assert!(oldest > Position(50), "it went round");
    assert_eq!(journal.segment_end(journal.last()), journal.last());
    assert_eq!(journal.segment_end(Position(u64::MAX)), journal.last());
}
