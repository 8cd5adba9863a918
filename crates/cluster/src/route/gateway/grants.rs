//! ReferenceGrants, compiled: whether objects of one namespace may refer to an object of another.
//!
//! A grant speaks for its own namespace only and is never passed on, so circles of grants mean nothing.

use std::sync::Arc;

use crate::objects::{Fault, ObjectKey, ObjectKind, ObjectMeta, Objects, Part};
use crate::route::HashMap;
use crate::route::finding::Findings;

const GATEWAY_API: &str = "gateway.networking.k8s.io";

/// Who refers: the namespace referred to, kind and namespace of the referrer, and the kind referred to.
type From = (Arc<str>, Arc<str>, Arc<str>, Arc<str>);

/// The names that may be referred to.
#[derive(Debug, Default)]
struct Names {
    all: bool,
    some: Vec<Arc<str>>,
}

/// Every grant from Gateway API kinds to core kinds.
#[derive(Debug, Default)]
pub(super) struct Grants {
    names: HashMap<From, Names>,
}

impl Grants {
    pub(super) fn new(objects: &Objects, findings: &mut Findings) -> Self {
        let mut made = Self::default();
        for grant in objects.reference_grants() {
            let ObjectMeta { namespace, name, .. } = &grant.metadata;
            let (kind, namespace, name) = (ObjectKind::ReferenceGrant, Arc::clone(namespace), Arc::clone(name));
            let key = ObjectKey { kind, namespace, name };
            let from = grant.spec.from.iter().enumerate().map(|(index, part)| fault(part, "from", index));
            let to = grant.spec.to.iter().enumerate().map(|(index, part)| fault(part, "to", index));
            from.chain(to).flatten().for_each(|fault| findings.unreadable(&key, fault));
            let targets = grant.spec.to.iter().filter_map(Part::read).filter(|to| to.group.is_empty());
            for to in targets {
                for from in grant.spec.from.iter().filter_map(Part::read).filter(|from| *from.group == *GATEWAY_API) {
                    let key = (&grant.metadata.namespace, &from.kind, &from.namespace, &to.kind);
                    let names = made.names.entry(owned(key)).or_default();
                    names.all |= to.name.is_none();
                    names.some.extend(to.name.clone());
                }
            }
        }
        made
    }

    /// Whether a `kind` of namespace `from` may refer to the core object `to_kind` `to`/`name`.
    pub(super) fn allow(&self, kind: &str, from: &Arc<str>, to_kind: &str, to: &Arc<str>, name: &str) -> bool {
        let key = (Arc::clone(to), Arc::from(kind), Arc::clone(from), Arc::from(to_kind));
        from == to || self.names.get(&key).is_some_and(|names| names.all || names.some.iter().any(|n| **n == *name))
    }
}

fn fault<T>(part: &Part<T>, list: &str, index: usize) -> Option<Fault> {
    part.at(&format!("spec.{list}[{index}]")).err()
}

fn owned((to, kind, from, to_kind): (&Arc<str>, &Arc<str>, &Arc<str>, &Arc<str>)) -> From {
    (Arc::clone(to), Arc::clone(kind), Arc::clone(from), Arc::clone(to_kind))
}
