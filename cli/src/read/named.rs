//! Flows with the names of a folder of objects: whose veth each file is, which legs belong together, which is primary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use weir_capture::FileError;
use weir_cluster::join::{Finality, JoinOptions, Joiner};
use weir_cluster::{OwnerCandidates, Snapshot, SnapshotOptions, attribute, manifests, settle_owners};
use weir_model::{Coverage, Flow, FlowRow, PodRef, RunId, Tap, TapRole, Timestamp};

use super::{Chosen, Totals, run_file, run_files};

/// Reads everything, then names it.
pub(super) struct Named {
    snapshot: Snapshot,
    all_legs: bool,
    chosen: Chosen,
    recordings: BTreeMap<String, Vec<Flow>>,
}

impl Named {
    pub(super) fn load(dir: &Path, all_legs: bool, chosen: Chosen) -> Result<Self> {
        // The same spelling as the programs' is understood too.
        let plain = dir.to_str().and_then(|text| text.strip_prefix("manifests:")).map_or(dir, Path::new);
        let loaded = manifests::load(plain)
            .with_context(|| format!("reading the cluster's objects from {}", plain.display()))?;
        for note in &loaded.notes {
            eprintln!("note: {note}");
        }
        let snapshot = Snapshot::build(&loaded.objects, &SnapshotOptions::default());
        Ok(Self { snapshot, all_legs, chosen, recordings: BTreeMap::new() })
    }

    pub(super) fn read(mut self, files: &[PathBuf], totals: &mut Totals) -> Result<Vec<FileError>> {
        let damaged = run_files(files, totals, |path, first_flow, totals| {
            let interface = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            run_file(path, first_flow, self.recordings.entry(interface).or_default(), totals)
        })?;
        self.print()?;
        Ok(damaged)
    }

    fn print(mut self) -> Result<()> {
        let recordings = std::mem::take(&mut self.recordings);
        let owners = self.owners(&recordings);
        let mut joiner = Joiner::new(JoinOptions { max_connections: usize::MAX, ..JoinOptions::default() }, None);
        let mut rows = Vec::new();
        for (interface, flows) in recordings {
            let pod = owners.get(&interface).cloned();
            let role = if pod.is_some() { TapRole::Pod } else { TapRole::Other };
            let tap = Arc::new(Tap { interface: interface.into(), role, pod, sampling: 1 });
            cover(&mut joiner, &tap, &flows);
            rows.extend(flows.into_iter().map(|flow| FlowRow::alone(attribute(&self.snapshot, &tap, flow))));
        }
        rows.sort_by_key(|row| (row.seen.flow.first_ts, row.seen.flow.id));
        for row in &mut rows {
            row.connection = Some(joiner.arrive(row, 0).connection);
        }
        for mut row in rows {
            joiner.settle(&mut row, &self.snapshot, Finality::Final);
            if self.all_legs || row.is_primary != Some(false) {
                self.chosen.offer(&row)?;
            }
        }
        self.chosen.finish()
    }

    fn owners(&self, recordings: &BTreeMap<String, Vec<Flow>>) -> BTreeMap<String, PodRef> {
        let narrowed = recordings.iter().map(|(interface, flows)| {
            let mut candidates = OwnerCandidates::default();
            for flow in flows {
                candidates.narrow(flow, &self.snapshot, None);
            }
            (interface.clone(), candidates)
        });
        settle_owners(narrowed.collect())
    }
}

/// A file watched its pod from its first to its last packet.
fn cover(joiner: &mut Joiner, tap: &Tap, flows: &[Flow]) {
    let from_ts = flows.iter().map(|flow| flow.first_ts).min().unwrap_or_default();
    let to_ts: Option<Timestamp> = flows.iter().map(|flow| flow.last_ts).max();
    let interface = Some(Arc::clone(&tap.interface));
    let span = Coverage { interface, role: tap.role, pod: tap.pod.clone(), from_ts, to_ts, reason: None };
    joiner.cover(&"".into(), RunId(0), &span);
}
