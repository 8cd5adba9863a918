//! What can go wrong with a journal, named by what failed, with the file it failed at.

use std::io;
use std::path::{Path, PathBuf};

use crate::{MAX_ENTRY_BYTES, Position};

/// A journal that could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A file or folder could not be opened, read, written, synced, renamed or removed.
    #[error("{action} {}", path.display())]
    Io {
        /// What was tried: "open", "write", "sync", ...
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// Another process (or another handle of this one) has the journal open.
    #[error("{}: in use by another process", .0.display())]
    Locked(PathBuf),
    /// Bytes that were written completely at some time are not what was written.
    #[error("{}: damaged at byte {offset}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the first bad structure begins.
        offset: u64,
    },
    /// A file was written by a version of the program that this one does not know.
    #[error("{}: format version {version} is not known", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version it names.
        version: u32,
    },
    /// Entries are missing between two files.
    #[error("{}: begins at entry {found}, expected {expected}: a segment or the checkpoint is missing", path.display())]
    Gap {
        /// The file behind the gap.
        path: PathBuf,
        /// The position that should come next.
        expected: u64,
        /// The position that comes.
        found: u64,
    },
    /// The file system has no room. Nothing was written, and the journal goes on when there is room again.
    #[error("no room on the file system for {}", path.display())]
    NoSpace {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The journal has reached its size; a checkpoint makes room. Nothing was written.
    #[error("journal full: {max_bytes} bytes")]
    Full {
        /// The configured cap.
        max_bytes: u64,
    },
    /// The entry alone is larger than entries or the journal may be. Nothing was written.
    #[error("entry of {bytes} bytes is too large (limit {MAX_ENTRY_BYTES} and the size of the journal)")]
    TooLarge {
        /// Size of the entry.
        bytes: usize,
    },
    /// A checkpoint was asked for at a position that was not written yet or lies before the present one.
    #[error("no checkpoint can be made at {}: entries {} to {} can be covered", position.0, from.0, to.0)]
    BadCheckpoint {
        /// What was asked for.
        position: Position,
        /// The present checkpoint.
        from: Position,
        /// The last entry.
        to: Position,
    },
    /// An earlier write or sync failed, so nothing that follows could be called durable. Open the journal again.
    #[error("journal closed after a failed write")]
    Poisoned,
}

impl JournalError {
    /// Wraps an error of the system, for `map_err`.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}
