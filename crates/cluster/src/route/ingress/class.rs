//! Which Ingresses the controller serves: by IngressClass, by the older annotation, or by default.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::objects::{Ingress, IngressClass, Objects};

/// Whether an Ingress is served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// By the controller of this class.
    Class(Arc<str>),
    /// It names no class, and there are none.
    Classless,
    /// By nobody, or by another controller than the one that is asked for.
    Unclaimed,
}

/// The classes there are.
pub(super) struct Classes<'a> {
    known: BTreeMap<&'a str, &'a IngressClass>,
    default: Option<&'a Arc<str>>,
    wanted: Option<&'a str>,
}

impl<'a> Classes<'a> {
    /// `wanted` = only this class is served.
    pub(super) fn new(objects: &'a Objects, wanted: Option<&'a str>) -> Self {
        let known = objects.ingress_classes().map(|class| (&*class.metadata.name, class)).collect();
        // Of several defaults the newest counts, then the first by name (the API server's admission plugin).
        let defaults = objects.ingress_classes().filter(|class| class.is_default());
        let newest = defaults.reduce(|best, class| {
            let is_newer = class.metadata.creation_timestamp > best.metadata.creation_timestamp;
            if is_newer { class } else { best }
        });
        Self { known, default: newest.map(|class| &class.metadata.name), wanted }
    }

    pub(super) fn claim(&self, ingress: &Ingress) -> Claim {
        let named = ingress.class_name().or(self.default);
        let Some(class) = named else {
            let is_alone = self.known.is_empty() && self.wanted.is_none();
            return if is_alone { Claim::Classless } else { Claim::Unclaimed };
        };
        // The annotation bound Ingresses to controllers before there were classes, and needs none.
        let by_annotation = ingress.spec.ingress_class_name.is_none() && self.known.is_empty();
        let is_served = match self.wanted {
            Some(wanted) => wanted == &**class,
            None => self.known.contains_key(&**class) || by_annotation,
        };
        if is_served { Claim::Class(Arc::clone(class)) } else { Claim::Unclaimed }
    }
}
