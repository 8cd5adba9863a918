//! What queries may do, and how they are stopped.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use futures::StreamExt;
use tempfile::TempDir;
use weir_store::{Lake, QueryError, QueryLimits};

use crate::{ask, flows, lake, limits};

async fn filled(dir: &TempDir) -> Lake {
    let lake = lake(dir.path()).await;
    lake.put(1, &flows(1..=2_000));
    lake.commit(1).await.expect("commits");
    lake.put(2, &flows(2_001..=2_100));
    lake
}

#[tokio::test]
async fn statements_that_are_no_queries_are_refused() {
    let dir = TempDir::new().expect("a folder");
    let lake = filled(&dir).await;
    let file = dir.path().join("out.csv");
    let out = file.display();
    for sql in [
        "create table x as select 1".to_owned(),
        format!("create external table x stored as parquet location '{out}'"),
        format!("copy flows to '{out}'"),
        "insert into flows select * from flows".to_owned(),
        "explain analyze insert into flows select * from flows".to_owned(),
        "drop table flows".to_owned(),
        "drop view flows".to_owned(),
        "delete from flows".to_owned(),
        "update flows set node = 'x'".to_owned(),
        "set datafusion.execution.batch_size = 1".to_owned(),
        "create view v as select 1".to_owned(),
        "begin".to_owned(),
        "prepare p as select 1".to_owned(),
        "create function f() returns int return 1".to_owned(),
        "select 1; drop table flows".to_owned(),
        format!("select * from '{}/flows'", dir.path().display()),
        "select * from read_csv('/etc/passwd')".to_owned(),
        "select * from parquet_metadata('/etc/passwd')".to_owned(),
    ] {
        let refused = ask(&lake, &sql, limits()).await;
        assert!(matches!(refused, Err(QueryError::Refused(_) | QueryError::Invalid(_))), "{sql}: {refused:?}");
    }
    assert!(!file.exists());
    assert_eq!(crate::totals(&lake).await, crate::expected(2_100));
}

#[tokio::test]
async fn looking_at_plans_and_tables_is_allowed() {
    let dir = TempDir::new().expect("a folder");
    let lake = filled(&dir).await;
    for sql in [
        "explain select count(*) from flows",
        "explain analyze select count(*) from flows",
        "describe flows",
        "show tables",
        "show columns from flows",
        "select * from information_schema.columns where table_name = 'flows'",
        "SELECT Node, COUNT(*) FROM Flows GROUP BY NODE",
        "with f as (select * from flows) select f.node from f join losses l on l.node = f.node",
        "select *, row_number() over (partition by dst_name order by first_ts) from flows limit 3",
    ] {
        assert!(ask(&lake, sql, limits()).await.is_ok(), "{sql}: {:?}", ask(&lake, sql, limits()).await);
    }
}

#[tokio::test]
async fn errors_carry_the_planners_words() {
    let dir = TempDir::new().expect("a folder");
    let lake = filled(&dir).await;
    for (sql, words) in [
        ("select nonsense from flows", "nonsense"),
        ("select * from nowhere", "nowhere"),
        ("selec 1", "selec"),
        ("", "No SQL"),
    ] {
        let error = ask(&lake, sql, limits()).await.expect_err("no query");
        assert!(error.to_string().to_lowercase().contains(&words.to_lowercase()), "{sql}: {error}");
    }
}

#[tokio::test]
async fn a_query_stops_at_its_time() {
    let dir = TempDir::new().expect("a folder");
    let lake = filled(&dir).await;
    let limits = QueryLimits { time: Duration::from_secs(1), ..QueryLimits::default() };
    for sql in [
        "select count(*) from flows a join flows b on a.node = b.node join flows c on b.node = c.node",
        "select count(*) from flows a, flows b, flows c where a.bytes_fwd + b.bytes_fwd + c.bytes_fwd = 7",
        "select sum(a.value * b.value) from range(1, 10000000) a, range(1, 10000000) b",
    ] {
        let began = Instant::now();
        let stopped = ask(&lake, sql, limits).await;
        assert_eq!(stopped, Err(QueryError::Time(limits.time)), "{sql}");
        assert!(began.elapsed() < Duration::from_secs(30), "{sql}: stopped after {:?}", began.elapsed());
    }
    // Stopped queries have left the threads: as many as may run at once get their turn.
    assert_eq!(crate::totals(&lake).await, crate::expected(2_100));
}

#[tokio::test]
async fn a_query_stops_at_its_memory() {
    let dir = TempDir::new().expect("a folder");
    let lake = filled(&dir).await;
    let limits = QueryLimits { memory_bytes: 1 << 20, ..limits() };
    let sql = "select a.first_ts, b.first_ts, count(*) from flows a, flows b group by 1, 2 order by 1, 2";
    let stopped = ask(&lake, sql, limits).await;
    assert!(matches!(stopped, Err(QueryError::Memory { bytes: 1_048_576, .. })), "{stopped:?}");
}

#[tokio::test]
async fn a_query_stops_at_its_rows_and_says_so() {
    let dir = TempDir::new().expect("a folder");
    let lake = filled(&dir).await;
    let limits = QueryLimits { rows: 150, ..limits() };
    let (_, mut batches) = lake.query("select node from flows", limits).await.expect("begins");
    let mut rows = 0;
    let error = loop {
        match batches.next().await.expect("ends with an error") {
            Ok(batch) => rows += batch.num_rows(),
            Err(error) => break error,
        }
    };
    assert_eq!((rows, error), (150, QueryError::Rows(150)));
    assert!(batches.next().await.is_none());
    assert_eq!(
        ask(&lake, "select node from flows limit 150", limits).await.map(|b| b.iter().map(RecordBatch::num_rows).sum()),
        Ok(150)
    );
}

#[tokio::test]
async fn an_empty_answer_has_its_columns() {
    let dir = TempDir::new().expect("a folder");
    let lake = lake(dir.path()).await;
    let (schema, mut batches) = lake.query("select node, bytes_fwd from flows", limits()).await.expect("answers");
    assert_eq!(schema.fields().len(), 2);
    assert!(batches.next().await.is_none());
}

#[tokio::test]
async fn dropped_answers_make_room_for_others() {
    let dir = TempDir::new().expect("a folder");
    let lake = filled(&dir).await;
    for _ in 0..8 {
        let (_, batches) = lake.query("select * from flows a, flows b", limits()).await.expect("begins");
        drop(batches);
    }
    assert_eq!(crate::totals(&lake).await, crate::expected(2_100));
}
