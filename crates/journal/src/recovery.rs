//! What is left in a folder after whatever happened to it: segments in, the good ones out, a half-written end cut off.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};

use crate::segment::{Ending, Segment};
use crate::{Checkpoint, JournalError};

/// What opening does about bytes that were written completely at some time and are not what was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDamage {
    /// It fails: somebody was promised that they are there.
    #[default]
    Refuse,
    /// It goes on behind them. Of a damaged segment the entries before the damage stay, a damaged checkpoint counts as none.
    /// Positions that are missing were lost.
    Skip,
}

/// What was found when a journal was opened.
#[derive(Debug)]
pub struct Recovered {
    /// The last checkpoint; entries behind its position are to be replayed.
    pub checkpoint: Option<Checkpoint>,
    /// What a crash had left half-written; it was cut off and had never been synced.
    pub torn: Option<Torn>,
    /// What was damaged and left out, with [`OnDamage::Skip`].
    pub skipped: Vec<Damage>,
}

/// A place from which on a file could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// The file.
    pub path: PathBuf,
    /// Where its good part ended; 0 where there was none.
    pub offset: u64,
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

/// The checkpoint of the journal in `dir`, and what is to be skipped of it.
pub(crate) fn read_checkpoint(
    dir: &Path,
    on_damage: OnDamage,
) -> Result<(Option<Checkpoint>, Vec<Damage>), JournalError> {
    match Checkpoint::read(dir) {
        Err(JournalError::Damaged { path, offset }) if on_damage == OnDamage::Skip => {
            Ok((None, vec![Damage { path, offset }]))
        }
        read => Ok((read?, Vec::new())),
    }
}

/// Segments as they are found, in order.
pub(crate) struct Recovery {
    covered: u64,
    on_damage: OnDamage,
    pub(crate) segments: Vec<Segment>,
    pub(crate) torn: Option<Torn>,
    pub(crate) skipped: Vec<Damage>,
}

impl Recovery {
    /// Reads the segments of `dir` behind `covered`, removes those before it, and cuts off a half-written end.
    pub(crate) fn of(dir: &Path, covered: u64, on_damage: OnDamage) -> Result<Self, JournalError> {
        let files = Segment::list(dir)?;
        let mut recovery = Self { covered, on_damage, segments: Vec::new(), torn: None, skipped: Vec::new() };
        for (at, (path, first)) in files.iter().enumerate() {
            let following = files.get(at + 1).map(|(_, first)| *first);
            if following.is_some_and(|following| following <= covered + 1) {
                fs::remove_file(path).map_err(JournalError::io("remove", path))?;
                continue;
            }
            recovery.take(path, *first, following.is_none())?;
        }
        drop_covered(&mut recovery.segments, covered)?;
        Ok(recovery)
    }

    fn take(&mut self, path: &Path, first: u64, is_last: bool) -> Result<(), JournalError> {
        self.check_begin(path, first)?;
        let (segment, ending) = match Segment::scan(path.to_owned(), first) {
            Err(JournalError::Damaged { path, offset }) if self.on_damage == OnDamage::Skip => {
                self.skipped.push(Damage { path: path.clone(), offset });
                return fs::remove_file(&path).map_err(JournalError::io("remove", &path));
            }
            scanned => scanned?,
        };
        match ending {
            Ending::Clean => {}
            Ending::Torn(bytes) if is_last => {
                self.torn = Some(Torn { path: path.to_owned(), offset: segment.bytes, bytes });
                cut(&segment)?;
            }
            Ending::NoHead if is_last => {
                let bytes = fs::metadata(path).map_err(JournalError::io("read", path))?.len();
                self.torn = Some(Torn { path: path.to_owned(), offset: 0, bytes });
                return fs::remove_file(path).map_err(JournalError::io("remove", path));
            }
            Ending::Torn(_) | Ending::NoHead if self.on_damage == OnDamage::Refuse => {
                return Err(JournalError::Damaged { path: path.to_owned(), offset: segment.bytes });
            }
            Ending::NoHead => {
                self.skipped.push(Damage { path: path.to_owned(), offset: 0 });
                return fs::remove_file(path).map_err(JournalError::io("remove", path));
            }
            // Should the segments behind it go too, entries are written behind its good part.
            Ending::Torn(_) => {
                self.skipped.push(Damage { path: path.to_owned(), offset: segment.bytes });
                cut(&segment)?;
            }
        }
        self.segments.push(segment);
        Ok(())
    }

    fn check_begin(&self, path: &Path, first: u64) -> Result<(), JournalError> {
        let (expected, begins_right) = match self.segments.last() {
            Some(before) => (before.next, first == before.next),
            None => (self.covered + 1, first <= self.covered + 1),
        };
        if begins_right || self.on_damage == OnDamage::Skip && first > expected {
            return Ok(());
        }
        Err(JournalError::Gap { path: path.to_owned(), expected, found: first })
    }
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
