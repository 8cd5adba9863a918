//! The public captures through `weir read`, scored by the scorer that comes with them.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::json;
use weir_tests::examples;
use weir_tests::programs::path_of;

/// Names of the captures that have an expected result.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the captures' folder can be listed");
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".expected.json").map(str::to_owned))
        .collect();
    names.sort();
    names
}

/// What the program said of one capture, and how it ended, as the scorer reads it.
fn read(captures: &Path, name: &str) -> String {
    let output = Command::new(path_of("weir"))
        .args(["read", "-o", "json"])
        .arg(captures.join(name))
        .output()
        .expect("weir can be started");
    let flows = String::from_utf8(output.stdout).expect("JSON is text");
    let run = json!({"file": name, "run": {
        "exit": output.status.code(), "signal": output.status.signal(), "timeout": false,
    }});
    format!("{flows}{run}\n")
}

#[test]
fn flows_of_the_public_captures_are_as_expected() {
    let Some(examples) = examples::external() else { return };
    let captures = examples.join("captures");
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in names(&captures) {
        let file = folder.path().join(format!("{name}.jsonl"));
        fs::write(file, read(&captures, &name)).expect("the lines can be written");
    }
    let run = Command::new("python3")
        .arg(examples.join("compare_captures.py"))
        .args(["--captures".as_ref(), captures.as_os_str()])
        .args(["--details", "--bytes", "ip"])
        .arg(folder.path())
        .output()
        .expect("python3 runs the scorer");
    let shown = String::from_utf8_lossy(&run.stdout);
    println!("{shown}{}", String::from_utf8_lossy(&run.stderr));
    assert!(!shown.contains("not emitted"), "every part is scored");
    for (tier, least) in [("core", 0.99), ("stretch", 0.9), ("robustness", 1.0)] {
        let total =
            shown.lines().find_map(|line| line.strip_prefix(&format!("TOTAL {tier}"))?.split_whitespace().next());
        let score: f64 = total.and_then(|score| score.parse().ok()).expect("the scorer gives a total for each tier");
        assert!(score >= least, "{tier}: {score}, expected at least {least}");
    }
}
