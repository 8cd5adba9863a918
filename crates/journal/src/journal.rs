//! The journal: entries in, positions out. Every call says what is durable when it returns. After a failed write or
//! sync nothing more is accepted, because nothing more could be promised.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::recovery::{OnDamage, Recovered, Recovery, read_checkpoint};
use crate::segment::{self, Segment, sync_folder};
use crate::{Checkpoint, Entries, JournalError, MAX_ENTRY_BYTES, Position, entry};

const LOCK_NAME: &str = "lock";

/// Sizes of a journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JournalOptions {
    /// A segment of at least this size is followed by a new one. Default 16 MiB.
    pub segment_bytes: u64,
    /// No entry is taken that would make all segments together larger than this. Default 1 GiB.
    pub max_bytes: u64,
    /// What opening does about damage. Default: it fails.
    pub on_damage: OnDamage,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, max_bytes: 1 << 30, on_damage: OnDamage::Refuse }
    }
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
    /// checkpoint: cuts off a half-written end; what about any other damage, the options say.
    pub fn open(dir: &Path, options: &JournalOptions) -> Result<(Self, Recovered), JournalError> {
        fs::create_dir_all(dir).map_err(JournalError::io("create", dir))?;
        let lock = lock(dir)?;
        let (checkpoint, mut skipped) = read_checkpoint(dir, options.on_damage)?;
        let covered = checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.position.0);
        let recovery = Recovery::of(dir, covered, options.on_damage)?;
        let (mut segments, torn) = (recovery.segments, recovery.torn);
        skipped.extend(recovery.skipped);
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
        Ok((journal, Recovered { checkpoint, torn, skipped }))
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
            return Err(self.unwritten(source));
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

    /// The position of the last entry that lies in one file with the entry at `position`: what one checkpoint has to cover
    /// for that file to go. [`Journal::last`] where no file has it.
    pub fn segment_end(&self, position: Position) -> Position {
        let holds = self.segments.iter().find(|segment| position.0 < segment.next);
        holds.map_or(self.last(), |segment| Position(segment.next - 1))
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
            Err(JournalError::Io { path, source, .. }) if has_no_room(&source) => {
                // A file without entries would be in the way when there is room again.
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => self.poisoned = true,
                    _ => {}
                }
                Err(JournalError::NoSpace { path, source })
            }
            Err(error) => {
                self.poisoned = true;
                Err(error)
            }
        }
    }

    /// Takes back what was written of an entry, so that the journal can go on where only room was missing.
    fn unwritten(&mut self, source: io::Error) -> JournalError {
        let good = self.segments.last().map_or(0, |segment| segment.bytes);
        if has_no_room(&source) && self.active.set_len(good).is_ok() {
            return JournalError::NoSpace { path: self.active_path().to_owned(), source };
        }
        self.poisoned = true;
        JournalError::Io { action: "write", path: self.active_path().to_owned(), source }
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

/// Whether nothing is wrong but that the file system, or what its user may have of it, is full.
fn has_no_room(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
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
