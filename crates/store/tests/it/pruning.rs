//! Filters and columns reach the files: what a question does not need is not read.

use tempfile::TempDir;
use weir_store::Lake;

use crate::{HOUR, START, ask, flow_at, lake, limits};

/// Three hours of 50 flows, and some in the tail.
async fn filled(dir: &TempDir) -> Lake {
    let lake = lake(dir.path()).await;
    for hour in 0..4_u64 {
        let flows = (0..50).map(|n| flow_at(hour * 50 + n, START.plus_ns(hour as i64 * HOUR + n as i64))).collect();
        lake.put(hour + 1, &weir_store::Rows { flows, ..Default::default() });
    }
    lake.commit(3).await.expect("commits");
    lake
}

/// The executed plan with its metrics, as text.
async fn plan(lake: &Lake, sql: &str) -> String {
    let batches = ask(lake, &format!("explain analyze {sql}"), limits()).await.expect("explains");
    arrow::util::pretty::pretty_format_batches(&batches).expect("prints").to_string()
}

/// The scan's line.
fn scan(plan: &str) -> &str {
    plan.lines()
        .find(|line| line.contains("DataSourceExec: file_groups"))
        .unwrap_or_else(|| panic!("no scan in {plan}"))
}

fn files(plan: &str) -> usize {
    scan(plan).matches(".parquet").count()
}

#[tokio::test]
async fn hours_times_and_names_skip_files() {
    let dir = TempDir::new().expect("a folder");
    let lake = filled(&dir).await;
    assert_eq!(files(&plan(&lake, "select bytes_fwd from flows").await), 3);
    assert_eq!(files(&plan(&lake, "select bytes_fwd from flows where hour = '2026-11-22T21'").await), 1);
    let by_time = "select bytes_fwd from flows where first_ts >= timestamp '2026-11-22T21:30:00Z'";
    assert_eq!(files(&plan(&lake, by_time).await), 1);
}

#[tokio::test]
async fn only_the_columns_asked_for_are_read() {
    let dir = TempDir::new().expect("a folder");
    let lake = filled(&dir).await;
    let plan = plan(&lake, "select sum(bytes_fwd) from flows where dst_name = 'server-1'").await;
    let columns = scan(&plan).split("projection=[").nth(1).and_then(|rest| rest.split(']').next()).unwrap_or_default();
    assert!(columns.contains("bytes_fwd") && !columns.contains("first_ts"), "{plan}");
    assert!(scan(&plan).contains("predicate=dst_name"), "{plan}");
}

#[tokio::test]
async fn bloom_filters_skip_names_that_are_not_there() {
    let dir = TempDir::new().expect("a folder");
    let lake = filled(&dir).await;
    // Between the least and the greatest name, so only the filter knows.
    let plan = plan(&lake, "select bytes_fwd from flows where src_name = 'client-33'").await;
    assert!(scan(&plan).contains("row_groups_pruned_bloom_filter=3 total"), "{plan}");
}
