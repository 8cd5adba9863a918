//! A parsed document, or an entry of a list in one, before it is known what it is.
//!
//! YAML comes as a tree; JSON as checked text, so that a list of all pods of a cluster is never held as a tree.

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::error::without_place;
use crate::objects::{Fault, Object, ObjectKind};

/// Something that may be an object.
pub(super) trait Content: Sized {
    /// Whether there is nothing.
    fn is_null(&self) -> bool;

    /// The text of a field at the top, where it is text and not empty.
    fn text(&self, field: &str) -> Option<String>;

    /// The entries of `items`, where that is a list or `null`.
    fn items(&self) -> Option<Vec<Self>>;

    /// Namespace and name as far as they can be made out.
    fn name(&self) -> (Option<String>, Option<String>);

    /// The object.
    fn read(self, kind: ObjectKind) -> Result<Object, Fault>;
}

impl Content for Value {
    fn is_null(&self) -> bool {
        Self::is_null(self)
    }

    fn text(&self, field: &str) -> Option<String> {
        self.get(field)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
    }

    fn items(&self) -> Option<Vec<Self>> {
        match self.get("items")? {
            Self::Null => Some(Vec::new()),
            items => items.as_array().cloned(),
        }
    }

    fn name(&self) -> (Option<String>, Option<String>) {
        let field = |name: &str| self.get("metadata")?.get(name)?.as_str().map(str::to_owned);
        (field("namespace"), field("name"))
    }

    fn read(self, kind: ObjectKind) -> Result<Object, Fault> {
        read(kind, self)
    }
}

impl Content for &RawValue {
    fn is_null(&self) -> bool {
        self.get() == "null"
    }

    fn text(&self, field: &str) -> Option<String> {
        let head: Head<'_> = serde_json::from_str(self.get()).ok()?;
        let raw = if field == "kind" { head.kind } else { head.api_version }?;
        serde_json::from_str(raw.get()).ok().filter(|text: &String| !text.is_empty())
    }

    fn items(&self) -> Option<Vec<Self>> {
        let head: Head<'_> = serde_json::from_str(self.get()).ok()?;
        serde_json::from_str::<Option<Vec<Self>>>(head.items?.get()).ok().map(Option::unwrap_or_default)
    }

    fn name(&self) -> (Option<String>, Option<String>) {
        let head: Option<Head<'_>> = serde_json::from_str(self.get()).ok();
        let name: Name<'_> = head.and_then(|head| serde_json::from_str(head.metadata?.get()).ok()).unwrap_or_default();
        let text = |raw: Option<&RawValue>| serde_json::from_str(raw?.get()).ok();
        (text(name.namespace), text(name.name))
    }

    fn read(self, kind: ObjectKind) -> Result<Object, Fault> {
        read(kind, &mut serde_json::Deserializer::from_str(self.get()))
    }
}

/// The fields that say what a document is, whatever they hold.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Head<'a> {
    #[serde(borrow)]
    api_version: Option<&'a RawValue>,
    #[serde(borrow)]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    items: Option<&'a RawValue>,
    #[serde(borrow)]
    metadata: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Name<'a> {
    #[serde(borrow)]
    namespace: Option<&'a RawValue>,
    #[serde(borrow)]
    name: Option<&'a RawValue>,
}

fn read<'de, D: Deserializer<'de>>(kind: ObjectKind, from: D) -> Result<Object, Fault> {
    let mut track = serde_path_to_error::Track::new();
    let object = kind.read(serde_path_to_error::Deserializer::new(from, &mut track));
    object.map_err(|error| Fault { field: track.path().to_string(), reason: without_place(&error.to_string()) })
}
