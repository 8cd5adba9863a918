//! Lakes of other versions of the program.

use std::collections::HashMap;
use std::path::Path;

use deltalake::kernel::{DataType, StructField};
use deltalake::{DeltaTable, DeltaTableBuilder, ensure_table_uri};
use tempfile::TempDir;
use weir_model::tables::FLOWS;
use weir_store::{Lake, StoreError};

use crate::{ask, expected, flows, lake, limits, numbers, options, totals};

async fn table(lake: &Path, name: &str) -> DeltaTable {
    let url = ensure_table_uri(lake.join(name).to_string_lossy()).expect("a folder");
    DeltaTableBuilder::from_url(url).expect("a table").load().await.expect("loads")
}

async fn add_column(lake: &Path, name: &str, column: StructField) {
    table(lake, name).await.add_columns().with_fields([column]).await.expect("adds");
}

/// A lake as an older version would have made it: `losses` without its last two columns.
async fn older(dir: &Path) {
    let newer = TempDir::new().expect("a folder");
    drop(lake(newer.path()).await);
    let losses = table(newer.path(), "losses").await;
    let schema = losses.snapshot().expect("loaded").schema();
    let fields: Vec<_> = schema.fields().filter(|f| !["bytes", "rows"].contains(&f.name().as_str())).cloned().collect();
    let url = ensure_table_uri(dir.join("losses").to_string_lossy()).expect("a folder");
    let table = DeltaTableBuilder::from_url(url).and_then(DeltaTableBuilder::build).expect("a table");
    table.create().with_columns(fields).with_partition_columns(["hour"]).await.expect("creates");
}

#[tokio::test]
async fn columns_have_their_documentation() {
    let dir = TempDir::new().expect("a folder");
    drop(lake(dir.path()).await);
    let table = table(dir.path(), "flows").await;
    let state = table.snapshot().expect("loaded");
    assert_eq!(state.metadata().description(), Some(FLOWS.doc));
    assert_eq!(state.metadata().configuration().get("weir.schemaVersion").map(String::as_str), Some("1"));
    for column in FLOWS.columns {
        let field = state.schema().field(column.name).expect("a column").clone();
        assert!(
            format!("{:?}", field.metadata().get("comment")).contains(&format!("{:?}", column.doc)),
            "{}",
            column.name
        );
    }
}

#[tokio::test]
async fn an_older_lake_gets_the_columns_it_lacks() {
    let dir = TempDir::new().expect("a folder");
    older(dir.path()).await;
    let reading = Lake::open_read_only(dir.path()).await.expect("opens");
    assert_eq!(numbers(&reading, "select count(*), sum(rows), sum(bytes) from losses").await, [0, 0, 0]);
    assert_eq!(totals(&reading).await, expected(0), "tables that do not exist are empty");
    drop(reading);

    let lake = lake(dir.path()).await;
    let rows = weir_store::Rows { losses: vec![crate::loss(4)], ..flows(1..=2) };
    lake.put(1, &rows);
    lake.commit(1).await.expect("commits");
    lake.put(2, &rows);
    assert_eq!(numbers(&lake, "select count(*), sum(rows) from losses").await, [2, 8]);
    let added = table(dir.path(), "losses").await;
    assert!(added.snapshot().expect("loaded").schema().field("rows").is_some());
}

#[tokio::test]
async fn a_newer_lake_is_read_and_not_written() {
    let dir = TempDir::new().expect("a folder");
    let first = lake(dir.path()).await;
    first.put(1, &flows(1..=3));
    first.commit(1).await.expect("commits");
    drop(first);
    add_column(dir.path(), "flows", StructField::nullable("mood", DataType::STRING)).await;

    let refused = Lake::open(dir.path(), options()).await.expect_err("newer");
    assert!(matches!(&refused, StoreError::NewerLake { table: "flows", found } if found.contains("mood")), "{refused}");
    let reading = Lake::open_read_only(dir.path()).await.expect("opens");
    assert_eq!(totals(&reading).await, expected(3));
    assert_eq!(numbers(&reading, "select count(*), count(mood) from flows").await, [3, 0]);
}

#[tokio::test]
async fn a_later_schema_version_is_refused_for_writing() {
    let dir = TempDir::new().expect("a folder");
    drop(lake(dir.path()).await);
    let version = HashMap::from([("weir.schemaVersion".to_owned(), "2".to_owned())]);
    let table = table(dir.path(), "coverage").await;
    table.set_tbl_properties().with_properties(version).with_raise_if_not_exists(false).await.expect("sets");
    let refused = Lake::open(dir.path(), options()).await.expect_err("newer");
    assert!(matches!(refused, StoreError::NewerLake { table: "coverage", .. }), "{refused}");
    Lake::open_read_only(dir.path()).await.expect("opens");
}

#[tokio::test]
async fn a_column_of_another_type_is_named() {
    let dir = TempDir::new().expect("a folder");
    let url = ensure_table_uri(dir.path().join("flows").to_string_lossy()).expect("a folder");
    let table = DeltaTableBuilder::from_url(url).and_then(DeltaTableBuilder::build).expect("a table");
    let fields = [StructField::nullable("hour", DataType::STRING), StructField::nullable("node", DataType::LONG)];
    table.create().with_columns(fields).with_partition_columns(["hour"]).await.expect("creates");
    let refused = Lake::open(dir.path(), options()).await.expect_err("another type");
    assert!(matches!(&refused, StoreError::ColumnType { table: "flows", column, .. } if column == "node"), "{refused}");
}

#[tokio::test]
async fn a_folder_without_tables_is_no_lake() {
    let dir = TempDir::new().expect("a folder");
    assert!(matches!(Lake::open_read_only(dir.path()).await, Err(StoreError::NoLake(_))));
    assert!(matches!(Lake::open_read_only(&dir.path().join("absent")).await, Err(StoreError::NoLake(_))));
    assert!(!dir.path().join("flows").exists(), "reading makes nothing");
    let lake = lake(dir.path()).await;
    assert!(ask(&lake, "select * from flows", limits()).await.expect("answers").is_empty());
}
