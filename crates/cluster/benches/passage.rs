//! The recorded gateway replayed from its captures to settled rows: without the rules that requests met, and with them.
//! Every request of it passes a gateway, so this is the most that rules can add.
//!
//! `cargo bench -p weir-cluster --bench passage`; divan prints times for one replay of the scenario.

#[path = "../tests/it/passages.rs"]
#[expect(dead_code, reason = "tests replay in one go")]
mod passages;

use std::sync::LazyLock;

use divan::Bencher;

use passages::{Cluster, Rules, recorded, recording};

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| Cluster::of("gateway"));

fn main() {
    let folder = recording("gateway", "gateway");
    let (flows, requests) = recorded(&folder, &CLUSTER.snapshot);
    println!("{} reports of flows, {} requests", flows.len(), requests.len());
    divan::main();
}

#[divan::bench(args = ["without", "with"], sample_count = 200)]
fn replay_rules(bencher: Bencher<'_, '_>, rules: &str) {
    let rules = if rules == "with" { Rules::Told } else { Rules::Left };
    let folder = recording("gateway", "gateway");
    bencher.bench(|| {
        let rows = recorded(&folder, &CLUSTER.snapshot);
        CLUSTER.settled(&rows, ["node-a", "node-b"], rules)
    });
}
