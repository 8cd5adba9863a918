//! Kubernetes manifests: YAML and JSON text in, objects out, with a note for what was passed over.
//!
//! Every problem is found and named with its file, document and field; nothing is applied, defaulted from templates
//! or fetched. Only `folder` touches the disk.

mod content;
mod document;
mod error;
mod folder;

use std::collections::BTreeMap;
use std::fmt;

pub use error::{ManifestError, Misfit, ObjectName, Problem};
pub use folder::{MAX_DEPTH, MAX_FILE_BYTES, load, salvage};

use crate::objects::{Object, ObjectKey, Objects};

/// What manifests held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The objects.
    pub objects: Objects,
    /// What was passed over, sorted.
    pub notes: Vec<Note>,
}

/// What could be read of manifests, and what could not.
#[derive(Debug, Default)]
pub struct Salvage {
    /// The objects that could be read.
    pub loaded: Loaded,
    /// What could not, in the order of files and documents. Nothing of it is among the objects.
    pub problems: Vec<Problem>,
}

impl Salvage {
    /// What was read, if that is everything.
    pub fn whole(self) -> Result<Loaded, ManifestError> {
        if self.problems.is_empty() { Ok(self.loaded) } else { Err(ManifestError { problems: self.problems }) }
    }
}

/// Something in the manifests that is no error but has no effect.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Note {
    /// Objects of a kind that is not kept.
    UnknownKind {
        /// `apiVersion` of the objects.
        api_version: String,
        /// `kind` of the objects.
        kind: String,
        /// How many there are.
        count: usize,
    },
    /// A policy, or a part of one, that cannot be meant so.
    Fault(Misfit),
    /// An object that a later document replaced.
    Replaced {
        /// The object.
        object: ObjectKey,
        /// Where the later one is: a file.
        by: String,
    },
    /// An object that only says where requests go, and does not hold what it should. It is left out.
    Unread(Misfit),
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKind { api_version, kind, count } => write!(f, "passed over {count} of {api_version}/{kind}"),
            Self::Fault(misfit) => misfit.fmt(f),
            Self::Replaced { object, by } => write!(f, "{object} is given more than once; {by} counts"),
            Self::Unread(misfit) => write!(f, "left out: {misfit}"),
        }
    }
}

/// Reads the documents of one text. `origin` names it in problems and notes; one that ends in `.json` is read as
/// JSON, any other as YAML.
pub fn parse(text: &str, origin: &str) -> Result<Loaded, ManifestError> {
    let mut harvest = Harvest::default();
    harvest.read(text, origin);
    harvest.finish().whole()
}

/// What has been found so far, problems among it.
#[derive(Default)]
struct Harvest {
    objects: Objects,
    unknown: BTreeMap<(String, String), usize>,
    notes: Vec<Note>,
    problems: Vec<Problem>,
}

impl Harvest {
    fn read(&mut self, text: &str, origin: &str) {
        document::read(text, origin, self);
    }

    fn object(&mut self, object: Object, origin: &str) {
        let key = object.key();
        if self.objects.insert(object).is_some() {
            self.notes.push(Note::Replaced { object: key, by: origin.to_owned() });
        }
    }

    fn unknown(&mut self, api_version: String, kind: String) {
        *self.unknown.entry((api_version, kind)).or_default() += 1;
    }

    fn finish(self) -> Salvage {
        let unknown = self.unknown.into_iter();
        let mut notes: Vec<Note> =
            unknown.map(|((api_version, kind), count)| Note::UnknownKind { api_version, kind, count }).collect();
        notes.extend(self.notes);
        notes.sort();
        Salvage { loaded: Loaded { objects: self.objects, notes }, problems: self.problems }
    }
}
