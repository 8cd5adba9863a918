//! The documents of one text: cut apart, parsed, lists opened, objects read.
//!
//! A wrong document never hides the next one: YAML is cut at its markers first, which no scalar may hold at the start
//! of a line (YAML 1.2 section 9.1.2). Depth, nodes and what aliases expand to are bounded.

use std::path::Path;

use serde_json::Value;
use serde_json::value::RawValue;

use super::content::Content;
use super::error::without_place;
use super::{Harvest, Misfit, Note, ObjectName, Problem};
use crate::objects::{Fault, ObjectKind};

/// Most YAML nodes of one document, those that aliases repeat among them: a list of some 10,000 pods.
const MAX_NODES: usize = 4_000_000;
/// Deepest nesting. Reading takes stack for each level; schemas of custom resources reach some 45.
const MAX_NESTING: usize = 64;
/// Most events that aliases of one document may repeat. Manifests hardly use any.
const MAX_ALIAS_EVENTS: usize = 100_000;

/// Where a document is.
#[derive(Clone, Copy)]
struct Place<'a> {
    origin: &'a str,
    document: usize,
    line: u64,
}

/// Reads every document of `text` into `harvest`.
pub(super) fn read(text: &str, origin: &str, harvest: &mut Harvest) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if Path::new(origin).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("json")) {
        read_json(text, origin, harvest);
    } else {
        read_yaml(text, origin, harvest);
    }
}

fn read_yaml(text: &str, origin: &str, harvest: &mut Harvest) {
    let mut budget = serde_saphyr::Budget::default();
    budget.max_nodes = MAX_NODES;
    budget.max_events = 2 * MAX_NODES;
    budget.max_depth = MAX_NESTING;
    budget.max_total_scalar_bytes = budget.max_total_scalar_bytes.max(text.len());
    // As in YAML 1.2: a label may be `no`. Fields that are yes or no read the older words themselves.
    let mut options = serde_saphyr::options! { with_snippet: false, emit_comments: false, strict_booleans: true };
    options.budget = Some(budget);
    options.alias_limits.max_total_replayed_events = MAX_ALIAS_EVENTS;
    for Chunk { document, line, text } in Chunks::new(text) {
        let place = Place { origin, document, line };
        match serde_saphyr::from_str_with_options::<Value>(text, options.clone()) {
            Ok(value) => take(value, place, harvest),
            Err(error) => {
                let offset = error.location().map_or(0, |location| location.line().saturating_sub(1));
                let reason = without_place(&error.without_snippet().to_string());
                let line = line.saturating_add(offset);
                harvest.problems.push(Problem::Syntax { origin: origin.to_owned(), document, line, reason });
            }
        }
    }
}

fn read_json(text: &str, origin: &str, harvest: &mut Harvest) {
    let mut stream = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let mut line = 1;
    let mut counted = 0;
    for document in 1.. {
        match stream.next() {
            None => return,
            Some(Ok(raw)) => {
                let start = stream.byte_offset().saturating_sub(raw.get().len()).max(counted);
                line += newlines(text.get(counted..start).unwrap_or_default());
                counted = start;
                take(raw, Place { origin, document, line }, harvest);
            }
            Some(Err(error)) => {
                let (origin, line, reason) =
                    (origin.to_owned(), error.line() as u64, without_place(&error.to_string()));
                harvest.problems.push(Problem::Syntax { origin, document, line, reason });
                return;
            }
        }
    }
}

fn newlines(text: &str) -> u64 {
    text.bytes().filter(|byte| *byte == b'\n').count() as u64
}

/// Takes one document: an object, a list of them, or nothing.
fn take(content: impl Content, place: Place<'_>, harvest: &mut Harvest) {
    if content.is_null() {
        return;
    }
    let (api_version, kind) = match (content.text("apiVersion"), content.text("kind")) {
        (Some(api_version), Some(kind)) => (api_version, kind),
        (None, _) => return harvest.no_object(place, "", "apiVersion is missing"),
        (_, None) => return harvest.no_object(place, "", "kind is missing"),
    };
    let Some((member, items)) = kind.strip_suffix("List").zip(content.items()) else {
        return harvest.object_of(content, (api_version, kind), "", place);
    };
    for (index, item) in items.into_iter().enumerate() {
        let named = item.text("apiVersion").zip(item.text("kind"));
        let item_name = format!("items[{index}]");
        // The items of a `PodList` need not say that they are pods; those of a `List` must.
        match named.or_else(|| (!member.is_empty()).then(|| (api_version.clone(), member.to_owned()))) {
            Some(named) => harvest.object_of(item, named, &item_name, place),
            None => harvest.no_object(place, &item_name, "apiVersion or kind is missing"),
        }
    }
}

impl Harvest {
    fn no_object(&mut self, place: Place<'_>, item: &str, reason: &'static str) {
        let Place { origin, document, line } = place;
        let item = if item.is_empty() { String::new() } else { format!("{item}: ") };
        self.problems.push(Problem::NotAnObject { origin: origin.to_owned(), document, line, item, reason });
    }

    fn object_of(&mut self, content: impl Content, named: (String, String), item: &str, place: Place<'_>) {
        let (api_version, kind) = named;
        let (namespace, name) = content.name();
        let misfit = |fault: &Fault| Misfit {
            origin: place.origin.to_owned(),
            document: place.document,
            line: place.line,
            object: ObjectName { kind: kind.clone(), namespace: namespace.clone(), name: name.clone() },
            field: if item.is_empty() { fault.field.clone() } else { format!("{item}.{}", fault.field) },
            reason: fault.reason.clone(),
        };
        let Some(known) = ObjectKind::find(&api_version, &kind) else {
            if is_policy(&api_version, &kind) {
                let reason = format!("{api_version} has no policies of this kind; the object has no effect");
                self.notes.push(Note::Fault(misfit(&Fault { field: "kind".to_owned(), reason })));
            }
            if let ("v1", "Secret", Some(name)) = (&*api_version, &*kind, &name) {
                let namespace = namespace.as_deref().filter(|namespace| !namespace.is_empty()).unwrap_or("default");
                self.objects.insert_secret(namespace.into(), name.as_str().into());
            }
            return self.unknown(api_version, kind);
        };
        match content.read(known) {
            Ok(object) => {
                self.notes.extend(object.faults().iter().map(|fault| Note::Fault(misfit(fault))));
                self.object(object, place.origin);
            }
            Err(wrong) if known.is_routing() => self.notes.push(Note::Unread(misfit(&wrong))),
            Err(wrong) => self.problems.push(Problem::Field(Box::new(misfit(&wrong)))),
        }
    }
}

/// Whether who wrote this meant a policy.
fn is_policy(api_version: &str, kind: &str) -> bool {
    api_version.starts_with("policy.networking.k8s.io/") || kind.to_ascii_lowercase().contains("networkpol")
}

/// A document's text and where it is.
struct Chunk<'a> {
    document: usize,
    line: u64,
    text: &'a str,
}

/// The documents of YAML text that hold more than comments and directives.
struct Chunks<'a> {
    rest: Option<&'a str>,
    document: usize,
    line: u64,
    marked: bool,
}

impl<'a> Chunks<'a> {
    const fn new(text: &'a str) -> Self {
        Self { rest: Some(text), document: 0, line: 1, marked: false }
    }

    /// Cuts the text up to the next marker off, and says whether that was `---`.
    fn cut(&mut self, text: &'a str) -> (&'a str, bool) {
        let mut at = 0;
        for line in text.split_inclusive('\n') {
            let marker = line.strip_prefix("---").or_else(|| line.strip_prefix("..."));
            if let Some(behind) =
                marker.filter(|behind| behind.is_empty() || behind.starts_with([' ', '\t', '\r', '\n']))
            {
                self.rest = text.get(at + line.len() - behind.len()..);
                return (text.get(..at).unwrap_or_default(), line.starts_with('-'));
            }
            at += line.len();
        }
        self.rest = None;
        (text, false)
    }
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        loop {
            let (text, next_marked) = self.cut(self.rest?);
            let marked = std::mem::replace(&mut self.marked, next_marked);
            let line = self.line;
            self.line += newlines(text);
            let blank = text
                .lines()
                .map(str::trim)
                .all(|line| line.is_empty() || line.starts_with('#') || (!marked && line.starts_with('%')));
            // What stands before the first `---` is a document only where there is something.
            self.document += usize::from(marked || !blank);
            if !blank {
                return Some(Chunk { document: self.document, line, text });
            }
        }
    }
}
