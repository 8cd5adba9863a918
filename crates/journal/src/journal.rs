//! The journal: entries in, positions out. Every call says what is durable when it returns. After a failed write or
//! sync nothing more is accepted, because nothing more could be promised.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::segment::{self, Ending, Segment, sync_folder};
use crate::{Checkpoint, Entries, JournalError, MAX_ENTRY_BYTES, Position, entry};

const LOCK_NAME: &str = "lock";

/// Sizes of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// A segment of at least this size is followed by a new one. Default 16 MiB.
    pub segment_bytes: u64,
    /// No entry is taken that would make all segments together larger than this. Default 1 GiB.
    pub max_bytes: u64,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, max_bytes: 1 << 30 }
    }
}

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

/// An open journal: the only one of its folder.
#[derive(Debug)]
pub struct Journal {
    dir: PathBuf,
    options: JournalOptions,
    /// Ascending, each beginning where the one before ends; never empty.
    segments: Vec<Segment>,
    /// The last segment's file, open for appending.
    active: File,
    checkpoint: Position,
    synced: Position,
    encoded: Vec<u8>,
    poisoned: bool,
    _lock: File,
}

impl Journal {
    /// Opens the journal in `dir`, which is made where it does not exist. Reads and checks all segments behind the
    /// checkpoint: cuts off a half-written end, refuses any other damage.
    pub fn open(dir: &Path, options: &JournalOptions) -> Result<(Self, Recovered), JournalError> {
        fs::create_dir_all(dir).map_err(JournalError::io("create", dir))?;
        let lock = lock(dir)?;
        let checkpoint = Checkpoint::read(dir)?;
        let covered = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.position.0);
        let (mut segments, torn) = recover(dir, covered)?;
        let active = if let Some(last) = segments.last() {
            OpenOptions::new().append(true).open(&last.path).map_err(JournalError::io("open", &last.path))?
        } else {
            let (segment, file) = Segment::create(dir, covered + 1)?;
            segments.push(segment);
            file
        };
        // What a crashed process wrote but did not sync may be in memory only; from here on it counts as durable.
        active.sync_all().map_err(JournalError::io("sync", dir))?;
        sync_folder(dir)?;
        let mut journal = Self {
            dir: dir.to_owned(),
            options: *options,
            segments,
            active,
            checkpoint: Position(covered),
            synced: Position(0),
            encoded: Vec::new(),
            poisoned: false,
            _lock: lock,
        };
        journal.synced = journal.last();
        Ok((journal, Recovered { checkpoint, torn }))
    }

    /// Writes an entry behind the last one. It is readable at once, durable only after [`Journal::sync`].
    pub fn append(&mut self, entry: &[u8]) -> Result<Position, JournalError> {
        self.check_poison()?;
        let size = entry::HEAD_BYTES + entry.len() as u64;
        if entry.len() > MAX_ENTRY_BYTES || segment::HEAD_BYTES + size > self.options.max_bytes {
            return Err(JournalError::TooLarge { bytes: entry.len() });
        }
        self.make_room(size)?;
        let position = self.last().0 + 1;
        self.encoded.clear();
        entry::encode(position, entry, &mut self.encoded);
        if let Err(source) = self.active.write_all(&self.encoded) {
            self.poisoned = true;
            return Err(JournalError::Io { action: "write", path: self.active_path().to_owned(), source });
        }
        if let Some(segment) = self.segments.last_mut() {
            segment.extend(entry.len());
        }
        Ok(Position(position))
    }

    /// Makes every entry so far durable, and says up to which.
    pub fn sync(&mut self) -> Result<Position, JournalError> {
        self.check_poison()?;
        let last = self.last();
        if self.synced < last {
            if let Err(source) = self.active.sync_data() {
                self.poisoned = true;
                return Err(JournalError::Io { action: "sync", path: self.active_path().to_owned(), source });
            }
            self.synced = last;
        }
        Ok(last)
    }

    /// The entries behind `position` that are still kept, in order, also those not yet synced.
    pub fn entries_after(&self, position: Position) -> Entries<'_> {
        Entries::new(&self.segments, position)
    }

    /// Says that entries up to `position` are no longer needed and keeps `data` in place of the last checkpoint's; both
    /// are durable when this returns. Segments without needed entries are removed.
    pub fn checkpoint(&mut self, position: Position, data: &[u8]) -> Result<(), JournalError> {
        let to = self.sync()?;
        if position < self.checkpoint || position > to {
            return Err(JournalError::BadCheckpoint { position, from: self.checkpoint, to });
        }
        Checkpoint { position, data: data.to_vec() }.write(&self.dir)?;
        self.checkpoint = position;
        self.trim()
    }

    /// Size of all segments, in bytes.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The last entry's position; that of the checkpoint where no entry follows it.
    pub fn last(&self) -> Position {
        Position(self.segments.last().map_or(self.checkpoint.0, |segment| segment.next - 1))
    }

    /// The position of the last checkpoint; 0 before the first.
    pub fn checkpointed(&self) -> Position {
        self.checkpoint
    }

    /// Begins a new segment where the last one is full, or where all of it may be removed to make room.
    fn make_room(&mut self, size: u64) -> Result<(), JournalError> {
        let active_bytes = self.segments.last().map_or(0, |segment| segment.bytes);
        let is_empty = active_bytes <= segment::HEAD_BYTES;
        let over = |journal: &Self| journal.bytes() + size > journal.options.max_bytes;
        if !is_empty && (active_bytes + size > self.options.segment_bytes || over(self)) {
            let all_covered = self.checkpoint >= self.last();
            let head = segment::HEAD_BYTES;
            if !all_covered && self.bytes() + head + size > self.options.max_bytes {
                return Err(JournalError::Full { max_bytes: self.options.max_bytes });
            }
            self.rotate()?;
            self.trim()?;
        }
        if over(self) {
            return Err(JournalError::Full { max_bytes: self.options.max_bytes });
        }
        Ok(())
    }

    /// The old segment is durable before the new one exists: only the last segment can have a torn end.
    fn rotate(&mut self) -> Result<(), JournalError> {
        let last = self.sync()?;
        match Segment::create(&self.dir, last.0 + 1) {
            Ok((segment, file)) => {
                self.segments.push(segment);
                self.active = file;
                Ok(())
            }
            Err(error) => {
                self.poisoned = true;
                Err(error)
            }
        }
    }

    fn trim(&mut self) -> Result<(), JournalError> {
        let covered = self.checkpoint.0;
        let mut removed = false;
        while let [first, _, ..] = self.segments.as_slice() {
            if first.next > covered + 1 {
                break;
            }
            fs::remove_file(&first.path).map_err(JournalError::io("remove", &first.path))?;
            self.segments.remove(0);
            removed = true;
        }
        if removed { sync_folder(&self.dir) } else { Ok(()) }
    }

    fn check_poison(&self) -> Result<(), JournalError> {
        if self.poisoned { Err(JournalError::Poisoned) } else { Ok(()) }
    }

    fn active_path(&self) -> &Path {
        self.segments.last().map_or(&self.dir, |segment| &segment.path)
    }
}

fn lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join(LOCK_NAME);
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(JournalError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(JournalError::Locked(dir.to_owned())),
        Err(TryLockError::Error(error)) => Err(JournalError::io("lock", &path)(error)),
    }
}

/// Reads the segments of `dir` behind `covered`, removes those before it, and cuts off a half-written end.
fn recover(dir: &Path, covered: u64) -> Result<(Vec<Segment>, Option<Torn>), JournalError> {
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
