//! A writer killed at no particular moment: what it called synced is there.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;
use weir_journal::Position;

use crate::{entry, open, positions};

const DIR: &str = "JOURNAL_KILL_TEST_DIR";

/// Not a test of its own: what [`a_killed_writer_keeps_what_it_synced`] starts and kills.
#[test]
#[ignore = "the writing half of another test"]
fn writer() {
    #[expect(clippy::disallowed_methods, reason = "how a parent test talks to its child")]
    let Ok(dir) = std::env::var(DIR) else { return };
    let (mut journal, recovered) = open(Path::new(&dir));
    let covered = recovered.checkpoint.map_or(0, |checkpoint| checkpoint.position.0);
    assert!(positions(&journal, covered).iter().copied().eq(covered + 1..=journal.last().0));
    loop {
        for _ in 0..journal.last().0 % 3 {
            let next = journal.last().0 + 1;
            journal.append(&entry(next)).expect("appends");
        }
        let next = journal.last().0 + 1;
        journal.append(&entry(next)).expect("appends");
        let synced = journal.sync().expect("syncs");
        if synced.0.is_multiple_of(11) {
            journal.checkpoint(Position(synced.0 - 5), b"").expect("checkpoints");
        }
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nsynced {}", synced.0).and_then(|()| out.flush()).expect("a parent that reads");
    }
}

#[test]
fn a_killed_writer_keeps_what_it_synced() {
    let dir = TempDir::new().expect("a folder");
    let mut total = 0;
    for round in 0..5 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "kill::writer", "--ignored", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines().map_while(Result::ok);
        let mut synced = 0;
        let mut note = |line: String| {
            if let Some(position) = line.strip_prefix("synced ").and_then(|text| text.parse().ok()) {
                synced = position;
            }
        };
        lines.by_ref().take(40 + round * 17).for_each(&mut note);
        child.kill().expect("kills");
        lines.for_each(&mut note);
        child.wait().expect("ends");
        assert!(synced > total, "round {round} wrote nothing");
        total = synced;

        let (journal, recovered) = open(dir.path());
        let covered = recovered.checkpoint.map_or(0, |checkpoint| checkpoint.position.0);
        assert!(journal.last().0 >= synced);
        assert_eq!(positions(&journal, covered), (covered + 1..=journal.last().0).collect::<Vec<_>>());
    }
}
