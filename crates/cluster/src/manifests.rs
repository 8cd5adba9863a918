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

pub use error::{ManifestError, Problem};
pub use folder::{MAX_DEPTH, MAX_FILE_BYTES, load};

use crate::objects::{Fault, Object, ObjectKey, Objects};

/// What manifests held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The objects.
    pub objects: Objects,
    /// What was passed over, sorted.
    pub notes: Vec<Note>,
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
    Fault {
        /// The file.
        origin: String,
        /// The document.
        document: usize,
        /// The line of the file that the document starts in.
        line: u64,
        /// The object, `NetworkPolicy shop/web`.
        object: String,
        /// The field, and what is wrong with it.
        fault: Fault,
    },
    /// An object that a later document replaced.
    Replaced {
        /// The object.
        object: ObjectKey,
        /// Where the later one is: a file.
        by: String,
    },
    /// An object that only says where requests go, and does not hold what it should. It is left out.
    Unread {
        /// The [`Problem`], with its file, object and field.
        problem: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKind { api_version, kind, count } => write!(f, "passed over {count} of {api_version}/{kind}"),
            Self::Fault { origin, document, line, object, fault } => {
                write!(f, "{origin}: document {document} (from line {line}): {object}: {fault}")
            }
            Self::Replaced { object, by } => write!(f, "{object} is given more than once; {by} counts"),
            Self::Unread { problem } => write!(f, "left out: {problem}"),
        }
    }
}

/// Reads the documents of one text. `origin` names it in problems and notes; one that ends in `.json` is read as
/// JSON, any other as YAML.
pub fn parse(text: &str, origin: &str) -> Result<Loaded, ManifestError> {
    let mut harvest = Harvest::default();
    harvest.read(text, origin);
    harvest.finish()
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

    fn finish(self) -> Result<Loaded, ManifestError> {
        if !self.problems.is_empty() {
            return Err(ManifestError { problems: self.problems });
        }
        let unknown = self.unknown.into_iter();
        let mut notes: Vec<Note> =
            unknown.map(|((api_version, kind), count)| Note::UnknownKind { api_version, kind, count }).collect();
        notes.extend(self.notes);
        notes.sort();
        Ok(Loaded { objects: self.objects, notes })
    }
}
