//! Compressed captures: a reader in, one of the capture's own bytes out.
//!
//! gzip (RFC 1952) and zstd (RFC 8878) are known by their first bytes, never by a name, so standard input works too. Both
//! are unpacked as they are read: what swells to terabytes costs no more memory than the format's own window, 32 KiB and at
//! most 128 MiB.

use std::io::{self, Cursor, ErrorKind, Read};

use flate2::read::MultiGzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

const MAGIC_BYTES: usize = 4;
/// The most that a zstd file may make its reader remember: 2 to this power bytes, what `zstd` itself takes without
/// `--long`.
const WINDOW_BITS: u32 = 27;

/// `reader`, unpacked where it is compressed.
pub(super) fn plain(mut reader: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut magic = [0; MAGIC_BYTES];
    let len = fill(&mut reader, &mut magic)?;
    let whole = Cursor::new(magic).take(len as u64).chain(reader);
    match magic {
        [0x1f, 0x8b, 8, _] => Ok(Box::new(MultiGzDecoder::new(whole))),
        // A frame, or a skippable one in front of it.
        [0x28, 0xb5, 0x2f, 0xfd] | [0x50..=0x5f, 0x2a, 0x4d, 0x18] => {
            let mut decoder = ZstdDecoder::new(whole)?;
            decoder.window_log_max(WINDOW_BITS)?;
            Ok(Box::new(decoder))
        }
        _ => Ok(Box::new(whole)),
    }
}

/// Reads until `buffer` is full or the input over: how much that was.
fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut len = 0;
    while let Some(room) = buffer.get_mut(len..).filter(|room| !room.is_empty()) {
        match reader.read(room) {
            Ok(0) => break,
            Ok(count) => len += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(len)
}
