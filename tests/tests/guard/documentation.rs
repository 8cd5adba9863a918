//! Pages: generated ones equal what they are generated from, and what pages name exists.

use std::fs;
use std::path::{Path, PathBuf};

use weir_tests::{examples, tables_page};

/// Folders that a path in a page can begin with.
const FOLDERS: [&str; 12] =
    [".ci", ".config", "agent", "cli", "collector", "crates", "deploy", "docs", "fuzz", "proto", "scripts", "tests"];
const ENDINGS: [&str; 5] = [".md", ".toml", ".rs", ".proto", ".sh"];

fn pages() -> Vec<(PathBuf, String)> {
    let root = examples::workspace();
    let entries =
        [root.to_owned(), root.join("docs")].into_iter().flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let paths = entries.map(|entry| entry.expect("a folder entry").path());
    let pages = paths.filter(|path| path.extension().is_some_and(|ending| ending == "md"));
    pages.map(|path| (path.clone(), fs::read_to_string(path).expect("pages are text"))).collect()
}

fn targets() -> Vec<String> {
    let makefile = fs::read_to_string(examples::workspace().join("Makefile")).expect("the Makefile");
    let rules = makefile.lines().filter_map(|line| line.split_once(':').map(|(name, _)| name));
    rules.filter(|name| name.chars().all(|c| c.is_ascii_lowercase())).map(str::to_owned).collect()
}

/// Inline code, and lines of code blocks.
fn code(text: &str) -> Vec<&str> {
    let mut code = Vec::new();
    let mut in_block = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            in_block = !in_block;
        } else if in_block || line.starts_with("    ") {
            code.push(line.trim().trim_start_matches("$ "));
        } else {
            code.extend(line.split('`').skip(1).step_by(2));
        }
    }
    code
}

/// Targets of links within the repository.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')').map(|(target, _)| target));
    targets.filter(|target| !target.contains("://") && !target.starts_with('#'))
}

fn is_path(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    let first = text.split('/').next().unwrap_or_default();
    text.chars().all(plain)
        && (text.contains('/') && FOLDERS.contains(&first)
            || !text.contains('/') && ENDINGS.iter().any(|ending| text.len() > ending.len() && text.ends_with(ending)))
}

#[test]
fn documentation_of_the_tables_is_made_from_their_columns() {
    let path = examples::workspace().join("docs/tables.md");
    let page = tables_page::markdown();
    if examples::update() {
        fs::write(&path, &page).expect("docs/tables.md can be written");
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == page, "docs/tables.md is old: run `make doc`");
}

#[test]
fn pages_name_files_that_exist() {
    let root = examples::workspace();
    for (page, text) in pages() {
        let beside = page.parent().unwrap_or(root);
        for name in code(&text).into_iter().filter(|name| is_path(name)) {
            assert!(root.join(name).exists() || beside.join(name).exists(), "{}: no such file: {name}", page.display());
        }
        for target in links(&text) {
            let file = target.split('#').next().unwrap_or_default();
            assert!(beside.join(file).exists(), "{}: dead link: {target}", page.display());
        }
    }
}

#[test]
fn pages_name_make_targets_that_exist() {
    let targets = targets();
    assert!(targets.iter().any(|target| target == "test"), "{targets:?}");
    for (page, text) in pages() {
        for command in code(&text) {
            let Some(target) = command.strip_prefix("make ").and_then(|rest| rest.split_whitespace().next()) else {
                continue;
            };
            assert!(targets.iter().any(|known| known == target), "{}: no such target: {target}", page.display());
        }
    }
}

#[test]
fn pages_and_the_reader_of_them_agree_on_what_a_path_is() {
    for path in ["docs/tables.md", "crates/model", "CONTRIBUTING.md", ".config/nextest.toml"] {
        assert!(is_path(path), "{path}");
    }
    for other in ["namespace/name", "make test", "src/dst", "https://x", ".rs", "web.shop", "crates/*"] {
        assert!(!is_path(other), "{other}");
    }
    assert_eq!(code("a `b` c `d`\n```\n$ make x\n```\n"), ["b", "d", "make x"]);
    assert!(Path::new(examples::workspace()).join("Makefile").exists());
}
