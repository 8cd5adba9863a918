//! Queries beside commits and maintenance: every answer is right for some moment.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use tempfile::TempDir;
use weir_store::LakeOptions;

use crate::{HOUR, START, expected, flows, options, totals};

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn sums_are_right_while_rows_are_put_committed_and_compacted() {
    const ENTRIES: u64 = 30;
    const EACH: u64 = 20;
    let dir = TempDir::new().expect("a folder");
    let options = LakeOptions { file_bytes: 1 << 20, ..options() };
    let lake = weir_store::Lake::open(dir.path(), options).await.expect("opens");
    let put = Arc::new(AtomicI64::new(0));
    let done = Arc::new(AtomicI64::new(0));

    let reader = {
        let (lake, put, done) = (lake.clone(), Arc::clone(&put), Arc::clone(&done));
        tokio::spawn(async move {
            let mut reads = 0;
            loop {
                let is_last = done.load(Ordering::SeqCst) == 2;
                let least = put.load(Ordering::SeqCst);
                let (count, sum) = totals(&lake).await;
                assert!(count >= least, "{count} rows, {least} were put before the question");
                assert_eq!(count % EACH as i64, 0, "an entry is seen whole or not at all");
                assert_eq!((count, sum), expected(count));
                reads += 1;
                if is_last {
                    return reads;
                }
            }
        })
    };
    let maintainer = {
        let (lake, done) = (lake.clone(), Arc::clone(&done));
        tokio::spawn(async move {
            let mut compacted = 0;
            while done.load(Ordering::SeqCst) == 0 || compacted == 0 {
                let report = lake.maintain(START.plus_ns(5 * HOUR)).await.expect("maintains");
                compacted += report.compacted_files;
                tokio::task::yield_now().await;
            }
            done.fetch_add(1, Ordering::SeqCst);
            compacted
        })
    };
    for position in 1..=ENTRIES {
        lake.put(position, &flows((position - 1) * EACH + 1..=position * EACH));
        put.store((position * EACH) as i64, Ordering::SeqCst);
        if position % 2 == 0 {
            lake.commit(position - 1).await.expect("commits");
        }
    }
    done.fetch_add(1, Ordering::SeqCst);
    let compacted = maintainer.await.expect("no panic");
    let reads = reader.await.expect("no panic");
    assert!(compacted > 1 && reads > 1, "{compacted} files compacted, {reads} reads");
    lake.commit(ENTRIES).await.expect("commits");
    assert_eq!(totals(&lake).await, expected((ENTRIES * EACH) as i64));
    drop(lake);
    assert_eq!(totals(&crate::lake(dir.path()).await).await, expected((ENTRIES * EACH) as i64));
}
