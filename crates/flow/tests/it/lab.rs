//! Recordings of the lab: whatever is in them, they run to the end, count every frame, and give the same flows twice.

use std::fs;
use std::path::{Path, PathBuf};

use weir_flow::TrackerConfig;

use crate::captures::{examples, replay};

pub(crate) fn captures_below(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            captures_below(&path, found);
        } else if path.extension().is_some_and(|ending| ending == "pcap" || ending == "pcapng" || ending == "cap") {
            found.push(path);
        }
    }
}

#[test]
fn recordings_of_the_lab_replay_clean_and_the_same_twice() {
    let Some(examples) = examples() else { return };
    let mut files = Vec::new();
    captures_below(&examples.join("lab-capture"), &mut files);
    assert!(!files.is_empty(), "no recordings below {}", examples.display());
    for file in files {
        let (flows, tracker, error) = replay(&file, TrackerConfig::default());
        let name = file.display();
        assert_eq!(error, None, "{name}");
        let counts = tracker.counts();
        let reported: u64 = flows.iter().map(|f| f.counters.fwd.packets + f.counters.rev.packets).sum();
        assert_eq!(reported, counts.packets, "{name}");
        assert_eq!(counts.packets + counts.all_skipped(), counts.frames, "{name}");
        assert_eq!(counts.skipped(weir_flow::Skipped::Malformed), 0, "{name}");
        assert_eq!(flows, replay(&file, TrackerConfig::default()).0, "{name}");
    }
}
