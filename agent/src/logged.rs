//! What this node's packet filter logged, from captures of its log (NFLOG): files in, records out.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc::Sender;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use weir_capture::CaptureFile;
use weir_flow::Decoder;
use weir_model::{Loss, LossStage, Timestamp};

use crate::event::Event;

/// Reads all files to their end, or until `stop`. Runs on a thread of its own; waits where the queue is full.
pub(crate) fn replay(files: Vec<PathBuf>, events: &Sender<Event>, stop: &CancellationToken) {
    let (mut records, mut others) = (0_u64, 0_u64);
    let mut decoder = Decoder::new(Vec::new());
    for path in files {
        let mut time = Timestamp::default();
        let read = CaptureFile::open(&path).and_then(|mut file| {
            while let Some(frame) = file.next_frame()? {
                time = frame.time;
                let Ok(log) = decoder.policy_log(&frame) else {
                    others += 1;
                    continue;
                };
                records += 1;
                if stop.is_cancelled() || events.blocking_send(Event::PolicyLog(Box::new(log))).is_err() {
                    break;
                }
            }
            Ok(())
        });
        if let Err(error) = read {
            warn!("{error}");
            let interface = path.file_stem().map(|name| Arc::from(&*name.to_string_lossy()));
            let (from_ts, to_ts) = (time, time);
            let loss =
                Loss { stage: LossStage::File, interface, from_ts, to_ts, packets: None, bytes: None, rows: None };
            // Nobody reads only where the agent has stopped.
            let _ = events.blocking_send(Event::Loss(loss));
        }
    }
    info!(records, others, "the packet filter's log was read");
}
