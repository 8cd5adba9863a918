//! Flows and requests as the captures show them: no names but those that DNS answers give, no joining; printed as they end.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use weir_capture::FileError;
use weir_cluster::objects::Objects;
use weir_cluster::{Resolved, ResolvedLimits, Snapshot, SnapshotOptions, attribute};
use weir_flow::{FlowSink, NoRoom};
use weir_model::tables::RequestRow;
use weir_model::{Exchange, Flow, FlowId, FlowRow, Request, Tap, TapRole};

use super::chosen::Chosen;
use super::said::Said;
use super::{Reading, run_files};
use crate::filter_args::Rows;

/// Prints rows as they come.
pub(super) struct Plain {
    chosen: Chosen,
    tap: Arc<Tap>,
    /// Knows nobody.
    snapshot: Snapshot,
    resolved: Resolved,
    said: Said,
    failed: Option<io::Error>,
}

impl Plain {
    pub(super) fn new(chosen: Chosen) -> Self {
        let tap = Tap { interface: "".into(), role: TapRole::Other, pod: None, sampling: 1 };
        let options = SnapshotOptions { partial: true, ..SnapshotOptions::default() };
        Self {
            chosen,
            tap: Arc::new(tap),
            snapshot: Snapshot::build(&Objects::default(), &options),
            resolved: Resolved::new(ResolvedLimits::unbounded()),
            said: Said::default(),
            failed: None,
        }
    }

    pub(super) fn read(mut self, files: &[PathBuf], reading: &mut Reading) -> Result<Vec<FileError>> {
        let damaged = run_files(files, reading, |path, first_flow, reading| {
            let interface = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
            self.tap = Arc::new(Tap { interface: interface.into(), ..(*self.tap).clone() });
            let damage = reading.run_file(path, first_flow, &mut self);
            self.failed.take().map_or(Ok(damage), |error| Err(error.into()))
        })?;
        self.said.warn();
        self.chosen.finish()?;
        Ok(damaged)
    }

    fn row(&mut self, flow: Flow) -> FlowRow {
        let seen = attribute(&self.snapshot, &self.tap, flow);
        FlowRow::alone(self.resolved.name(&self.snapshot, seen))
    }

    fn say(&mut self, flow: FlowId, request: Request) {
        if self.chosen.shows_said() {
            self.said.add(flow, request);
        }
    }
}

impl FlowSink for Plain {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        if self.chosen.rows() == Rows::Flows && self.failed.is_none() {
            let said = self.said.take(flow.id);
            let row = self.row(flow);
            self.failed = self.chosen.offer_flow(&row, said).err();
        }
        Ok(())
    }

    fn request(&mut self, flow: Flow, request: Request) -> Result<(), NoRoom> {
        let is_shown = self.chosen.rows() == Rows::Requests && self.failed.is_none();
        if !is_shown && !matches!(request.exchange, Exchange::Dns(_)) {
            self.say(flow.id, request);
            return Ok(());
        }
        let row = self.row(flow);
        self.resolved.learn(&row.seen, &request);
        if is_shown {
            self.failed = self.chosen.offer_request(&RequestRow::alone(row, request)).err();
        } else {
            self.say(row.seen.flow.id, request);
        }
        Ok(())
    }
}
