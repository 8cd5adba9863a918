//! Capture files as taps: which files there are, which interface each is of, whose veth that was, and when it watched.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use weir_capture::{CaptureFile, FileError};
use weir_cluster::{OwnerCandidates, Snapshot, settle_owners};
use weir_flow::{FlowSink, L7Config, L7Level, NoRoom, Tracker, TrackerConfig};
use weir_model::{Coverage, EndReason, Flow, PodRef, Request, Tap, TapRole, Timestamp};

use super::{TapSource, TapSpec};

/// One interface that was recorded, in one or more files in order of time.
#[derive(Clone, Debug)]
pub struct FileTap {
    /// The interface, named like its files without folder and ending.
    pub tap: Arc<Tap>,
    /// The files.
    pub files: Vec<RecordedFile>,
}

/// One file and the span of packet time it holds.
#[derive(Clone, Debug)]
pub struct RecordedFile {
    /// Where it is.
    pub path: PathBuf,
    /// The first frame.
    pub from_ts: Timestamp,
    /// The last frame.
    pub to_ts: Timestamp,
}

impl FileTap {
    /// What was watched: one span for each file.
    pub fn coverage(&self) -> impl Iterator<Item = Coverage> + '_ {
        self.files.iter().map(|file| Coverage {
            interface: Some(Arc::clone(&self.tap.interface)),
            role: self.tap.role,
            pod: self.tap.pod.clone(),
            from_ts: file.from_ts,
            to_ts: Some(file.to_ts),
            reason: None,
        })
    }
}

/// Why capture files cannot be taps.
#[derive(Debug, thiserror::Error)]
pub enum TapFilesError {
    /// The pattern is not one.
    #[error("tap file:{pattern}: {source}")]
    Pattern {
        /// As given.
        pattern: String,
        /// What is wrong with it.
        source: glob::PatternError,
    },
    /// No file has such a name.
    #[error("tap file:{pattern}: no such file")]
    NoFile {
        /// As given.
        pattern: String,
    },
    /// A file is no capture.
    #[error("{0}")]
    Open(FileError),
}

/// Finds the files of every `file:` tap and looks through them once. Files that cannot be opened are all reported.
pub fn find_file_taps(specs: &[TapSpec], snapshot: &Snapshot, node: &str) -> Result<Vec<FileTap>, Vec<TapFilesError>> {
    let mut problems = Vec::new();
    let mut recordings: BTreeMap<String, Recording> = BTreeMap::new();
    for spec in specs {
        let TapSource::Files(pattern) = &spec.source else { continue };
        match matching(pattern) {
            Ok(paths) => {
                for path in paths {
                    let recording = recordings.entry(interface_of(&path)).or_insert_with(|| Recording::of(spec));
                    if let Err(problem) = recording.look_through(path, snapshot, node) {
                        problems.push(TapFilesError::Open(problem));
                    }
                }
            }
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(name_pods(recordings))
}

/// The files of every `file:PATTERN` that names captures of the packet filter's log, in order of their names.
pub fn find_log_files(patterns: &[String]) -> Result<Vec<PathBuf>, Vec<TapFilesError>> {
    let (mut files, mut problems) = (Vec::new(), Vec::new());
    for pattern in patterns {
        match matching(pattern.strip_prefix("file:").unwrap_or(pattern)) {
            Ok(paths) => files.extend(paths),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

struct Recording {
    role: Option<TapRole>,
    pod: Option<PodRef>,
    candidates: OwnerCandidates,
    files: Vec<RecordedFile>,
}

impl Recording {
    fn of(spec: &TapSpec) -> Self {
        Self { role: spec.role, pod: spec.pod.clone(), candidates: OwnerCandidates::default(), files: Vec::new() }
    }

    /// Reads the file once: for its span of time, and for the pod that all its flows share. Damage in the middle is
    /// no problem here: the replay will say it.
    fn look_through(&mut self, path: PathBuf, snapshot: &Snapshot, node: &str) -> Result<(), FileError> {
        let mut file = CaptureFile::open(&path)?;
        let mut narrowing = Narrowing { candidates: &mut self.candidates, snapshot, node };
        let l7 = L7Config { level: L7Level::Off, ..L7Config::default() };
        let mut tracker = Tracker::new(TrackerConfig { window_ns: None, l7, ..TrackerConfig::default() });
        let mut span: Option<(Timestamp, Timestamp)> = None;
        while let Ok(Some(frame)) = file.next_frame() {
            span = Some(span.map_or((frame.time, frame.time), |(a, b)| (a.min(frame.time), b.max(frame.time))));
            tracker.observe(&frame, &mut narrowing);
        }
        tracker.finish(EndReason::CaptureEnd, &mut narrowing);
        if let Some((from_ts, to_ts)) = span {
            self.files.push(RecordedFile { path, from_ts, to_ts });
        }
        Ok(())
    }
}

/// Takes flows only to see who takes part.
struct Narrowing<'a> {
    candidates: &'a mut OwnerCandidates,
    snapshot: &'a Snapshot,
    node: &'a str,
}

impl FlowSink for Narrowing<'_> {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        self.candidates.narrow(&flow, self.snapshot, Some(self.node));
        Ok(())
    }

    fn request(&mut self, _: Flow, _: Request) -> Result<(), NoRoom> {
        Ok(())
    }
}

fn name_pods(recordings: BTreeMap<String, Recording>) -> Vec<FileTap> {
    let unnamed = recordings
        .iter()
        .filter(|(_, recording)| recording.pod.is_none() && recording.role.is_none_or(|role| role == TapRole::Pod))
        .map(|(interface, recording)| (interface.clone(), recording.candidates.clone()))
        .collect();
    let mut pods = settle_owners(unnamed);
    recordings
        .into_iter()
        .map(|(interface, mut recording)| {
            recording.files.sort_by(|a, b| (a.from_ts, &a.path).cmp(&(b.from_ts, &b.path)));
            let pod = recording.pod.or_else(|| pods.remove(&interface));
            let role = recording.role.unwrap_or(if pod.is_some() { TapRole::Pod } else { TapRole::Other });
            let tap = Tap { interface: interface.into(), role, pod, sampling: 1 };
            FileTap { tap: Arc::new(tap), files: recording.files }
        })
        .collect()
}

fn matching(pattern: &str) -> Result<Vec<PathBuf>, TapFilesError> {
    let found = glob::glob(pattern).map_err(|source| TapFilesError::Pattern { pattern: pattern.to_owned(), source })?;
    let paths: Vec<PathBuf> = found.filter_map(Result::ok).filter(|path| path.is_file()).collect();
    if paths.is_empty() {
        return Err(TapFilesError::NoFile { pattern: pattern.to_owned() });
    }
    Ok(paths)
}

/// The file's name without its ending: `node-a.veth-web-1.pcap` is of `node-a.veth-web-1`.
fn interface_of(path: &Path) -> String {
    path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}
