//! The policies to try out, as they are given: files to read, names to take away. All that is wrong is told at once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use weir_cluster::backtest::{Candidate, Changes};
use weir_cluster::manifests::{self, Note};
use weir_cluster::objects::{Object, ObjectKey, ObjectKind};
use weir_service::exit::Usage;

use super::lines::Lines;

/// A candidate, and where its objects are written.
pub(crate) struct Given {
    pub(crate) candidate: Candidate,
    /// Where each object comes from.
    pub(crate) places: BTreeMap<ObjectKey, Place>,
}

/// Where an object is written.
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    pub(crate) lines: Lines,
}

impl Given {
    /// Reads `files`. Objects without a namespace get `namespace`.
    pub(crate) fn read(files: &[PathBuf], namespace: &str) -> Result<Self> {
        let mut given = Self { candidate: Candidate::default(), places: BTreeMap::new() };
        let mut problems = Vec::new();
        for path in files.iter().map(|path| within(path)).collect::<Result<Vec<_>>>()?.concat() {
            let text = std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            given.take(&path, &text, namespace, &mut problems);
        }
        if problems.is_empty() { Ok(given) } else { Err(Usage(problems.join("\n")).into()) }
    }

    fn take(&mut self, path: &Path, text: &str, namespace: &str, problems: &mut Vec<String>) {
        let loaded = match manifests::parse(text, &path.to_string_lossy()) {
            Ok(loaded) => loaded,
            Err(error) => return problems.push(error.to_string()),
        };
        for note in &loaded.notes {
            // What is wrong with a policy would cost its rule silently.
            if matches!(note, Note::Fault(_)) {
                problems.push(note.to_string());
            } else {
                eprintln!("note: {note}");
            }
        }
        for (key, object) in loaded.objects.iter() {
            if !key.kind.is_policy() {
                eprintln!("note: {}: {key} is no policy and changes nothing here", path.display());
                continue;
            }
            let lines = Lines::find(text, key);
            let object = in_namespace(object, namespace, lines.says_namespace());
            let key = object.key();
            self.candidate.put.retain(|other| other.key() != key);
            self.candidate.put.push(object);
            self.places.insert(key, Place { path: path.to_owned(), lines });
        }
    }

    /// Takes policies away. Each has to have been there at some time.
    pub(crate) fn remove(&mut self, names: &[String], changes: &Changes) -> Result<()> {
        for name in names {
            let key = key(name).ok_or_else(|| {
                Usage(format!("--remove {name}: not [KIND/]NAMESPACE/NAME, or KIND/NAME of a kind without namespace"))
            })?;
            if !changes.policies().any(|known| *known == key) {
                return Err(Usage(format!("--remove {name}: no such policy is stored: {key}")).into());
            }
            self.candidate.removed.push(key);
        }
        Ok(())
    }
}

/// The manifests of a folder, or the file itself.
fn within(path: &Path) -> Result<Vec<PathBuf>> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("reading {}", path.display()))?;
    let mut files = entries.map(|entry| entry.map(|entry| entry.path())).collect::<std::io::Result<Vec<_>>>()?;
    files.retain(|path| {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        ["yaml", "yml", "json"].contains(&ending)
    });
    files.sort();
    Ok(files)
}

/// The object in the namespace, where it says none of its own.
fn in_namespace(object: &Object, namespace: &str, says_own: bool) -> Object {
    let mut object = object.clone();
    if let Object::NetworkPolicy(policy) = &mut object
        && !says_own
    {
        policy.metadata.namespace = Arc::from(namespace);
    }
    object
}

/// `NetworkPolicy/shop/web`, `shop/web`, `anp/name`.
fn key(name: &str) -> Option<ObjectKey> {
    let parts: Vec<&str> = name.split('/').collect();
    let (kind, namespace, name) = match parts[..] {
        [kind, namespace, name] => (policy_kind(kind)?, namespace, name),
        [first, name] => policy_kind(first)
            .filter(|kind| !kind.is_namespaced())
            .map_or((ObjectKind::NetworkPolicy, first, name), |kind| (kind, "", name)),
        _ => return None,
    };
    let is_whole = !name.is_empty() && (kind.is_namespaced() != namespace.is_empty());
    is_whole.then(|| ObjectKey { kind, namespace: namespace.into(), name: name.into() })
}

/// A kind by its name, or as kubectl shortens it.
fn policy_kind(name: &str) -> Option<ObjectKind> {
    let name = name.to_ascii_lowercase();
    match &*name {
        "netpol" | "networkpolicies" => Some(ObjectKind::NetworkPolicy),
        "anp" => Some(ObjectKind::AdminNetworkPolicy),
        "banp" => Some(ObjectKind::BaselineAdminNetworkPolicy),
        "cnp" => Some(ObjectKind::ClusterNetworkPolicy),
        name => {
            let mut policies = ObjectKind::ALL.iter().copied().filter(|kind| kind.is_policy());
            policies.find(|kind| kind.name().eq_ignore_ascii_case(name))
        }
    }
}
