//! Services that only their names lead to: a headless one, which has no address, and an alias for a name outside.
//!
//! The names that pods ask for come in, the Services that these stand for go out. Nothing is resolved here.

use std::sync::Arc;

use weir_model::{Service, ServiceMethod, ServiceRef, ServiceType};

use super::Snapshot;

/// A Service that has no address of its own, as its name leads to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NamedService {
    /// The Service as a flow holds it that was led there.
    pub(crate) known: Arc<Service>,
    /// The name outside that it stands for, as DNS writes it; `None` = it is headless.
    pub(crate) alias_of: Option<Box<str>>,
}

impl NamedService {
    pub(crate) fn new(service: ServiceRef, external_name: Option<&str>) -> Self {
        let is_alias = service.service_type == ServiceType::ExternalName;
        let alias_of = external_name.filter(|_| is_alias).map(|name| name.trim_end_matches('.').to_ascii_lowercase());
        let known = Service { used: Some(service), method: Some(ServiceMethod::Dns), candidates: Vec::new() };
        Self { known: Arc::new(known), alias_of: alias_of.map(Into::into) }
    }
}

/// What a DNS name stands for.
pub(crate) struct Meant<'a> {
    pub(crate) service: &'a NamedService,
    /// The name was written out, so that it cannot be one from outside.
    pub(crate) is_full: bool,
}

/// Under which key a Service is found by its name.
pub(crate) fn key(namespace: &str, name: &str) -> String {
    format!("{name}.{namespace}")
}

impl Snapshot {
    /// The Service without an address that a name stands for which a pod of `namespace` asks for: `db.shop.svc` and the
    /// cluster's domain, or as much of that as search lists add; also the name of one of its pods, `db-0.db.shop.svc...`.
    /// The name is in lower case, without the last point.
    pub(crate) fn service_named(&self, name: &str, namespace: Option<&str>) -> Option<Meant<'_>> {
        let inside = name.strip_suffix(&*self.index.domain).and_then(|rest| rest.strip_suffix('.')).unwrap_or(name);
        if let Some(rest) = inside.strip_suffix(".svc") {
            let is_full = inside.len() < name.len();
            let of_pod = rest.split_once('.').map(|(_, service)| service).filter(|service| service.contains('.'));
            return self.at_name(of_pod.unwrap_or(rest), is_full);
        }
        if inside.len() < name.len() {
            return None;
        }
        match name.split_once('.') {
            Some((_, namespace)) if namespace.contains('.') => None,
            Some(_) => self.at_name(name, false),
            None => self.at_name(&key(namespace?, name), false),
        }
    }

    /// What a pod meant by a name whose first alias is `alias`: a DNS server that goes through the search list itself
    /// answers to the first name of it, and says by an alias which one it found.
    pub(crate) fn is_search_of(&self, name: &str, alias: &str) -> bool {
        let rest = name.strip_prefix(alias).and_then(|rest| rest.strip_prefix('.'));
        let zone = rest.and_then(|rest| rest.strip_suffix(&*self.index.domain));
        zone.is_some_and(|zone| zone.is_empty() || zone == "svc." || zone.ends_with(".svc."))
    }

    fn at_name(&self, key: &str, is_full: bool) -> Option<Meant<'_>> {
        let service = self.index.named.get(key)?.at(self.at)?;
        Some(Meant { service, is_full })
    }
}
