//! Compaction, retention, and what is left on the disk.

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use weir_model::Timestamp;
use weir_model::tables::{OBJECTS, ObjectEvent, ObjectRow};
use weir_store::{Lake, LakeOptions, Order, Rows, StoreError, last_objects, records};

use crate::{HOUR, SECOND, START, expected, flow_at, flows, limits, options, totals};

fn parquet_files(dir: &Path) -> usize {
    let entries = dir.read_dir().expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .map(|path| {
            if path.is_dir() {
                parquet_files(&path)
            } else {
                usize::from(path.extension().is_some_and(|e| e == "parquet"))
            }
        })
        .sum()
}

/// Four hours of 10 flows each, the first hour in three files.
async fn four_hours(dir: &Path, options: LakeOptions) -> Lake {
    let lake = Lake::open(dir, options).await.expect("opens");
    let mut position = 0;
    for numbers in [1..=3_u64, 4..=6, 7..=10, 11..=20, 21..=30, 31..=40] {
        position += 1;
        let row =
            |number: u64| flow_at(number, START.plus_ns((number as i64 - 1) / 10 * HOUR + number as i64 * SECOND));
        lake.put(position, &Rows { flows: numbers.map(row).collect(), ..Rows::default() });
        lake.commit(position).await.expect("commits");
    }
    lake
}

async fn hours(lake: &Lake) -> Vec<String> {
    let rows = lake.flows(None, Order::First(1_000), limits()).await.expect("answers");
    let mut hours: Vec<_> = rows.iter().filter_map(|row| Some(row.get("first_ts").as_time()?.hour())).collect();
    hours.dedup();
    hours
}

#[tokio::test]
async fn compaction_keeps_every_row_sorts_them_and_waits_for_the_hour_to_close() {
    let dir = TempDir::new().expect("a folder");
    let lake = four_hours(dir.path(), options()).await;
    assert_eq!(lake.size().expect("lists").files(), 6);
    let open = lake.maintain(START.plus_ns(HOUR + 60 * SECOND)).await.expect("maintains");
    assert_eq!(open.compacted_files, 0, "the hour ended a minute ago");

    let now = START.plus_ns(5 * HOUR);
    let before = lake.flows(None, Order::First(1_000), limits()).await.expect("answers");
    let report = lake.maintain(now).await.expect("maintains");
    assert_eq!((report.compacted_files, report.new_files), (3, 1));
    let size = lake.size().expect("lists");
    assert_eq!((size.files(), size.rows()), (4, 40));
    assert_eq!(lake.flows(None, Order::First(1_000), limits()).await.expect("answers"), before);
    assert_eq!(lake.positions().flows, 6);
    assert_eq!(parquet_files(dir.path()), 7, "readers may still hold the old ones");
    assert_eq!(lake.maintain(now).await.expect("maintains").compacted_files, 0, "nothing left to do");

    let sql = "select dst_name, first_ts from flows where hour = '2026-11-22T20'";
    let rows = crate::ask(&lake, sql, limits()).await.expect("answers");
    let names = arrow::compute::concat_batches(&rows[0].schema(), &rows).expect("same schema");
    let sorted = arrow::compute::sort(names.column(0), None).expect("sorts");
    assert_eq!(names.column(0), &sorted, "in the order of the table");
    drop(lake);
    let again = Lake::open(dir.path(), options()).await.expect("opens");
    assert_eq!((totals(&again).await, again.positions().flows), (expected(40), 6));
}

#[tokio::test]
async fn files_grow_only_to_their_size() {
    let dir = TempDir::new().expect("a folder");
    let lake = four_hours(dir.path(), LakeOptions { file_bytes: 2, ..options() }).await;
    let report = lake.maintain(START.plus_ns(5 * HOUR)).await.expect("maintains");
    assert_eq!(report.compacted_files, 0, "every file is large enough");
}

#[tokio::test]
async fn hours_leave_by_age() {
    let dir = TempDir::new().expect("a folder");
    let lake = four_hours(dir.path(), LakeOptions { max_age: Some(Duration::from_hours(3)), ..options() }).await;
    let report = lake.maintain(START.plus_ns(5 * HOUR - SECOND)).await.expect("maintains");
    assert_eq!(report.dropped_hours, ["2026-11-22T20"]);
    assert_eq!(hours(&lake).await, ["2026-11-22T21", "2026-11-22T22", "2026-11-22T23"]);
    assert_eq!(lake.positions().flows, 6, "what was dropped is not asked for again");
    lake.put(7, &flows([7_201]));
    lake.commit(7).await.expect("commits go on");
    assert_eq!(totals(&lake).await.0, 31);
}

#[tokio::test]
async fn hours_leave_by_size_oldest_first_but_never_the_newest() {
    let dir = TempDir::new().expect("a folder");
    let lake = four_hours(dir.path(), options()).await;
    let bytes = lake.size().expect("lists").bytes();
    drop(lake);
    let open = async |max_bytes| {
        let options = LakeOptions { max_bytes: Some(max_bytes), ..options() };
        Lake::open(dir.path(), options).await.expect("opens")
    };
    let now = START.plus_ns(4 * HOUR);
    let lake = open(bytes).await;
    assert!(lake.maintain(now).await.expect("maintains").dropped_hours.is_empty());
    drop(lake);
    let lake = open(bytes / 2 - 1).await;
    let report = lake.maintain(now).await.expect("maintains");
    assert_eq!(report.dropped_hours.first().map(String::as_str), Some("2026-11-22T20"));
    assert!(lake.size().expect("lists").bytes() < bytes / 2);
    drop(lake);
    let lake = open(0).await;
    lake.maintain(now).await.expect("maintains");
    assert_eq!(hours(&lake).await, ["2026-11-22T23"]);
}

#[tokio::test]
async fn files_leave_the_disk_when_nobody_can_hold_them() {
    let dir = TempDir::new().expect("a folder");
    let options = LakeOptions { vacuum_after: Duration::ZERO, ..options() };
    let lake = four_hours(dir.path(), options).await;
    let orphan = dir.path().join("flows/hour=2026-11-22T20/part-orphan.parquet");
    std::fs::write(&orphan, b"left by a crash").expect("writes");
    let report = lake.maintain(START.plus_ns(5 * HOUR)).await.expect("maintains");
    assert!(!orphan.exists());
    assert_eq!(report.deleted_files, 4, "three compacted files and the orphan");
    assert_eq!(parquet_files(dir.path()), 4);
    assert_eq!(totals(&lake).await, expected(40));
    lake.put(7, &flows([41]));
    lake.commit(7).await.expect("commits");
    assert_eq!(totals(&lake).await, expected(41));
}

#[tokio::test]
async fn a_lake_open_for_reading_is_not_maintained() {
    let dir = TempDir::new().expect("a folder");
    drop(four_hours(dir.path(), options()).await);
    let lake = Lake::open_read_only(dir.path()).await.expect("opens");
    assert!(matches!(lake.maintain(START).await, Err(StoreError::ReadOnly)));
    assert!(matches!(lake.commit(1).await, Err(StoreError::ReadOnly)));
    assert_eq!(totals(&lake).await, expected(40));
}

/// A version of a Service, seen so many minutes after the start; none = it is gone.
fn object(name: &str, minute: i64, version: Option<&str>) -> ObjectRow {
    let event = if version.is_some() { ObjectEvent::Applied } else { ObjectEvent::Deleted };
    let seen_ts = START.plus_ns(minute * 60 * SECOND);
    ObjectRow {
        cluster: None,
        api_version: "v1".into(),
        kind: "Service".into(),
        namespace: Some("shop".into()),
        name: name.into(),
        uid: None,
        resource_version: version.map(Into::into),
        event,
        seen_ts,
        since_ts: Some(seen_ts),
        created_ts: None,
        deleted_ts: None,
        object: version.map(|version| format!("{{\"version\":{version}}}").into()),
    }
}

/// Name and version of each object that is there at a time.
async fn there(lake: &Lake, at: Option<Timestamp>) -> Vec<String> {
    let sql = last_objects("*", at);
    let batches = crate::ask(lake, &sql, limits()).await.expect("answers");
    let rows = batches.iter().flat_map(|batch| records(OBJECTS.columns, batch));
    let rows = rows.filter_map(|record| ObjectRow::read(&record)).filter(|row| row.event == ObjectEvent::Applied);
    let mut there: Vec<_> =
        rows.map(|row| format!("{} {}", row.name, row.resource_version.as_deref().unwrap_or("-"))).collect();
    there.sort();
    there
}

#[tokio::test]
async fn objects_that_live_on_outlast_their_hour_with_the_version_that_then_holds() {
    let dir = TempDir::new().expect("a folder");
    let options = LakeOptions { max_age: Some(Duration::from_hours(3)), ..options() };
    let lake = four_hours(dir.path(), options.clone()).await;
    let objects = vec![
        object("steady", 1, Some("1")),
        object("steady", 2, Some("2")),
        object("changes-later", 3, Some("1")),
        object("changes-later", 130, Some("2")),
        object("gone", 4, Some("1")),
        object("gone", 5, None),
        object("goes-later", 6, Some("1")),
        object("goes-later", 131, None),
        object("new", 132, Some("1")),
    ];
    lake.put(7, &Rows { objects, ..Rows::default() });
    lake.commit(7).await.expect("commits");
    let times = [Some(START.plus_ns(HOUR)), Some(START.plus_ns(2 * HOUR)), None];
    let before = [there(&lake, times[0]).await, there(&lake, times[1]).await, there(&lake, times[2]).await];
    assert_eq!(before[1], ["changes-later 1", "goes-later 1", "steady 2"]);
    assert_eq!(before[2], ["changes-later 2", "new 1", "steady 2"]);

    let later = START.plus_ns(5 * HOUR - SECOND);
    assert_eq!(lake.maintain(later).await.expect("maintains").dropped_hours, ["2026-11-22T20"]);
    let after = [there(&lake, times[0]).await, there(&lake, times[1]).await, there(&lake, times[2]).await];
    assert_eq!(after, before, "as of every time that is kept, the same objects are there");
    let count = async |lake: &Lake| crate::numbers(lake, "select count(*) from objects").await;
    assert_eq!(count(&lake).await, [6], "what was replaced or gone by then is not kept");
    lake.maintain(later).await.expect("maintains");
    assert_eq!(count(&lake).await, [6], "nothing is written twice");
    drop(lake);
    let lake = Lake::open(dir.path(), options).await.expect("opens");
    assert_eq!(lake.positions().objects, 7);
    lake.maintain(START.plus_ns(100 * HOUR)).await.expect("maintains");
    assert_eq!(there(&lake, None).await, before[2], "for as long as they live");
    assert_eq!(totals(&lake).await.0, 0, "no flow does");
}
