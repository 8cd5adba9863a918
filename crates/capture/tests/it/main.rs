//! Capture files built by hand, and a live tap in a network namespace of its own.

mod classic;
mod compressed;
#[cfg(feature = "live")]
mod live;
mod mutated;
mod pcapng;
mod properties;

use std::io::Cursor;
use std::path::Path;

use weir_capture::{CaptureFile, FileError};
use weir_model::{LinkType, Timestamp};

/// A frame that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    time: Timestamp,
    wire_len: u32,
    link: LinkType,
    bytes: Vec<u8>,
}

/// Every frame, and the error at the end if there was one.
fn read(bytes: Vec<u8>) -> (Vec<Seen>, Option<FileError>) {
    let mut file = match CaptureFile::from_reader(Path::new("test.pcap"), Cursor::new(bytes)) {
        Ok(file) => file,
        Err(error) => return (Vec::new(), Some(error)),
    };
    let mut seen = Vec::new();
    loop {
        match file.next_frame() {
            Ok(Some(f)) => {
                seen.push(Seen { time: f.time, wire_len: f.wire_len, link: f.link, bytes: f.bytes.to_vec() });
            }
            Ok(None) => return (seen, None),
            Err(error) => {
                assert!(matches!(file.next_frame(), Ok(None)), "an error is reported once");
                return (seen, Some(error));
            }
        }
    }
}
