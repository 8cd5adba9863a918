//! What the `conntrack` program printed: a file in, how the node rewrote connections out.

use std::fs::File;
use std::io::{BufReader, Read, stdin};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use weir_cluster::conntrack::{Entries, Text};
use weir_model::Translation;

/// Entries that are told apart; what is beyond is told twice.
const ENTRIES: usize = 1_000_000;

/// Every entry of the files that rewrites a connection. Whose nodes they are of is not known, so the others tell nothing.
/// Lines that are no entries are counted on stderr, the first one of each file is named.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<Translation>> {
    let read: Vec<Vec<Translation>> = paths.iter().map(|path| read_one(path)).collect::<Result<_>>()?;
    Ok(read.concat())
}

fn read_one(path: &Path) -> Result<Vec<Translation>> {
    let input: Box<dyn Read> = if path == Path::new("-") {
        Box::new(stdin())
    } else {
        Box::new(File::open(path).with_context(|| format!("opening {}", path.display()))?)
    };
    let (mut text, mut entries) = (Text::new(BufReader::new(input)), Entries::new(ENTRIES));
    let mut told = Vec::new();
    while let Some(event) = text.next_event().with_context(|| format!("reading {}", path.display()))? {
        told.extend(entries.learn(&event).filter(Translation::rewrites));
    }
    if let Some(problem) = text.problem() {
        let lines = text.malformed();
        eprintln!("warning: {}: {lines} lines are no entries of conntrack, first {problem}", path.display());
    }
    Ok(told)
}
