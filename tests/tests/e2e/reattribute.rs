//! What is stored of the recordings is what the stored objects say: named anew, every row comes out the same.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use weir_tests::examples::lab_capture;
use weir_tests::programs::{Collector, try_weir, weir};
use weir_tests::recorded::agent;

/// The recording as a collector keeps it that knows the objects in `cluster`. Every row waits for all legs of its connection.
fn replayed(mode: &'static str, cluster: &Path) -> TempDir {
    let data = tempfile::tempdir().expect("a folder for the lake");
    let place = format!("manifests:{}", cluster.display());
    let flags = ["--cluster", &place, "--settle=10m", "--retention-age=36500d"];
    let collector = Collector::start(data.path(), &flags);
    let agents = ["node-a", "node-b"].map(|node| agent(mode, node, collector.url(), &[]));
    for agent in agents {
        assert!(agent.ended().success(), "the agent sends everything");
    }
    assert!(collector.terminate().success());
    data
}

fn arguments(lake: &str) -> [&str; 7] {
    ["reattribute", "--since", "2020-01-01T00:00:00Z", "--lake", lake, "-o", "json"]
}

fn agrees(mode: &'static str, least: u64) {
    let data = replayed(mode, &lab_capture().join(mode).join("manifests"));
    let lake = data.path().display().to_string();
    let lines = weir(&arguments(&lake)).unwrap_or_else(|said| panic!("{said}"));
    let [totals] = &lines[..] else { panic!("rows differ: {lines:#?}") };
    assert_eq!((&totals["different"], &totals["unknown_taps"]), (&json!(0), &json!(0)), "{totals}");
    assert!(totals["compared"].as_u64().is_some_and(|compared| compared >= least), "{totals}");
}

#[test]
fn every_row_of_the_routed_recording_is_named_as_it_is_stored() {
    agrees("routed", 180);
}

#[test]
fn every_row_of_the_bridge_recording_is_named_as_it_is_stored() {
    agrees("bridge", 75);
}

#[test]
fn every_row_of_the_vxlan_recording_is_named_as_it_is_stored() {
    agrees("vxlan", 25);
}

#[test]
fn what_is_stored_otherwise_is_told_with_both_values() {
    let cluster = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(lab_capture().join("bridge/manifests")).expect("the recorded objects") {
        let path = entry.expect("an entry").path();
        let text = std::fs::read_to_string(&path).expect("a manifest");
        // The agents know the recorded names.
        let text = text.replace("name: client-", "name: renamed-");
        std::fs::write(cluster.path().join(path.file_name().expect("a name")), text).expect("written");
    }
    let data = replayed("bridge", cluster.path());
    let lake = data.path().display().to_string();
    let (code, lines, said) = try_weir(&arguments(&lake));
    assert_eq!(code, Some(1), "{said}");
    let (totals, rows) = lines.split_last().expect("totals come last");
    assert_eq!(totals["different"].as_u64(), Some(rows.len() as u64), "{totals}");
    let renamed = |row: &Value| {
        let of = |which| row["differences"]["src_name"][which].as_str();
        of("stored").is_some_and(|name| name.starts_with("client-"))
            && of("recomputed").is_some_and(|name| name.starts_with("renamed-"))
    };
    assert!(rows.iter().any(renamed), "{rows:#?}");
}
