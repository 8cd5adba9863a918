//! Where things lie: the workspace, the recordings of the lab, and the larger examples beside the checkout.

use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The recordings of the lab, `MODE/SCENARIO/...`; see their README.
pub fn lab_capture() -> PathBuf {
    workspace().join("tests/lab-capture")
}

/// The folder of examples that are too large for the repository: `WEIR_EXAMPLES`, or `../shared/examples`. `None` where
/// there is none; with `CI=true` that is a failure of the test, never a silent skip.
pub fn external() -> Option<PathBuf> {
    let folder = variable("WEIR_EXAMPLES").map_or_else(|| workspace().join("../shared/examples"), PathBuf::from);
    let exists = folder.is_dir();
    assert!(exists || !in_ci(), "no examples: {}; set WEIR_EXAMPLES", folder.display());
    exists.then_some(folder)
}

/// Whether generated pages are written anew instead of compared: `WEIR_UPDATE=1`.
pub fn update() -> bool {
    variable("WEIR_UPDATE").is_some_and(|value| value == "1")
}

/// The seed of tests that throw dice: `WEIR_SEED`.
pub fn seed() -> Option<u64> {
    variable("WEIR_SEED").and_then(|seed| seed.parse().ok())
}

/// The Python that `scripts/setup` makes, with DuckDB in it. `None` where there is none; a failure with `CI=true`.
pub fn python() -> Option<PathBuf> {
    let python = workspace().join(".venv/bin/python");
    assert!(python.exists() || !in_ci(), "no {}: run scripts/setup", python.display());
    python.exists().then_some(python)
}

/// Whether every test must run, whatever it needs: `CI=true`.
pub fn in_ci() -> bool {
    variable("CI").is_some_and(|value| value == "true")
}

#[expect(clippy::disallowed_methods, reason = "tests are steered by variables, not by a program's configuration")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
