//! Size and names of source files.

use std::fs;
use std::path::{Path, PathBuf};

use weir_tests::examples;

const LINES: usize = 600;
const NAMES: [&str; 9] = ["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc", "mod"];
const NOT_SOURCE: [&str; 4] = ["target", "lab-capture", "demo", "lake"];

/// Every Rust file of the workspace, generated ones apart, relative to its root.
fn sources() -> Vec<(PathBuf, String)> {
    let mut folders = vec![examples::workspace().to_owned()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder of the workspace") {
            let path = entry.expect("a folder entry").path();
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if path.is_dir() && !path.is_symlink() && !name.starts_with('.') && !NOT_SOURCE.contains(&name.as_str()) {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("source is text");
                if !text.lines().take(3).any(|line| line.contains("@generated")) {
                    let path = path.strip_prefix(examples::workspace()).map(Path::to_owned).unwrap_or(path);
                    sources.push((path, text));
                }
            }
        }
    }
    assert!(sources.len() > 50, "only {} files were found", sources.len());
    sources
}

fn is_test(path: &Path) -> bool {
    path.file_stem().is_some_and(|stem| stem == "tests") || path.iter().any(|part| part == "tests")
}

#[test]
fn no_file_is_longer_than_its_noun() {
    for (path, text) in sources() {
        let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
        assert!(
            is_test(&path) || lines <= LINES,
            "{}: {lines} lines without tests, {LINES} are the most",
            path.display()
        );
    }
}

#[test]
fn every_module_is_named_after_what_it_owns() {
    for (path, _) in sources() {
        for part in &path.with_extension("") {
            assert!(!NAMES.iter().any(|name| part == *name), "{}: a name that says nothing", path.display());
        }
    }
}

#[test]
fn every_file_says_first_what_it_does() {
    for (path, text) in sources() {
        let is_unit_test = path.file_stem().is_some_and(|stem| stem == "tests");
        let first = text.lines().next().unwrap_or_default();
        assert!(is_unit_test || is_test(&path) || first.starts_with("//! "), "{}: {first}", path.display());
    }
}
