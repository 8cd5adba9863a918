//! Capture files: classic pcap and pcapng in, plain or compressed, frames out, one at a time and without copying.
//!
//! A reader of our own: libpcap refuses a pcapng file whose interfaces differ in link type or snap length, and the
//! `pcap-parser` crate allocates the options of every packet. Nothing here allocates by what a length field claims:
//! the buffer grows only as bytes arrive, up to [`MAX_RECORD_BYTES`].

mod classic;
mod compressed;
mod pcapng;
mod window;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use weir_model::{Frame, LinkType, Timestamp};

use classic::Classic;
use pcapng::Pcapng;
use window::{Shortage, Window};

/// The longest record or block that is read; longer ones are taken for damage.
const MAX_RECORD_BYTES: usize = 16 << 20;

/// The longest frame of a link type: libpcap's own bound, behind which a length is taken for damage.
const fn longest_frame(link: LinkType) -> usize {
    match link.0 {
        // USB, D-Bus and an industrial monitor have messages of megabytes.
        220 | 231 | 249 | 279 => MAX_RECORD_BYTES - 64,
        _ => 256 << 10,
    }
}

/// A capture that could not be opened or read on. Every frame before the error has been delivered.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The file could not be opened.
    #[error("cannot open {}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Reading failed.
    #[error("cannot read {} at byte {offset}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Where reading stopped.
        offset: u64,
        /// Why.
        source: io::Error,
    },
    /// There is not a single byte.
    #[error("{} is empty: not a pcap or pcapng file", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// The first bytes are not those of a capture file.
    #[error("{}: not a pcap or pcapng file (begins with {})", path.display(), hex(*magic))]
    NotACapture {
        /// The file.
        path: PathBuf,
        /// Its first four bytes.
        magic: [u8; 4],
    },
    /// The file has a version of its format that is not known.
    #[error("{}: unsupported version {major}.{minor} of the capture format at byte {offset}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Where the header begins.
        offset: u64,
        /// Major version.
        major: u16,
        /// Minor version.
        minor: u16,
    },
    /// The file ends within a record. Reported once, after all complete records.
    #[error("{}: cut short: the record at byte {offset} needs {needed} bytes and only {present} are there", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Where the incomplete record begins.
        offset: u64,
        /// How long the record says it is.
        needed: u64,
        /// How much of it there is.
        present: u64,
    },
    /// A record contradicts itself.
    #[error("{}: damaged at byte {offset}: {problem}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where the record begins (that of a block without packets: where it ends).
        offset: u64,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// Four bytes as eight hexadecimal digits.
fn hex(bytes: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(bytes))
}

/// What went wrong, before the file's name is put to it.
enum Fault {
    Read(io::Error),
    Empty,
    NotACapture([u8; 4]),
    Version { major: u16, minor: u16 },
    Truncated { needed: usize, present: usize },
    Damaged(&'static str),
}

impl From<Shortage> for Fault {
    fn from(shortage: Shortage) -> Self {
        match shortage {
            Shortage::Read(source) => Self::Read(source),
            Shortage::End { needed, present } => Self::Truncated { needed, present },
            Shortage::TooLong => Self::Damaged("the record is longer than 16 MiB"),
        }
    }
}

/// Where the next frame's bytes lie in the window.
struct Record {
    time: Timestamp,
    wire_len: u32,
    link: LinkType,
    from: usize,
    len: usize,
    /// Bytes of the whole record, the frame's among them.
    total: usize,
}

enum Format {
    Classic(Classic),
    Pcapng(Pcapng),
}

/// A capture file being read from front to back. Offsets count its bytes as they are without compression.
pub struct CaptureFile {
    path: PathBuf,
    window: Window,
    format: Format,
    /// Bytes of the frame handed out last: consumed when the next one is asked for.
    held: usize,
    over: bool,
}

impl CaptureFile {
    /// Opens the file at `path` and reads its header.
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let file = File::open(path).map_err(|source| FileError::Open { path: path.to_owned(), source })?;
        Self::from_reader(path, file)
    }

    /// Reads a capture from anything, such as standard input; `name` stands for it in errors. What is compressed with
    /// gzip or zstd is known by its first bytes.
    pub fn from_reader(name: &Path, reader: impl Read + Send + 'static) -> Result<Self, FileError> {
        let reader = compressed::plain(Box::new(reader));
        let reader = reader.map_err(|source| FileError::Read { path: name.to_owned(), offset: 0, source })?;
        let mut window = Window::new(reader, MAX_RECORD_BYTES);
        match sniff(&mut window) {
            Ok(format) => Ok(Self { path: name.to_owned(), window, format, held: 0, over: false }),
            Err(fault) => Err(name_fault(name, window.offset(), fault)),
        }
    }

    /// The file's path, or the name given for the reader.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many bytes of the file have been read as records: for progress.
    pub fn offset(&self) -> u64 {
        self.window.offset() + self.held as u64
    }

    /// The next frame; `None` at the end. An error is reported once, `None` follows.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, FileError> {
        self.window.consume(self.held);
        self.held = 0;
        if self.over {
            return Ok(None);
        }
        let next = match &mut self.format {
            Format::Classic(classic) => classic.next_record(&mut self.window),
            Format::Pcapng(pcapng) => pcapng.next_record(&mut self.window),
        };
        match next {
            Ok(Some(record)) => {
                self.held = record.total;
                let bytes = self.window.bytes().get(record.from..record.from + record.len).unwrap_or_default();
                let wire_len = record.wire_len.max(record.len as u32);
                Ok(Some(Frame { time: record.time, wire_len, link: record.link, bytes }))
            }
            Ok(None) => {
                self.over = true;
                Ok(None)
            }
            Err(fault) => {
                self.over = true;
                Err(name_fault(&self.path, self.window.offset(), fault))
            }
        }
    }
}

fn sniff(window: &mut Window) -> Result<Format, Fault> {
    if window.is_over()? {
        return Err(Fault::Empty);
    }
    let magic = *window.fill(4)?.first_chunk::<4>().unwrap_or(&[0; 4]);
    if magic == pcapng::MAGIC {
        return Ok(Format::Pcapng(Pcapng::default()));
    }
    Classic::read_header(window, magic).map(Format::Classic)
}

fn name_fault(path: &Path, offset: u64, fault: Fault) -> FileError {
    let path = path.to_owned();
    match fault {
        Fault::Read(source) => FileError::Read { path, offset, source },
        Fault::Empty => FileError::Empty { path },
        Fault::NotACapture(magic) => FileError::NotACapture { path, magic },
        Fault::Version { major, minor } => FileError::Version { path, offset, major, minor },
        Fault::Truncated { needed, present } => {
            FileError::Truncated { path, offset, needed: needed as u64, present: present as u64 }
        }
        Fault::Damaged(problem) => FileError::Damaged { path, offset, problem },
    }
}

/// The byte order of a file or section.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    Little,
    Big,
}

impl Order {
    /// The 16-bit number at `at`; 0 where there is none.
    fn u16(self, bytes: &[u8], at: usize) -> u16 {
        let raw = bytes.get(at..).and_then(<[u8]>::first_chunk::<2>).copied().unwrap_or_default();
        if self == Self::Little { u16::from_le_bytes(raw) } else { u16::from_be_bytes(raw) }
    }

    /// The 32-bit number at `at`; 0 where there is none.
    fn u32(self, bytes: &[u8], at: usize) -> u32 {
        let raw = bytes.get(at..).and_then(<[u8]>::first_chunk::<4>).copied().unwrap_or_default();
        if self == Self::Little { u32::from_le_bytes(raw) } else { u32::from_be_bytes(raw) }
    }

    /// The 64-bit number at `at`; 0 where there is none.
    fn u64(self, bytes: &[u8], at: usize) -> u64 {
        let raw = bytes.get(at..).and_then(<[u8]>::first_chunk::<8>).copied().unwrap_or_default();
        if self == Self::Little { u64::from_le_bytes(raw) } else { u64::from_be_bytes(raw) }
    }
}
