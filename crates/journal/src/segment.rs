//! One segment file: a head that names its first position, then entries. Knows its size and where to begin reading;
//! writes nothing but heads.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use crate::JournalError;
use crate::entry::{Found, HEAD_BYTES as ENTRY_HEAD_BYTES, Reader};

const MAGIC: [u8; 8] = *b"WEIRJRNL";
const VERSION: u32 = 1;
const ENDING: &str = ".seg";
const MARK_EVERY_BYTES: u64 = 64 << 10;

/// Bytes of a segment's head: magic, version, first position, crc of these.
pub(crate) const HEAD_BYTES: u64 = 24;

/// A segment and what is known of its content.
#[derive(Debug)]
pub(crate) struct Segment {
    /// The file.
    pub(crate) path: PathBuf,
    /// Position of its first entry.
    pub(crate) first: u64,
    /// Position behind its last entry.
    pub(crate) next: u64,
    /// Size of head and good entries.
    pub(crate) bytes: u64,
    /// Positions and offsets of some entries, ascending, so that a reader need not begin at the first.
    marks: Vec<(u64, u64)>,
}

/// How a segment's file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// Behind a good entry, or behind the head.
    Clean,
    /// With this many bytes that are no entry.
    Torn(u64),
    /// Before the head is complete: nothing was ever written behind it.
    NoHead,
}

impl Segment {
    /// Makes an empty segment; file and name are durable when this returns.
    pub(crate) fn create(dir: &Path, first: u64) -> Result<(Self, File), JournalError> {
        let path = dir.join(format!("{first:020}{ENDING}"));
        let mut file =
            OpenOptions::new().create_new(true).append(true).open(&path).map_err(JournalError::io("create", &path))?;
        file.write_all(&head(first)).map_err(JournalError::io("write", &path))?;
        file.sync_all().map_err(JournalError::io("sync", &path))?;
        sync_folder(dir)?;
        Ok((Self::empty(path, first), file))
    }

    /// Reads the whole file and checks every entry.
    pub(crate) fn scan(path: PathBuf, first: u64) -> Result<(Self, Ending), JournalError> {
        let mut file = File::open(&path).map_err(JournalError::io("open", &path))?;
        let end = file.metadata().map_err(JournalError::io("read", &path))?.len();
        let mut head_bytes = Vec::with_capacity(HEAD_BYTES as usize);
        (&mut file).take(HEAD_BYTES).read_to_end(&mut head_bytes).map_err(JournalError::io("read", &path))?;
        let mut segment = Self::empty(path, first);
        if head_bytes != head(first) {
            return if end <= HEAD_BYTES && !is_other_version(&head_bytes) {
                Ok((segment, Ending::NoHead))
            } else {
                Err(segment.bad_head(&head_bytes))
            };
        }
        let ending = segment.scan_entries(file, end).map_err(JournalError::io("read", &segment.path))?;
        Ok((segment, ending))
    }

    /// The files in `dir` that are segments by name, with the first position that the name says, ascending.
    pub(crate) fn list(dir: &Path) -> Result<Vec<(PathBuf, u64)>, JournalError> {
        let mut found = Vec::new();
        for entry in dir.read_dir().map_err(JournalError::io("read", dir))? {
            let entry = entry.map_err(JournalError::io("read", dir))?;
            let name = entry.file_name();
            let first = name.to_str().and_then(|name| name.strip_suffix(ENDING)).and_then(|stem| stem.parse().ok());
            if let Some(first) = first {
                found.push((entry.path(), first));
            }
        }
        found.sort_unstable_by_key(|(_, first)| *first);
        Ok(found)
    }

    /// Counts an entry of `payload` bytes that was written at the end.
    pub(crate) fn extend(&mut self, payload: usize) {
        let marked = self.marks.last().map_or(HEAD_BYTES, |(_, offset)| *offset);
        if self.bytes - marked >= MARK_EVERY_BYTES {
            self.marks.push((self.next, self.bytes));
        }
        self.next += 1;
        self.bytes += ENTRY_HEAD_BYTES + payload as u64;
    }

    /// Reads from the entry at `position` on, or from somewhat before it.
    pub(crate) fn reader(&self, position: u64) -> Result<Reader, JournalError> {
        let marks = self.marks.partition_point(|(marked, _)| *marked <= position);
        let mark = marks.checked_sub(1).and_then(|last| self.marks.get(last));
        let (from, offset) = mark.copied().unwrap_or((self.first, HEAD_BYTES));
        File::open(&self.path)
            .and_then(|file| Reader::new(file, from, offset, self.bytes))
            .map_err(JournalError::io("open", &self.path))
    }

    fn empty(path: PathBuf, first: u64) -> Self {
        Self { path, first, next: first, bytes: HEAD_BYTES, marks: Vec::new() }
    }

    fn scan_entries(&mut self, file: File, end: u64) -> io::Result<Ending> {
        let mut reader = Reader::new(file, self.first, HEAD_BYTES, end)?;
        let mut payload = Vec::new();
        loop {
            match reader.read(&mut payload)? {
                Found::Entry => self.extend(payload.len()),
                Found::End => return Ok(Ending::Clean),
                Found::Bad => return Ok(Ending::Torn(end - self.bytes)),
            }
        }
    }

    fn bad_head(&self, found: &[u8]) -> JournalError {
        let path = self.path.clone();
        match version(found) {
            Some(version) if is_other_version(found) => JournalError::Version { path, version },
            _ => JournalError::Damaged { path, offset: 0 },
        }
    }
}

/// Makes names created, renamed or removed in `dir` durable.
pub(crate) fn sync_folder(dir: &Path) -> Result<(), JournalError> {
    File::open(dir).and_then(|folder| folder.sync_all()).map_err(JournalError::io("sync", dir))
}

fn head(first: u64) -> Vec<u8> {
    let mut head = Vec::with_capacity(HEAD_BYTES as usize);
    head.extend_from_slice(&MAGIC);
    head.extend_from_slice(&VERSION.to_le_bytes());
    head.extend_from_slice(&first.to_le_bytes());
    let crc = crc32fast::hash(&head);
    head.extend_from_slice(&crc.to_le_bytes());
    head
}

fn version(head: &[u8]) -> Option<u32> {
    let behind = head.strip_prefix(&MAGIC)?;
    behind.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// Whether this is a whole head of another version (its crc is right).
fn is_other_version(head: &[u8]) -> bool {
    let Some((front, crc)) = head.split_last_chunk() else { return false };
    head.len() as u64 == HEAD_BYTES
        && u32::from_le_bytes(*crc) == crc32fast::hash(front)
        && version(head).is_some_and(|version| version != VERSION)
}
