//! The checkpoint file: up to where entries are no longer needed, and a few bytes to go with that. It is replaced as a
//! whole: after a crash there is the old one or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::segment::sync_folder;
use crate::{JournalError, Position};

const MAGIC: [u8; 8] = *b"WEIRCKPT";
const VERSION: u32 = 1;
const NAME: &str = "checkpoint";
const NEW_NAME: &str = "checkpoint.new";

/// What was kept by [`crate::Journal::checkpoint`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Entries up to this one are no longer needed.
    pub position: Position,
    /// The caller's bytes.
    pub data: Vec<u8>,
}

impl Checkpoint {
    /// Reads the checkpoint of the journal in `dir`, if there is one.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, JournalError> {
        let path = dir.join(NAME);
        match fs::read(&path) {
            Ok(bytes) => Self::decode(&bytes, path).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(JournalError::io("read", &path)(error)),
        }
    }

    /// Puts this checkpoint in place of the one in `dir`; it is durable when this returns.
    pub(crate) fn write(&self, dir: &Path) -> Result<(), JournalError> {
        let (new, path) = (dir.join(NEW_NAME), dir.join(NAME));
        let mut file = File::create(&new).map_err(JournalError::io("create", &new))?;
        file.write_all(&self.encode()).map_err(JournalError::io("write", &new))?;
        file.sync_all().map_err(JournalError::io("sync", &new))?;
        fs::rename(&new, &path).map_err(JournalError::io("replace", &path))?;
        sync_folder(dir)
    }

    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.data.len() + 24);
        bytes.extend_from_slice(&MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.position.0.to_le_bytes());
        bytes.extend_from_slice(&self.data);
        let crc = crc32fast::hash(&bytes);
        bytes.extend_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8], path: PathBuf) -> Result<Self, JournalError> {
        let body = bytes.split_last_chunk().filter(|(body, crc)| crc32fast::hash(body) == u32::from_le_bytes(**crc));
        let fields = body.and_then(|(body, _)| {
            let (version, behind) = body.strip_prefix(&MAGIC)?.split_first_chunk()?;
            let (position, data) = behind.split_first_chunk()?;
            Some((u32::from_le_bytes(*version), u64::from_le_bytes(*position), data))
        });
        match fields {
            Some((VERSION, position, data)) => Ok(Self { position: Position(position), data: data.to_vec() }),
            Some((version, ..)) => Err(JournalError::Version { path, version }),
            None => Err(JournalError::Damaged { path, offset: 0 }),
        }
    }
}
