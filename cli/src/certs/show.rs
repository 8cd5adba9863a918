//! `weir certs show`: whose certificates are, and when they end.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;
use weir_model::Timestamp;
use weir_service::tls::Facts;

use super::folder::{Folder, facts};
use crate::args::{CertsShowArgs, LineFormat};

const DAY_S: i64 = 86_400;

/// Prints what certificates say.
pub(super) fn show(args: &CertsShowArgs, now_s: i64) -> Result<()> {
    let is_folder = args.path.is_dir();
    let paths = if is_folder { Folder::new(&args.path).certificates()? } else { vec![args.path.clone()] };
    anyhow::ensure!(!paths.is_empty(), "no certificates in {}", args.path.display());
    print(&paths, args.output, now_s)
}

/// Prints what the certificates of a folder say.
pub(super) fn show_folder(folder: &Folder, now_s: i64) -> Result<()> {
    print(&folder.certificates()?, LineFormat::Text, now_s)
}

fn print(paths: &[PathBuf], format: LineFormat, now_s: i64) -> Result<()> {
    let width = paths.iter().map(|path| path.display().to_string().len()).max().unwrap_or_default();
    let mut out = io::stdout().lock();
    for path in paths {
        let facts = facts(path)?;
        let line = match format {
            LineFormat::Text => text(path, width, &facts, now_s),
            LineFormat::Json => json(path, &facts).to_string(),
        };
        writeln!(out, "{line}").context("writing to stdout")?;
    }
    Ok(())
}

fn text(path: &Path, width: usize, facts: &Facts, now_s: i64) -> String {
    let what = match facts {
        Facts { is_ca: true, .. } => "CA",
        Facts { for_server: true, for_client: true, .. } => "both",
        Facts { for_server: true, .. } => "server",
        Facts { for_client: true, .. } => "client",
        _ => "neither",
    };
    let left = facts.ends_at_s - now_s;
    let when = if left < 0 { "ENDED".to_owned() } else { format!("ends in {} days", left / DAY_S) };
    let date = date(facts.ends_at_s);
    let names = facts.names.join(" ");
    format!("{:width$}  {what:<6}  {when}, {date}  {names}", path.display()).trim_end().to_owned()
}

fn json(path: &Path, facts: &Facts) -> serde_json::Value {
    json!({
        "path": path.display().to_string(),
        "names": facts.names,
        "is_ca": facts.is_ca,
        "for_server": facts.for_server,
        "for_client": facts.for_client,
        "begins_at": time(facts.begins_at_s),
        "ends_at": time(facts.ends_at_s),
    })
}

fn time(seconds: i64) -> String {
    Timestamp(seconds.saturating_mul(1_000_000_000)).rfc3339()
}

fn date(seconds: i64) -> String {
    time(seconds).chars().take(10).collect()
}
