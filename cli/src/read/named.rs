//! Flows and requests with the names of a folder of objects: whose veth each file is, which legs belong together, which
//! is primary.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use weir_capture::FileError;
use weir_cluster::join::{Finality, JoinOptions, Joiner};
use weir_cluster::policy::{PolicyOptions, PolicySet};
use weir_cluster::routing::{Journeys, PairOptions, Routing};
use weir_cluster::{
    Known, OwnerCandidates, Resolved, ResolvedLimits, Snapshot, SnapshotOptions, Timeline, TranslationOptions,
    attribute, manifests, settle_owners,
};
use weir_flow::{FlowSink, NoRoom};
use weir_model::tables::RequestRow;
use weir_model::{
    Coverage, Flow, FlowRow, LinkType, PodRef, PolicyLog, Request, RunId, Tap, TapRole, Timestamp, Translation,
};

use super::chosen::Chosen;
use super::conntrack;
use super::said::Said;
use super::{Reading, run_files};
use crate::args::ReadArgs;
use crate::filter_args::Rows;
use crate::get;

/// Reads everything, then names it.
pub(super) struct Named {
    snapshot: Snapshot,
    policies: Timeline<PolicySet>,
    routes: Timeline<Routing>,
    all_legs: bool,
    chosen: Chosen,
    logs: Vec<PolicyLog>,
    recordings: BTreeMap<String, Recording>,
    translations: Vec<Translation>,
}

/// What one interface's files hold.
#[derive(Default)]
struct Recording {
    flows: Vec<Flow>,
    requests: Vec<(Flow, Request)>,
    /// It holds what a firewall logged, of any interface.
    is_log: bool,
}

impl FlowSink for Recording {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        self.flows.push(flow);
        Ok(())
    }

    fn request(&mut self, flow: Flow, request: Request) -> Result<(), NoRoom> {
        self.requests.push((flow, request));
        Ok(())
    }
}

impl Named {
    pub(super) fn load(dir: &Path, args: &ReadArgs, chosen: Chosen, logs: Vec<PolicyLog>) -> Result<Self> {
        // The same spelling as the programs' is understood too.
        let plain = dir.to_str().and_then(|text| text.strip_prefix("manifests:")).map_or(dir, Path::new);
        let loaded = manifests::load(plain)
            .with_context(|| format!("reading the cluster's objects from {}", plain.display()))?;
        for note in &loaded.notes {
            eprintln!("note: {note}");
        }
        let options = SnapshotOptions { networks: args.cidr_name.clone(), ..SnapshotOptions::default() };
        let snapshot = Snapshot::build(&loaded.objects, &options);
        let policies = Timeline::always(PolicySet::build(&loaded.objects, PolicyOptions::default()));
        let routes = Timeline::always(Routing::build(&loaded.objects, &get::options(&args.gateway)));
        let (recordings, all_legs) = (BTreeMap::new(), args.legs);
        let translations = conntrack::read(&args.conntrack)?;
        Ok(Self { snapshot, policies, routes, all_legs, chosen, logs, recordings, translations })
    }

    pub(super) fn read(mut self, files: &[PathBuf], reading: &mut Reading) -> Result<Vec<FileError>> {
        let damaged = run_files(files, reading, |path, first_flow, reading| {
            let interface = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
            let recording = self.recordings.entry(interface).or_default();
            let damage = reading.run_file(path, first_flow, recording);
            recording.is_log |= reading.link == Some(LinkType::NFLOG);
            Ok(damage)
        })?;
        self.print()?;
        Ok(damaged)
    }

    fn print(mut self) -> Result<()> {
        let recordings = std::mem::take(&mut self.recordings);
        let owners = self.owners(&recordings);
        let translations = TranslationOptions { max: usize::MAX, ..TranslationOptions::default() };
        let options = JoinOptions { max_connections: usize::MAX, translations, ..JoinOptions::default() };
        let mut joiner = Joiner::new(options, None);
        for translation in &self.translations {
            joiner.translate(None, translation, 0);
        }
        let (mut rows, mut requests) = (Vec::new(), Vec::new());
        for (interface, recording) in recordings {
            let pod = owners.get(&interface).cloned();
            let role = if pod.is_some() { TapRole::Pod } else { TapRole::Other };
            let tap = Arc::new(Tap { interface: interface.into(), role, pod, sampling: 1 });
            cover(&mut joiner, &tap, &recording.flows);
            let mut resolved = Resolved::new(ResolvedLimits::unbounded());
            let seen = |flow| attribute(&self.snapshot, &tap, flow);
            let heard: Vec<_> = recording.requests.into_iter().map(|(flow, request)| (seen(flow), request)).collect();
            for (flow, request) in &heard {
                resolved.learn(flow, request);
            }
            let mut row = |seen| FlowRow::alone(resolved.name(&self.snapshot, seen));
            rows.extend(recording.flows.into_iter().map(|flow| row(seen(flow))));
            requests.extend(heard.into_iter().map(|(flow, request)| RequestRow::alone(row(flow), request)));
        }
        rows.sort_by_key(|row| (row.seen.flow.first_ts, row.seen.flow.id));
        for row in &mut rows {
            row.connection = Some(joiner.arrive(row, 0).connection);
        }
        let unread = self.logs.iter().filter(|log| !joiner.log(log)).count();
        if unread > 0 {
            eprintln!(
                "note: {unread} of {} log records decide nothing, or are in no form that is known",
                self.logs.len()
            );
        }
        self.settle(&mut rows, &mut requests, &mut joiner);
        match self.chosen.rows() {
            Rows::Flows => self.print_flows(rows, requests)?,
            Rows::Requests => self.print_requests(requests)?,
        }
        self.chosen.finish()
    }

    /// Fills in what the whole connections show, then which rules their requests met.
    fn settle(&self, rows: &mut [FlowRow], requests: &mut [RequestRow], joiner: &mut Joiner) {
        let known = Known { snapshot: &self.snapshot, policies: &self.policies };
        for row in &mut *rows {
            joiner.settle(row, &self.snapshot, Finality::Final);
            joiner.judge(row, &known, Finality::Final);
        }
        // Requests have no columns of policies.
        for row in &mut *requests {
            joiner.settle(&mut row.flow, &self.snapshot, Finality::Final);
        }
        let mut journeys = Journeys::new(PairOptions { max_requests: usize::MAX, ..PairOptions::default() });
        journeys.arrive(rows, requests, &self.routes, 0);
        journeys.settle(rows, requests, &self.routes, Finality::Final);
    }

    fn print_flows(&mut self, rows: Vec<FlowRow>, requests: Vec<RequestRow>) -> Result<()> {
        let mut said = Said::default();
        if self.chosen.shows_said() {
            for row in requests {
                said.add(row.flow.seen.flow.id, row.request);
            }
        }
        for row in rows {
            if self.is_shown(&row) {
                let said = said.take(row.seen.flow.id);
                self.chosen.offer_flow(&row, said)?;
            }
        }
        said.warn();
        Ok(())
    }

    fn print_requests(&mut self, mut requests: Vec<RequestRow>) -> Result<()> {
        requests.sort_by_key(|row| (row.request.ts, row.flow.seen.flow.id));
        for row in requests {
            if self.is_shown(&row.flow) {
                self.chosen.offer_request(&row)?;
            }
        }
        Ok(())
    }

    fn is_shown(&self, row: &FlowRow) -> bool {
        self.all_legs || row.is_primary != Some(false)
    }

    fn owners(&self, recordings: &BTreeMap<String, Recording>) -> BTreeMap<String, PodRef> {
        let taps = recordings.iter().filter(|(_, recording)| !recording.is_log);
        let narrowed = taps.map(|(interface, recording)| {
            let mut candidates = OwnerCandidates::default();
            for flow in &recording.flows {
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
