//! Capture files through the engine.

use std::path::{Path, PathBuf};

use weir_capture::CaptureFile;
use weir_flow::{FlowSink, IdleTimes, NoRoom, Tracker, TrackerConfig};
use weir_model::{EndReason, Flow, FlowId, Request};

/// The examples' folder; `None` = absent, which only passes outside CI.
#[expect(clippy::disallowed_methods, reason = "a test finds its examples by the environment")]
pub(crate) fn examples() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/examples");
    let folder = std::env::var_os("WEIR_EXAMPLES").map_or(default, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no examples at {}", folder.display());
    eprintln!("skipped: no examples at {} (set WEIR_EXAMPLES)", folder.display());
    None
}

/// What a file gave.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) flows: Vec<Flow>,
    pub(crate) requests: Vec<(FlowId, Request)>,
}

impl FlowSink for Heard {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        self.flows.push(flow);
        Ok(())
    }

    fn request(&mut self, flow: Flow, request: Request) -> Result<(), NoRoom> {
        self.requests.push((flow.id, request));
        Ok(())
    }
}

/// All flows of a file with one report each, the number of frames, and the error at the end if there was one.
pub(crate) fn replay(path: &Path, config: TrackerConfig) -> (Vec<Flow>, Tracker, Option<String>) {
    let (heard, tracker, error) = hear(path, config);
    (heard.flows, tracker, error)
}

/// The same, with the requests.
pub(crate) fn hear(path: &Path, config: TrackerConfig) -> (Heard, Tracker, Option<String>) {
    let (mut tracker, mut flows) = (Tracker::new(config), Heard::default());
    let error = match CaptureFile::open(path) {
        Err(error) => Some(error.to_string()),
        Ok(mut file) => loop {
            match file.next_frame() {
                Ok(Some(frame)) => tracker.observe(&frame, &mut flows),
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        },
    };
    tracker.finish(EndReason::CaptureEnd, &mut flows);
    (flows, tracker, error)
}

/// A configuration that makes one report of each flow.
pub(crate) fn totals() -> TrackerConfig {
    TrackerConfig { window_ns: None, idle: IdleTimes::never(), ..TrackerConfig::default() }
}
