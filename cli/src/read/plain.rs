//! Flows as the captures show them: no names, no joining; printed as they end.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Result;
use weir_capture::FileError;
use weir_flow::FlowSink;
use weir_model::{AttributedFlow, Endpoint, Flow, FlowRow, Tap, TapRole};

use super::{Chosen, Totals, run_file, run_files};

/// Prints flows as they come.
pub(super) struct Plain {
    chosen: Chosen,
    tap: Arc<Tap>,
    nobody: Arc<Endpoint>,
    failed: Option<io::Error>,
}

impl Plain {
    pub(super) fn new(chosen: Chosen) -> Self {
        let tap = Tap { interface: "".into(), role: TapRole::Other, pod: None, sampling: 1 };
        Self { chosen, tap: Arc::new(tap), nobody: Arc::default(), failed: None }
    }

    pub(super) fn read(mut self, files: &[PathBuf], totals: &mut Totals) -> Result<Vec<FileError>> {
        let damaged = run_files(files, totals, |path, first_flow, totals| {
            let interface = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
            self.tap = Arc::new(Tap { interface: interface.into(), ..(*self.tap).clone() });
            let damage = run_file(path, first_flow, &mut self, totals)?;
            self.failed.take().map_or(Ok(damage), |error| Err(error.into()))
        })?;
        self.chosen.finish()?;
        Ok(damaged)
    }
}

impl FlowSink for Plain {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        let row = FlowRow::alone(AttributedFlow {
            flow,
            tap: Arc::clone(&self.tap),
            leg: None,
            src: Arc::clone(&self.nobody),
            dst: Arc::clone(&self.nobody),
            service: None,
        });
        if self.failed.is_none() {
            self.failed = self.chosen.offer(&row).err();
        }
        Ok(())
    }
}
