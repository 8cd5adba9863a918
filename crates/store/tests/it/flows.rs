//! Records in order, and the primary legs of connections.

use tempfile::TempDir;
use weir_model::{ConnectionId, FlowId, Record};
use weir_store::{Order, QueryError};

use crate::{HOUR, START, flows, lake, limits};

fn ids(records: &[Record]) -> Vec<i64> {
    records.iter().filter_map(|record| record.get("flow_id").as_int()).collect()
}

#[tokio::test]
async fn first_and_last_come_in_packet_time_from_lake_and_tail() {
    let dir = TempDir::new().expect("a folder");
    let lake = lake(dir.path()).await;
    lake.put(1, &flows([5, 1, 9, 3]));
    lake.commit(1).await.expect("commits");
    lake.put(2, &flows([8, 2, 6]));
    let ask = async |condition, order| lake.flows(condition, order, limits()).await.map(|rows| ids(&rows));
    assert_eq!(ask(None, Order::First(3)).await, Ok(vec![1, 2, 3]));
    assert_eq!(ask(None, Order::Last(3)).await, Ok(vec![6, 8, 9]));
    assert_eq!(ask(None, Order::Last(100)).await, Ok(vec![1, 2, 3, 5, 6, 8, 9]));
    assert_eq!(ask(None, Order::First(0)).await, Ok(vec![]));
    assert_eq!(ask(Some("is_primary and src_name LIKE 'client-%'"), Order::Last(2)).await, Ok(vec![6, 8]));
    assert_eq!(ask(Some("false"), Order::Last(2)).await, Ok(vec![]));
    assert!(matches!(ask(Some("no_column = 1"), Order::First(1)).await, Err(QueryError::Invalid(_))));
    assert!(matches!(ask(Some("true; drop table flows"), Order::First(1)).await, Err(QueryError::Invalid(_))));
}

#[tokio::test]
async fn primary_legs_are_found_in_lake_and_tail_within_their_hours() {
    let dir = TempDir::new().expect("a folder");
    let lake = lake(dir.path()).await;
    lake.put(1, &flows([2, 3, 14]));
    lake.commit(1).await.expect("commits");
    lake.put(2, &flows([12, 18]));
    let wanted: Vec<_> = [2, 3, 4, 8, 77].map(ConnectionId).to_vec();
    let found = lake.primaries(&wanted, START, START.plus_ns(HOUR)).await.expect("answers");
    let mut connections: Vec<_> = found.keys().map(|id| id.0).collect();
    connections.sort_unstable();
    assert_eq!(connections, [2, 4, 8], "3 is not primary, 77 does not exist");
    let leg = &found[&ConnectionId(4)];
    assert_eq!(leg.flow_id, FlowId(14));
    assert_eq!((leg.src_ip, leg.src_port), ([10, 0, 0, 14].into(), 40_000));
    assert_eq!((leg.dst_ip, leg.dst_port), ([10, 0, 1, 1].into(), 53));
    assert_eq!((leg.node.as_deref(), &*leg.interface), (Some("node-a"), "veth1"));
    let before = lake.primaries(&wanted, START.plus_ns(-2 * HOUR), START.plus_ns(-1)).await;
    assert_eq!(before.map(|found| found.len()), Ok(0));
    assert_eq!(lake.primaries(&[], START, START).await.map(|found| found.len()), Ok(0));
}
