//! `weir policy eval`: probes in, one answer for each in their order, without a cluster.
//!
//! A bad probe is answered with what is wrong with it. What is wrong with objects costs only them; it goes to stderr, and
//! into the answers that it may touch.

use std::io::{self, BufWriter, Read as _, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use weir_cluster::manifests;
use weir_cluster::policy::{PolicyOptions, PolicySet};

use super::answer::Answer;
use super::notes::{Notes, same_priority};
use super::probe::{Probe, Probes};
use crate::args::{EvalArgs, LineFormat};

/// Answers every probe.
pub(crate) fn eval(args: &EvalArgs) -> Result<()> {
    let options = PolicyOptions { ipblock_matches_pods: args.ipblock_matches_pods, partial: false };
    let (set, notes) = load(&args.cluster, options)?;
    let text = read(&args.probes).with_context(|| format!("reading probes from {}", args.probes.display()))?;
    let mut out = BufWriter::new(anstream::stdout());
    let (mut all, mut unmet, mut bad) = (0_u64, 0_u64, 0_u64);
    for written in Probes::new(&text) {
        let probe = Probe::read(&written, &set, &notes);
        let answer = Answer::new(&written, probe.as_ref(), &set, &notes);
        match args.output {
            LineFormat::Json => answer.write_json(&mut out)?,
            LineFormat::Text => answer.write_text(&mut out)?,
        }
        all += 1;
        unmet += u64::from(answer.is_unmet());
        bad += u64::from(probe.is_err());
    }
    out.flush()?;
    if args.strict && notes.len() > 0 {
        bail!("{} faults in the objects", notes.len());
    }
    match (unmet, bad) {
        (0, 0) => Ok(()),
        (unmet, 0) => bail!("{unmet} of {all} probes are not answered as expected"),
        (0, bad) => bail!("{bad} of {all} probes are bad"),
        (unmet, bad) => bail!("{unmet} of {all} probes are not answered as expected, {bad} are bad"),
    }
}

/// The policies of a folder of objects.
fn load(dir: &Path, options: PolicyOptions) -> Result<(PolicySet, Notes)> {
    // The same spelling as the programs' is understood too.
    let plain = dir.to_str().and_then(|text| text.strip_prefix("manifests:")).map_or(dir, Path::new);
    let salvage = manifests::salvage(plain);
    if salvage.loaded.objects.is_empty() {
        let reading = || format!("reading the cluster's objects from {}", plain.display());
        salvage.whole().with_context(reading)?;
        return Err(anyhow!("no objects in any *.yaml, *.yml or *.json")).with_context(reading);
    }
    for note in &salvage.loaded.notes {
        eprintln!("note: {note}");
    }
    for problem in &salvage.problems {
        eprintln!("note: left out: {problem}");
    }
    let set = PolicySet::build(&salvage.loaded.objects, options);
    for (first, second) in set.ambiguous() {
        eprintln!("note: {}", same_priority(first, second));
    }
    let notes = Notes::new(&salvage, &set);
    Ok((set, notes))
}

/// The text of the probes. Bytes that are no text make their probe a bad one, not the whole file.
fn read(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(path)?.read_to_end(&mut bytes)?;
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
