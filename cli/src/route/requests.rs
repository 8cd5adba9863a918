//! A file of requests: one JSON value a line, or one array. Values come out in their order; a line that is no JSON is
//! an error of its own.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

/// Bytes of a file at most.
const MAX_BYTES: u64 = 1 << 30;

/// Reads requests; `-` is standard input.
pub(super) fn read(path: &Path) -> Result<Vec<Result<Value, String>>> {
    let text = text(path).with_context(|| format!("reading requests from {}", path.display()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    if text.trim_start().starts_with('[') {
        let all: Vec<Value> =
            serde_json::from_str(text).with_context(|| format!("reading requests from {}", path.display()))?;
        return Ok(all.into_iter().map(Ok).collect());
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    Ok(lines.map(|(number, line)| one(line).map_err(|error| format!("line {}: {error}", number + 1))).collect())
}

fn one(line: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(line)
}

fn text(path: &Path) -> Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        io::stdin().lock().take(MAX_BYTES).read_to_string(&mut text)?;
    } else {
        let file = File::open(path)?;
        if file.metadata()?.len() > MAX_BYTES {
            bail!("larger than {MAX_BYTES} bytes");
        }
        file.take(MAX_BYTES).read_to_string(&mut text)?;
    }
    Ok(text)
}
