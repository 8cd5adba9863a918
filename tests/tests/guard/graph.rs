//! Which crate may know which: the table of CONTRIBUTING.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use weir_tests::examples;

const LIBRARIES: &[&str] = &[
    "weir-model",
    "weir-capture",
    "weir-flow",
    "weir-cluster",
    "weir-journal",
    "weir-store",
    "weir-service",
    "weir-proto",
    "weir-watch",
];

/// Each crate and what it may depend on.
const GRAPH: [(&str, &[&str]); 13] = [
    ("weir-model", &[]),
    ("weir-journal", &[]),
    ("weir-service", &[]),
    ("weir-watch", &[]),
    ("weir-capture", &["weir-model"]),
    ("weir-flow", &["weir-model"]),
    ("weir-cluster", &["weir-model"]),
    ("weir-store", &["weir-model"]),
    ("weir-proto", &["weir-model"]),
    (
        "weir-agent",
        &[
            "weir-model",
            "weir-capture",
            "weir-flow",
            "weir-cluster",
            "weir-journal",
            "weir-proto",
            "weir-service",
            "weir-watch",
        ],
    ),
    (
        "weir-collector",
        &["weir-model", "weir-cluster", "weir-journal", "weir-proto", "weir-store", "weir-service", "weir-watch"],
    ),
    ("weir-cli", LIBRARIES),
    ("weir-tests", LIBRARIES),
];

fn metadata() -> Metadata {
    let manifest = examples::workspace().join("Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata works in this workspace")
}

/// The crates of this workspace that `package` depends on, to be built (`false`) or for its tests only (`true`).
fn ours(package: &Package, for_tests: bool) -> BTreeSet<&str> {
    let wanted = |kind: DependencyKind| (kind == DependencyKind::Development) == for_tests;
    let all = package.dependencies.iter().filter(|dependency| wanted(dependency.kind));
    all.map(|dependency| dependency.name.as_str()).filter(|name| name.starts_with("weir-")).collect()
}

#[test]
fn crates_depend_on_nothing_but_what_the_graph_allows() {
    let metadata = metadata();
    let graph: BTreeMap<_, _> = GRAPH.into_iter().collect();
    let names: BTreeSet<_> = metadata.packages.iter().map(|package| package.name.as_str()).collect();
    assert_eq!(names, graph.keys().copied().collect(), "every crate is in the graph");
    for package in &metadata.packages {
        let allowed = graph.get(package.name.as_str()).copied().unwrap_or_default();
        for edge in ours(package, false) {
            assert!(allowed.contains(&edge), "{} must not depend on {edge}", package.name);
        }
    }
}

#[test]
fn tests_of_a_crate_use_libraries_only() {
    for package in &metadata().packages {
        for edge in ours(package, true) {
            assert!(LIBRARIES.contains(&edge), "the tests of {} depend on {edge}", package.name);
        }
    }
}

#[test]
fn every_crate_takes_lints_and_edition_from_the_workspace() {
    for package in &metadata().packages {
        let manifest = fs::read_to_string(&package.manifest_path).expect("a manifest");
        let mut lines = manifest.lines().map(str::trim).skip_while(|line| *line != "[lints]");
        assert_eq!((lines.next(), lines.next()), (Some("[lints]"), Some("workspace = true")), "{}", package.name);
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            assert!(manifest.contains(&format!("\n{key}.workspace = true\n")), "{}: {key}", package.name);
        }
    }
}
