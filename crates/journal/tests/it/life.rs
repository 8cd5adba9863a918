//! A long life of appends, checkpoints and reopenings, against a plain list.

use proptest::prelude::*;
use tempfile::TempDir;
use weir_journal::{Journal, JournalOptions, Position};

#[derive(Clone, Debug)]
enum Step {
    Append(Vec<u8>),
    Sync,
    Checkpoint(u8),
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(any::<u8>(), 0..60).prop_map(Step::Append),
        1 => Just(Step::Sync),
        1 => any::<u8>().prop_map(Step::Checkpoint),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn behaves_like_a_list_with_a_mark(steps in prop::collection::vec(step(), 1..60), segment_bytes in 30_u64..300) {
        let dir = TempDir::new().expect("a folder");
        let options = JournalOptions { segment_bytes, max_bytes: 1 << 20, ..JournalOptions::default() };
        let (mut journal, _) = Journal::open(dir.path(), &options).expect("opens");
        let (mut list, mut mark): (Vec<Vec<u8>>, usize) = (Vec::new(), 0);
        for step in steps {
            match step {
                Step::Append(bytes) => {
                    list.push(bytes);
                    let position = journal.append(list.last().expect("pushed")).expect("appends");
                    prop_assert_eq!(position.0 as usize, list.len());
                }
                Step::Sync => prop_assert_eq!(journal.sync().expect("syncs").0 as usize, list.len()),
                Step::Checkpoint(at) => {
                    mark += (list.len() - mark) * at as usize / 255;
                    journal.checkpoint(Position(mark as u64), &mark.to_le_bytes()).expect("checkpoints");
                }
                Step::Reopen => {
                    drop(journal);
                    let (opened, recovered) = Journal::open(dir.path(), &options).expect("opens");
                    journal = opened;
                    prop_assert!(recovered.torn.is_none());
                    let kept = recovered.checkpoint.map_or(0, |checkpoint| checkpoint.position.0 as usize);
                    prop_assert_eq!(kept, mark);
                }
            }
            prop_assert_eq!(journal.last().0 as usize, list.len());
            let read: Vec<_> = journal.entries_after(Position(mark as u64)).map(|e| e.expect("reads").1).collect();
            prop_assert_eq!(&read[..], &list[mark..]);
            let half = usize::midpoint(mark, list.len());
            let first = journal.entries_after(Position(half as u64)).next().map(|e| e.expect("reads"));
            prop_assert_eq!(first.as_ref().map(|(p, bytes)| (p.0 as usize, bytes)), list.get(half).map(|b| (half + 1, b)));
        }
    }
}

#[test]
fn positions_go_on_when_every_segment_is_gone() {
    let dir = TempDir::new().expect("a folder");
    let (mut journal, _) = crate::open(dir.path());
    crate::append(&mut journal, 9);
    journal.checkpoint(Position(9), b"").expect("checkpoints");
    drop(journal);
    for file in crate::segments(dir.path()) {
        std::fs::remove_file(file).expect("removes");
    }
    let (mut journal, _) = crate::open(dir.path());
    assert_eq!(journal.last(), Position(9));
    assert_eq!(journal.append(b"x").expect("appends"), Position(10));
}

#[test]
fn reading_begins_near_the_position_asked_for() {
    let dir = TempDir::new().expect("a folder");
    let options = JournalOptions { segment_bytes: 8 << 20, max_bytes: 64 << 20, ..JournalOptions::default() };
    let (mut journal, _) = Journal::open(dir.path(), &options).expect("opens");
    for at in 0..400_u32 {
        journal.append(&vec![at as u8; 10_000]).expect("appends");
    }
    for after in [0, 1, 6, 7, 8, 199, 398, 399, 400, 9_999, u64::MAX] {
        let first = journal.entries_after(Position(after)).next().map(|e| e.expect("reads"));
        let expected = (after < 400).then(|| (Position(after + 1), vec![after as u8; 10_000]));
        assert!(first == expected, "after {after}");
    }
}
