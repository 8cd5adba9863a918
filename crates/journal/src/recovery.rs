//! What is left in a folder after whatever happened to it: segments in, the good ones out, a half-written end cut off.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use crate::segment::{Ending, Segment};
use crate::{Checkpoint, JournalError};

/// What was found when a journal was opened.
#[derive(Debug)]
pub struct Recovered {
    /// The last checkpoint; entries behind its position are to be replayed.
    pub checkpoint: Option<Checkpoint>,
    /// What a crash had left half-written; it was cut off and had never been synced.
    pub torn: Option<Torn>,
}

/// The half-written end of a journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Torn {
    /// The segment.
    pub path: PathBuf,
    /// Where its good part ends.
    pub offset: u64,
    /// How many bytes were cut off.
    pub bytes: u64,
}

/// Reads the segments of `dir` behind `covered`, removes those before it, and cuts off a half-written end.
pub(crate) fn recover(dir: &Path, covered: u64) -> Result<(Vec<Segment>, Option<Torn>), JournalError> {
    let files = Segment::list(dir)?;
    let mut segments: Vec<Segment> = Vec::with_capacity(files.len());
    let mut torn = None;
    for (at, (path, first)) in files.iter().enumerate() {
        let following = files.get(at + 1).map(|(_, first)| *first);
        if following.is_some_and(|following| following <= covered + 1) {
            fs::remove_file(path).map_err(JournalError::io("remove", path))?;
            continue;
        }
        let begins_right = match segments.last() {
            Some(before) => *first == before.next,
            None => *first <= covered + 1,
        };
        if !begins_right {
            let expected = segments.last().map_or(covered + 1, |before| before.next);
            return Err(JournalError::Gap { path: path.clone(), expected, found: *first });
        }
        let (segment, ending) = Segment::scan(path.clone(), *first)?;
        match (ending, following) {
            (Ending::Clean, _) => segments.push(segment),
            (_, Some(_)) => return Err(JournalError::Damaged { path: path.clone(), offset: segment.bytes }),
            (Ending::Torn(bytes), None) => {
                torn = Some(Torn { path: path.clone(), offset: segment.bytes, bytes });
                cut(&segment)?;
                segments.push(segment);
            }
            (Ending::NoHead, None) => {
                let bytes = fs::metadata(path).map_err(JournalError::io("read", path))?.len();
                torn = Some(Torn { path: path.clone(), offset: 0, bytes });
                fs::remove_file(path).map_err(JournalError::io("remove", path))?;
            }
        }
    }
    drop_covered(&mut segments, covered)?;
    Ok((segments, torn))
}

/// A checkpoint may lie behind the last entry where the entries it covers were damaged: positions go on behind it.
fn drop_covered(segments: &mut Vec<Segment>, covered: u64) -> Result<(), JournalError> {
    if segments.last().is_some_and(|last| last.next <= covered) {
        for segment in segments.drain(..) {
            fs::remove_file(&segment.path).map_err(JournalError::io("remove", &segment.path))?;
        }
    }
    Ok(())
}

fn cut(segment: &Segment) -> Result<(), JournalError> {
    let file = OpenOptions::new().write(true).open(&segment.path).map_err(JournalError::io("open", &segment.path))?;
    file.set_len(segment.bytes).and_then(|()| file.sync_all()).map_err(JournalError::io("cut", &segment.path))
}
