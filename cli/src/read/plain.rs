//! Flows and requests as the captures show them: no names, no joining; printed as they end.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use weir_capture::FileError;
use weir_flow::{FlowSink, NoRoom};
use weir_model::tables::RequestRow;
use weir_model::{AttributedFlow, Endpoint, Flow, FlowRow, Request, Tap, TapRole};

use super::chosen::Chosen;
use super::said::Said;
use super::{Reading, run_files};
use crate::filter_args::Rows;

/// Prints rows as they come.
pub(super) struct Plain {
    chosen: Chosen,
    tap: Arc<Tap>,
    nobody: Arc<Endpoint>,
    said: Said,
    failed: Option<io::Error>,
}

impl Plain {
    pub(super) fn new(chosen: Chosen) -> Self {
        let tap = Tap { interface: "".into(), role: TapRole::Other, pod: None, sampling: 1 };
        Self { chosen, tap: Arc::new(tap), nobody: Arc::default(), said: Said::default(), failed: None }
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

    fn row(&self, flow: Flow) -> FlowRow {
        FlowRow::alone(AttributedFlow {
            flow,
            tap: Arc::clone(&self.tap),
            leg: None,
            src: Arc::clone(&self.nobody),
            dst: Arc::clone(&self.nobody),
            service: None,
        })
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
        match self.chosen.rows() {
            Rows::Flows if self.chosen.shows_said() => self.said.add(flow.id, request),
            Rows::Requests if self.failed.is_none() => {
                let row = RequestRow { flow: self.row(flow), request };
                self.failed = self.chosen.offer_request(&row).err();
            }
            Rows::Flows | Rows::Requests => {}
        }
        Ok(())
    }
}
