//! One entry on disk: length and crc (both 32 bits, little endian), then the bytes. The crc also covers the entry's
//! position, so an entry in a wrong place is a bad one. Reading never allocates more than the file holds.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// The largest entry, in bytes.
pub const MAX_ENTRY_BYTES: usize = 64 << 20;

/// Bytes in front of each entry.
pub(crate) const HEAD_BYTES: u64 = 8;

/// Puts the entry at `position` behind what is in `out`. The caller has checked the size.
pub(crate) fn encode(position: u64, payload: &[u8], out: &mut Vec<u8>) {
    let length = (payload.len() as u32).to_le_bytes();
    out.extend_from_slice(&length);
    out.extend_from_slice(&checksum(position, length, payload).to_le_bytes());
    out.extend_from_slice(payload);
}

fn checksum(position: u64, length: [u8; 4], payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&position.to_le_bytes());
    hasher.update(&length);
    hasher.update(payload);
    hasher.finalize()
}

/// What lies at a place of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// A whole, right entry.
    Entry,
    /// The end of the file.
    End,
    /// Something else.
    Bad,
}

/// Reads the entries of one segment in order.
pub(crate) struct Reader {
    file: BufReader<File>,
    /// Position of the next entry.
    pub(crate) position: u64,
    /// Where the next entry begins.
    pub(crate) offset: u64,
    end: u64,
}

impl Reader {
    /// Reads from the entry at `position`, which begins at byte `offset`; nothing at or behind byte `end`.
    pub(crate) fn new(mut file: File, position: u64, offset: u64, end: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(offset))?;
        Ok(Self { file: BufReader::with_capacity(256 << 10, file), position, offset, end })
    }

    /// Reads the next entry into `payload`, replacing what is there. Steps forward only over good entries.
    pub(crate) fn read(&mut self, payload: &mut Vec<u8>) -> io::Result<Found> {
        let left = self.end.saturating_sub(self.offset);
        if left == 0 {
            return Ok(Found::End);
        }
        if left < HEAD_BYTES {
            return Ok(Found::Bad);
        }
        let (mut length, mut crc) = ([0; 4], [0; 4]);
        self.file.read_exact(&mut length)?;
        self.file.read_exact(&mut crc)?;
        let size = u32::from_le_bytes(length) as usize;
        if size > MAX_ENTRY_BYTES || size as u64 > left - HEAD_BYTES {
            return Ok(Found::Bad);
        }
        payload.resize(size, 0);
        self.file.read_exact(payload)?;
        if checksum(self.position, length, payload) != u32::from_le_bytes(crc) {
            return Ok(Found::Bad);
        }
        self.position += 1;
        self.offset += HEAD_BYTES + size as u64;
        Ok(Found::Entry)
    }
}
