//! The files of a CA and of those that it made certificates for.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result};
use weir_service::exit::HintExt as _;
use weir_service::tls::{CLIENT, Facts, read_certificates};
use weir_service::tokens::new_token;

use super::authority::{Authority, Pair, Party, Purpose};
use super::{is_plain, span};

/// Readable by everyone.
const PUBLIC: u32 = 0o644;
/// Readable by the owner.
const SECRET: u32 = 0o600;

/// A folder of certificates.
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    fn ca_certificate(&self) -> PathBuf {
        self.root.join("ca.crt")
    }

    /// The key of the CA.
    pub(super) fn ca_key(&self) -> PathBuf {
        self.root.join("ca.key")
    }

    /// A file that is there already, of those that would be written.
    pub(super) fn first_taken(&self, parties: &[Party]) -> Option<PathBuf> {
        let folders = parties.iter().map(|party| self.root.join(&party.folder));
        [self.ca_certificate(), self.ca_key()].into_iter().chain(folders).find(|path| path.exists())
    }

    /// Writes a new CA.
    pub(super) fn keep_authority(&self, authority: &Authority) -> Result<()> {
        create(&self.root)?;
        write(&self.ca_key(), &authority.pair.key, SECRET)?;
        write(&self.ca_certificate(), &authority.pair.certificate, PUBLIC)
    }

    /// Writes a party's files, each whole or not at all.
    pub(super) fn keep(&self, party: &Party, pair: &Pair, authority: &Authority) -> Result<()> {
        let folder = self.root.join(&party.folder);
        create(&folder)?;
        write(&folder.join("tls.key"), &pair.key, SECRET)?;
        write(&folder.join("tls.crt"), &pair.certificate, PUBLIC)?;
        write(&folder.join("ca.crt"), &authority.pair.certificate, PUBLIC)
    }

    /// Writes a token for people, where they are to find it, and the collector's file that lets them in with it.
    pub(super) fn keep_token(&self) -> Result<()> {
        let (token, line) = new_token(CLIENT).context("making a token")?;
        write(&self.root.join("client/token"), &format!("{token}\n"), SECRET)?;
        write(&self.root.join("collector/tokens"), &format!("{line}\n"), SECRET)
    }

    /// Reads the CA.
    pub(super) fn authority(&self) -> Result<Authority> {
        let read = |path: PathBuf| fs::read_to_string(&path).with_context(|| path.display().to_string());
        let pair =
            read(self.ca_certificate()).and_then(|certificate| Ok(Pair { certificate, key: read(self.ca_key())? }));
        let hint = format!("`weir certs init {} --collector NAME` makes a CA", self.root.display());
        let authority = Authority::read(pair.hint(hint)?).with_context(|| self.root.display().to_string())?;
        authority.check().with_context(|| self.root.display().to_string())?;
        Ok(authority)
    }

    /// Certificates that are there: the CA's, then those of parties in the order of their names.
    pub(super) fn certificates(&self) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.root).with_context(|| self.root.display().to_string())? {
            found.push(entry?.path().join("tls.crt"));
        }
        found.retain(|path| path.is_file());
        found.sort();
        found.splice(0..0, Some(self.ca_certificate()).filter(|path| path.is_file()));
        Ok(found)
    }

    /// Those who have a certificate, with how long it was to last.
    pub(super) fn parties(&self) -> Result<Vec<(Party, Duration)>> {
        let own = self.ca_certificate();
        let certificates = self.certificates()?.into_iter().filter(|path| *path != own);
        certificates.map(|path| party_of(&path)).collect()
    }
}

/// Who has a certificate, by what it says.
fn party_of(path: &Path) -> Result<(Party, Duration)> {
    let facts = facts(path)?;
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    anyhow::ensure!(is_plain(folder), "{}: the folder has no name that can be read", path.display());
    let purpose = if facts.for_server { Purpose::Server } else { Purpose::Client };
    Ok((Party::new(folder, facts.names, purpose), span(facts.begins_at_s, facts.ends_at_s)))
}

/// What the first certificate of a file says.
pub(super) fn facts(path: &Path) -> Result<Facts> {
    let certificates = read_certificates(path)?;
    let facts = certificates.first().and_then(Facts::of);
    facts.with_context(|| format!("{}: no certificate", path.display()))
}

fn create(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| folder.display().to_string())
}

/// Writes beside, then moves into place: who reads it meanwhile sees the old or the new.
fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let beside = path.with_extension("new");
    let written = (|| {
        let _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    })();
    written.with_context(|| path.display().to_string())
}
