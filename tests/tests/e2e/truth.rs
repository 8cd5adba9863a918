//! Every event of the recordings is found in the flows: where it was seen, by whom, through which Service, to which pod.
//! A leg is asked for only where the recording has a file of that tap.

use std::fs;

use weir_tests::comparison::{Comparison, check};
use weir_tests::examples::lab_capture;
use weir_tests::recorded::{Row, agent, collector, rows};
use weir_tests::truth::Truth;

struct Recording {
    mode: &'static str,
    rows: Vec<Row>,
    topology: serde_json::Value,
}

impl Recording {
    fn replay(mode: &'static str) -> Self {
        let data = tempfile::tempdir().expect("a folder for the lake");
        let collector = collector(mode, data.path(), &[]);
        let agents = ["node-a", "node-b"].map(|node| agent(mode, node, collector.url(), &[]));
        for agent in agents {
            assert!(agent.ended().success(), "the agent sends everything");
        }
        let topology = fs::read_to_string(lab_capture().join(mode).join("topology.json")).expect("is recorded");
        let rows = rows(&collector);
        assert!(collector.terminate().success());
        Self { mode, rows, topology: serde_json::from_str(&topology).expect("is JSON") }
    }

    /// Whether the scenario has a file of the pod's veth.
    fn taps(&self, scenario: &str, pod: &str) -> bool {
        let pods = self.topology["pods"].as_object().expect("has pods");
        let found = pods.iter().find(|(_, p)| {
            format!("{}/{}", p["ns"].as_str().unwrap_or_default(), p["name"].as_str().unwrap_or_default()) == pod
        });
        found.is_some_and(|(short, p)| {
            let file = format!("{}.veth-{short}.pcap", p["node"].as_str().unwrap_or_default());
            lab_capture().join(self.mode).join(scenario).join(file).is_file()
        })
    }
}

fn check_all(mode: &'static str, least: usize) {
    let recording = Recording::replay(mode);
    let is_watched = |scenario: &str, pod: &str| recording.taps(scenario, pod);
    let comparison = Comparison { rows: recording.rows.clone(), is_watched: &is_watched };
    let mut events = 0;
    for scenario in fs::read_dir(lab_capture().join(mode)).expect("the recordings are here") {
        let scenario = scenario.expect("a folder entry").path();
        if scenario.join("truth.json").is_file() {
            let truth = Truth::read(&scenario.join("truth.json")).expect("a truth");
            truth.events.iter().for_each(|event| check(&comparison, event));
            events += truth.events.len();
        }
    }
    assert!(events >= least, "{events} events");
}

#[test]
fn every_event_of_the_routed_recording_is_found_and_named() {
    check_all("routed", 58);
}

#[test]
fn every_event_of_the_bridge_recording_is_found_and_named() {
    check_all("bridge", 15);
}

#[test]
fn every_event_of_the_vxlan_recording_is_found_and_named() {
    check_all("vxlan", 8);
}
