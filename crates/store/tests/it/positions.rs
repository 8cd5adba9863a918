//! Journal positions: what a restart replays is stored once.

use tempfile::TempDir;
use weir_store::{Rows, StoreError, TablePositions};

use crate::{ask, expected, flow, flows, lake, limits, loss, numbers, totals};

#[tokio::test]
async fn rows_are_seen_at_once_and_once() {
    let dir = TempDir::new().expect("a folder");
    let lake = lake(dir.path()).await;
    for position in 1..=4_u64 {
        lake.put(position, &flows(position * 5 - 4..=position * 5));
        assert_eq!(totals(&lake).await, expected(position as i64 * 5));
        if position % 2 == 0 {
            lake.commit(position - 1).await.expect("commits");
            assert_eq!(totals(&lake).await, expected(position as i64 * 5));
            assert_eq!(lake.positions().flows, position - 1);
        }
    }
    assert_eq!(lake.tail_rows(), 5);
}

#[tokio::test]
async fn the_same_position_again_replaces_its_rows() {
    let dir = TempDir::new().expect("a folder");
    let lake = lake(dir.path()).await;
    lake.put(1, &flows(100..110));
    lake.put(1, &flows(1..=3));
    assert_eq!((totals(&lake).await, lake.tail_rows()), (expected(3), 3));
    lake.put(1, &Rows::default());
    assert_eq!((totals(&lake).await, lake.tail_rows()), (expected(0), 0));
}

#[tokio::test]
async fn a_replay_after_a_restart_writes_only_what_is_missing() {
    let dir = TempDir::new().expect("a folder");
    let first = lake(dir.path()).await;
    for position in 1..=3 {
        first.put(position, &flows(position..=position));
    }
    first.commit(2).await.expect("commits");
    drop(first);

    let second = lake(dir.path()).await;
    assert_eq!(second.positions(), TablePositions { flows: 2, ..TablePositions::default() });
    for position in 1..=4 {
        second.put(position, &flows(position..=position));
        assert_eq!(totals(&second).await, expected(position.max(2) as i64));
    }
    second.commit(4).await.expect("commits");
    assert_eq!(totals(&second).await, expected(4));
    drop(second);
    assert_eq!(totals(&lake(dir.path()).await).await, expected(4));
}

#[tokio::test]
async fn a_crash_between_two_tables_leaves_each_row_once() {
    let dir = TempDir::new().expect("a folder");
    let rows = |position: u64| Rows { flows: vec![flow(position)], losses: vec![loss(position)], ..Rows::default() };
    let first = lake(dir.path()).await;
    (1..=2).for_each(|position| first.put(position, &rows(position)));
    first.commit(1).await.expect("commits");
    drop(first);
    // The second commit reached `flows` only: the other table's folder is as it was before.
    let losses = dir.path().join("losses");
    let before = TempDir::new().expect("a folder");
    copy(&losses, before.path());
    let second = lake(dir.path()).await;
    second.put(2, &rows(2));
    second.commit(2).await.expect("commits");
    drop(second);
    std::fs::remove_dir_all(&losses).expect("removes");
    copy(before.path(), &losses);

    let third = lake(dir.path()).await;
    assert_eq!(third.positions(), TablePositions { flows: 2, losses: 1, ..TablePositions::default() });
    (1..=3).for_each(|position| third.put(position, &rows(position)));
    let report = third.commit(3).await.expect("commits");
    assert_eq!(report.rows, 1 + 2, "one flow and two losses were missing");
    assert_eq!(totals(&third).await, expected(3));
    assert_eq!(numbers(&third, "select count(*), sum(rows) from losses").await, [3, 6]);
}

#[tokio::test]
async fn a_table_without_rows_does_not_hold_the_journal_back() {
    let dir = TempDir::new().expect("a folder");
    let lake = lake(dir.path()).await;
    lake.put(5, &flows(1..=3));
    assert_eq!(lake.positions().min(), 0);
    lake.commit(9).await.expect("commits");
    assert_eq!(
        lake.positions(),
        TablePositions { flows: 9, requests: 9, latency: 9, losses: 9, coverage: 9, objects: 9 }
    );
    let size = lake.size().expect("lists");
    let versions: Vec<_> = size.tables.iter().map(|table| (table.name, table.version, table.rows)).collect();
    let empty = ["requests", "latency", "losses", "coverage", "objects"].map(|name| (name, 0, 0));
    assert_eq!(versions, [[("flows", 1, 3)].as_slice(), &empty].concat());
    assert_eq!((size.files(), size.rows()), (1, 3));
    assert!(size.bytes() > 0);
}

#[tokio::test]
async fn a_second_writer_is_noticed_and_nothing_is_doubled() {
    let dir = TempDir::new().expect("a folder");
    let (one, two) = (lake(dir.path()).await, lake(dir.path()).await);
    for lake in [&one, &two] {
        lake.put(1, &flows(1..=2));
    }
    one.commit(1).await.expect("commits");
    assert!(matches!(two.commit(1).await, Err(StoreError::Table { table: "flows", .. })));
    assert_eq!(totals(&two).await, expected(2), "the failed commit looked again");
    two.put(2, &flows(3..=3));
    two.commit(2).await.expect("goes on");
    assert_eq!(totals(&two).await, expected(3));
}

#[tokio::test]
async fn rows_of_several_hours_go_to_their_partitions() {
    let dir = TempDir::new().expect("a folder");
    let lake = lake(dir.path()).await;
    lake.put(1, &flows([1, 3_600, 7_199, 7_200]));
    lake.commit(1).await.expect("commits");
    let batches = ask(&lake, "select hour, count(*) n from flows group by hour order by hour", limits()).await;
    let text = format!("{}", arrow::util::pretty::pretty_format_batches(&batches.expect("answers")).expect("prints"));
    for line in ["| 2026-11-22T20 | 1 |", "| 2026-11-22T21 | 2 |", "| 2026-11-22T22 | 1 |"] {
        assert!(text.contains(line), "{text}");
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in from.read_dir().expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copies");
        }
    }
}
