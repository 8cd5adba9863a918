//! What the cluster's own enforcement logged, from captures of netfilter's log.

use std::path::PathBuf;

use anyhow::{Result, bail};
use weir_capture::CaptureFile;
use weir_flow::Decoder;
use weir_model::{LinkType, PolicyLog};

/// Every record of the files that holds a packet.
pub(super) fn read(files: &[PathBuf]) -> Result<Vec<PolicyLog>> {
    let mut logs = Vec::new();
    let mut decoder = Decoder::new(Vec::new());
    for path in files {
        let mut file = CaptureFile::open(path)?;
        while let Some(frame) = file.next_frame()? {
            if frame.link != LinkType::NFLOG {
                bail!(
                    "{}: no records of the netfilter log (link type 239) but of link type {}",
                    path.display(),
                    frame.link.0
                );
            }
            logs.extend(decoder.policy_log(&frame));
        }
    }
    Ok(logs)
}
