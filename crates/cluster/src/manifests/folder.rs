//! Finds and reads the manifest files below a folder. The only part of this crate that touches the disk.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::{Harvest, Loaded, ManifestError, Problem, Salvage};

/// Bytes of one file at most.
pub const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;
/// Folders within each other at most.
pub const MAX_DEPTH: usize = 32;

/// Reads every `*.yaml`, `*.yml` and `*.json` below `dir` in the order of their paths; `dir` may also be a file.
///
/// Names that start with a dot are passed over (a mounted `ConfigMap` keeps its old versions there). Links are
/// followed, each folder once. An object given twice is the later one, with a note.
///
/// One thing that cannot be read is an error: who needs to know whose an address is must know every object.
pub fn load(dir: &Path) -> Result<Loaded, ManifestError> {
    salvage(dir).whole()
}

/// As [`load`], but what cannot be read is left out, and told.
pub fn salvage(dir: &Path) -> Salvage {
    let mut harvest = Harvest::default();
    let mut found = Found::default();
    match fs::metadata(dir) {
        Ok(metadata) if metadata.is_dir() => found.folder(dir, 0, &mut harvest.problems),
        Ok(_) => found.files.push(dir.to_owned()),
        Err(reason) => harvest.problems.push(Problem::Read { path: dir.to_owned(), reason }),
    }
    for path in found.files {
        match text(&path) {
            Ok(text) => harvest.read(&text, &path.to_string_lossy()),
            Err(problem) => harvest.problems.push(problem),
        }
    }
    harvest.finish()
}

/// Files found so far, in order.
#[derive(Default)]
struct Found {
    files: Vec<PathBuf>,
    seen: BTreeSet<PathBuf>,
}

impl Found {
    fn folder(&mut self, dir: &Path, depth: usize, problems: &mut Vec<Problem>) {
        if depth > MAX_DEPTH {
            return problems.push(Problem::TooDeep { path: dir.to_owned(), max: MAX_DEPTH });
        }
        let entries = fs::canonicalize(dir).and_then(|real| {
            if !self.seen.insert(real) {
                return Ok(Vec::new());
            }
            fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()
        });
        let mut entries = match entries {
            Ok(entries) => entries,
            Err(reason) => return problems.push(Problem::Read { path: dir.to_owned(), reason }),
        };
        entries.sort();
        for path in entries {
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
                continue;
            }
            match fs::metadata(&path) {
                Ok(metadata) if metadata.is_dir() => self.folder(&path, depth + 1, problems),
                Ok(metadata) if metadata.is_file() && is_manifest(&path) => self.files.push(path),
                Err(reason) if is_manifest(&path) => problems.push(Problem::Read { path, reason }),
                Ok(_) | Err(_) => {}
            }
        }
    }
}

fn is_manifest(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ["yaml", "yml", "json"].iter().any(|known| ending.eq_ignore_ascii_case(known)))
}

fn text(path: &Path) -> Result<String, Problem> {
    let read = |reason| Problem::Read { path: path.to_owned(), reason };
    let file = fs::File::open(path).map_err(read)?;
    let bytes = file.metadata().map_err(read)?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(Problem::TooLarge { path: path.to_owned(), bytes, max: MAX_FILE_BYTES });
    }
    let mut content = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut content).map_err(read)?;
    String::from_utf8(content)
        .map_err(|error| Problem::NotText { path: path.to_owned(), offset: error.utf8_error().valid_up_to() })
}
