//! What can be wrong with manifests, each with its place.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// All that is wrong with the manifests, in the order of files and documents.
#[derive(Debug)]
pub struct ManifestError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl std::error::Error for ManifestError {}

/// One problem a line.
impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

/// One thing that is wrong. Documents and lines count from 1; documents without content count where `---` opens them.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A file or folder could not be read.
    #[error("{}: {reason}", path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        reason: io::Error,
    },
    /// A file is too large to be a manifest.
    #[error("{}: {bytes} bytes, at most {max} are read", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The cap.
        max: u64,
    },
    /// Folders are nested too deeply.
    #[error("{}: nested more than {max} folders deep", path.display())]
    TooDeep {
        /// The innermost folder.
        path: PathBuf,
        /// The cap.
        max: usize,
    },
    /// A file is no UTF-8 text.
    #[error("{}: no UTF-8 text at byte {offset}", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first byte that is wrong.
        offset: usize,
    },
    /// A document is no YAML or JSON.
    #[error("{origin}: document {document}, line {line}: {reason}")]
    Syntax {
        /// The file.
        origin: String,
        /// The document.
        document: usize,
        /// The line of the file.
        line: u64,
        /// What the parser said.
        reason: String,
    },
    /// A document is no Kubernetes object.
    #[error("{origin}: document {document} (from line {line}): {item}no Kubernetes object: {reason}")]
    NotAnObject {
        /// The file.
        origin: String,
        /// The document.
        document: usize,
        /// The line of the file that the document starts in.
        line: u64,
        /// The entry of a list, `items[3]: `; empty outside lists.
        item: String,
        /// What it lacks.
        reason: &'static str,
    },
    /// A field of an object does not hold what it should.
    #[error("{0}")]
    Field(Box<Misfit>),
}

/// A field of an object that does not hold what it should.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Misfit {
    /// The file.
    pub origin: String,
    /// The document.
    pub document: usize,
    /// The line of the file that the document starts in.
    pub line: u64,
    /// The object.
    pub object: ObjectName,
    /// The field, `spec.ports[0].port`.
    pub field: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, document, line, object, field, reason } = self;
        write!(f, "{origin}: document {document} (from line {line}): {object}: {field}: {reason}")
    }
}

/// What a document calls its object, as far as that can be made out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectName {
    /// The kind.
    pub kind: String,
    /// The namespace; `None` = none is said.
    pub namespace: Option<String>,
    /// The name.
    pub name: Option<String>,
}

impl ObjectName {
    /// Whether it is the object of these names. One that says no namespace is in `default`.
    pub fn is(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let own = self.namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or("default");
        self.kind == kind && own == namespace && self.name.as_deref() == Some(name)
    }
}

/// `Service shop/web`.
impl fmt::Display for ObjectName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind)?;
        if let Some(namespace) = &self.namespace {
            write!(f, "{namespace}/")?;
        }
        f.write_str(self.name.as_deref().unwrap_or("(no name)"))
    }
}

/// A parser's message without the place at its end, which counts from somewhere else than the file's start.
pub(super) fn without_place(message: &str) -> String {
    let place = message.rfind(" at line ").and_then(|at| Some((message.get(..at)?, message.get(at + 9..)?)));
    let bare = place.filter(|(_, place)| {
        place.split([' ', ',']).all(|word| matches!(word, "" | "column") || word.bytes().all(|b| b.is_ascii_digit()))
    });
    bare.map_or(message, |(bare, _)| bare).to_owned()
}
