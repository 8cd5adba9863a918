//! An append-only journal of byte entries in segment files: what was synced survives a crash at any byte.
//!
//! Entries are numbered 1, 2, 3, ... over the journal's whole life. A checkpoint says up to where they are no longer
//! needed and keeps a few bytes beside that position; it drops old segments. What the bytes mean is not known here.
//!
//! ```text
//! lock                       held while the journal is open
//! checkpoint                 position and data, replaced as a whole
//! 00000000000000000001.seg   head (magic, version, first position, crc), then entries (length, crc, bytes)
//! 00000000000000000391.seg   the next segment; only the last one is written
//! ```

mod checkpoint;
mod entry;
mod error;
mod journal;
mod recovery;
mod replay;
mod segment;

pub use checkpoint::Checkpoint;
pub use entry::MAX_ENTRY_BYTES;
pub use error::JournalError;
pub use journal::{Journal, JournalOptions};
pub use recovery::{Damage, OnDamage, Recovered, Torn};
pub use replay::Entries;

/// The number of an entry: 1 for the journal's first, one more for each that follows, never used twice. 0 stands
/// before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);
