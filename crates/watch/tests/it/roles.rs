//! The rights that the documentation gives are those that are needed.

use std::collections::BTreeSet;
use std::path::Path;

use weir_watch::Kind;

fn words(line: &str, key: &str) -> Vec<String> {
    let list = line.trim().trim_start_matches("- ").strip_prefix(key).unwrap_or_default();
    let list = list.trim().trim_start_matches('[').trim_end_matches(']');
    list.split(", ").map(|word| word.trim_matches('"').to_owned()).collect()
}

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The groups and resources that the roles in a text may list and watch.
fn granted(text: &str) -> BTreeSet<(String, String)> {
    let mut groups = Vec::new();
    let mut granted = BTreeSet::new();
    for line in text.lines().map(str::trim) {
        if line.starts_with("- apiGroups:") {
            groups = words(line, "apiGroups:");
        } else if line.starts_with("resources:") {
            let resources = words(line, "resources:");
            granted.extend(
                groups.iter().flat_map(|group| resources.iter().map(move |name| (group.clone(), name.clone()))),
            );
        } else if line.starts_with("verbs:") {
            assert_eq!(words(line, "verbs:"), ["list", "watch"]);
        }
    }
    granted
}

#[test]
fn the_documented_role_and_the_deployed_one_list_and_watch_every_kind_and_no_other() {
    let page = read("docs/kubernetes.md");
    let needed: BTreeSet<_> =
        Kind::ALL.iter().map(|kind| (kind.group().to_owned(), kind.plural().to_owned())).collect();
    assert_eq!(granted(&page), needed, "docs/kubernetes.md");
    assert_eq!(granted(&read("deploy/base/rbac.yaml")), needed, "deploy/base/rbac.yaml");
    for kind in Kind::ALL {
        assert!(page.contains(&format!("| {} |", kind.plural())), "{} is explained", kind.plural());
    }
}
