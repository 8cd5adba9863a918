//! The TOML file: keys with their lines and words, or what is wrong with it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::{Problem, Source};

/// A file that was read.
#[derive(Debug, Default)]
pub(super) struct File {
    entries: BTreeMap<String, Entry>,
}

/// The value of one key.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) source: Source,
    /// `None` where it is a table, or a list of anything but words.
    pub(super) words: Option<Vec<String>>,
    pub(super) is_list: bool,
    /// The value as it stands in the file.
    pub(super) written: String,
}

impl File {
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        let text = fs::read_to_string(path)
            .map_err(|error| Problem::Unreadable { path: path.to_owned(), message: error.to_string() })?;
        Self::parse(path, &text)
    }

    fn parse(path: &Path, text: &str) -> Result<Self, Problem> {
        let at = |offset: usize| {
            let before = text.get(..offset).unwrap_or(text);
            Source::File(PathBuf::from(path), before.matches('\n').count() + 1)
        };
        let table = DeTable::parse(text).map_err(|error| {
            let source = at(error.span().map_or(0, |span| span.start));
            Problem::Syntax { source, message: error.message().to_owned() }
        })?;
        let entries = table.into_inner().into_iter().map(|(key, value)| {
            let source = at(key.span().start);
            let written = text.get(value.span()).unwrap_or_default().to_owned();
            let value = value.into_inner();
            let entry = Entry { source, is_list: matches!(value, DeValue::Array(_)), words: words(&value), written };
            (key.into_inner().into_owned(), entry)
        });
        Ok(Self { entries: entries.collect() })
    }

    /// Takes the entry of `key` out.
    pub(super) fn take(&mut self, key: &str) -> Option<Entry> {
        self.entries.remove(key)
    }

    /// What was not taken.
    pub(super) fn rest(self) -> impl Iterator<Item = (String, Source)> {
        self.entries.into_iter().map(|(key, entry)| (key, entry.source))
    }
}

fn words(value: &DeValue<'_>) -> Option<Vec<String>> {
    match value {
        DeValue::Array(items) => items.iter().map(|item| word(item.get_ref())).collect(),
        one => word(one).map(|word| vec![word]),
    }
}

fn word(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix()).ok().map(|n| n.to_string()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Datetime(time) => Some(time.to_string()),
        DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
