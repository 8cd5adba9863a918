//! Listeners of Gateways: what they listen for, and which routes they take.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::HostTable;
use super::grants::Grants;
use super::hosts::Hosts;
use crate::objects::{AllowedRoutes, Listener as Written, ObjectKey, Objects};
use crate::route::answer::{Flag, Flags, RouteKind};
use crate::route::finding::{Check, Findings};
use crate::route::host::HostPattern;

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaks {
    /// HTTP in the clear.
    Http,
    /// HTTP in TLS that ends here.
    Https,
    /// TLS that ends at the backend.
    Passthrough,
    /// TLS that ends here, and anything in it.
    Terminated,
    /// Something that has no routes here.
    Other,
}

/// A listener and the routes that are attached to it.
#[derive(Debug)]
pub(super) struct Listener {
    pub(super) name: Arc<str>,
    pub(super) hostname: Option<Arc<str>>,
    pub(super) pattern: HostPattern,
    pub(super) port: u16,
    pub(super) speaks: Speaks,
    pub(super) routes: Hosts<HostTable>,
    pub(super) flags: Flags,
    /// Nothing is served here: it has no certificate that it may use, or is in conflict with another listener.
    pub(super) is_broken: bool,
    /// The host names of routes that are attached, by what speaks HTTP and what speaks gRPC.
    pub(super) attached: [Vec<HostPattern>; 2],
    allowed: AllowedRoutes,
}

impl Listener {
    /// Reads a listener; `None` where its host name is none.
    pub(super) fn compile(
        written: &Written,
        gateway: &ObjectKey,
        index: usize,
        check: &mut Checked<'_>,
    ) -> Option<Self> {
        let field = |name: &str| format!("spec.listeners[{index}].{name}");
        let pattern = match HostPattern::parse(written.hostname.as_deref()) {
            Ok(pattern) => pattern,
            Err(reason) => {
                let message = format!("{reason}: {}", written.hostname.as_deref().unwrap_or_default());
                check.findings.add(gateway, field("hostname"), Check::InvalidHost, message);
                return None;
            }
        };
        let passes = written.tls.as_ref().is_some_and(|tls| tls.mode.as_deref() == Some("Passthrough"));
        let speaks = match &*written.protocol {
            "HTTP" => Speaks::Http,
            "HTTPS" => Speaks::Https,
            "TLS" if passes => Speaks::Passthrough,
            "TLS" => Speaks::Terminated,
            _ => Speaks::Other,
        };
        let mut made = Self {
            name: Arc::clone(&written.name),
            hostname: written.hostname.clone(),
            pattern,
            port: written.port,
            speaks,
            routes: Hosts::default(),
            flags: Flags::default(),
            is_broken: false,
            attached: [Vec::new(), Vec::new()],
            allowed: written.allowed_routes.clone(),
        };
        made.check_certificates(written, gateway, &field("tls"), check);
        Some(made)
    }

    /// A listener without a certificate that it may use is not programmed (Gateway API, `ResolvedRefs`).
    fn check_certificates(&mut self, written: &Written, gateway: &ObjectKey, field: &str, check: &mut Checked<'_>) {
        if !matches!(self.speaks, Speaks::Https | Speaks::Terminated) {
            return;
        }
        let references = written.tls.as_ref().map(|tls| &*tls.certificate_refs).unwrap_or_default();
        if references.is_empty() {
            self.is_broken = true;
            check.findings.add(gateway, field, Check::InvalidListener, "TLS ends here, without a certificate");
        }
        for (index, reference) in references.iter().enumerate() {
            let field = format!("{field}.certificateRefs[{index}]");
            let namespace = reference.namespace.as_ref().unwrap_or(&gateway.namespace);
            let kind = reference.kind.as_deref().unwrap_or("Secret");
            let is_secret = reference.group.is_none() && kind == "Secret";
            let name = format!("{kind} {namespace}/{}", reference.name);
            if !check.grants.allow("Gateway", &gateway.namespace, kind, namespace, &reference.name) {
                self.is_broken = true;
                self.flags.set_if(Flag::RefusedCertificate, true);
                let message = format!("namespace {namespace} does not grant it: {name}");
                check.findings.add(gateway, field, Check::RefusedReference, message);
                continue;
            }
            match check.objects.has_secret(namespace, &reference.name).filter(|_| is_secret) {
                Some(true) => {}
                Some(false) => {
                    self.is_broken = true;
                    check.findings.add(gateway, field, Check::InvalidListener, format!("no such {name}"));
                }
                None => {
                    let message = format!("not among the objects: {name}");
                    check.findings.add(gateway, field, Check::MissingSecret, message);
                }
            }
        }
    }

    /// Whether routes of the other kind are attached for one of these host names (Gateway API, `GRPCRoute`: exactly
    /// one of the two is to be accepted, the older one). If not, they are noted as those of `kind`.
    pub(super) fn is_taken<'h>(
        &mut self,
        kind: RouteKind,
        hosts: impl Iterator<Item = &'h HostPattern> + Clone,
    ) -> bool {
        let [http, grpc] = &mut self.attached;
        let (own, other) = match kind {
            RouteKind::HttpRoute => (http, grpc),
            RouteKind::GrpcRoute => (grpc, http),
            RouteKind::Ingress | RouteKind::TlsRoute => return false,
        };
        let is_taken = hosts.clone().any(|host| other.iter().any(|taken| taken.meets(host)));
        if !is_taken {
            own.extend(hosts.cloned());
        }
        is_taken
    }

    /// Why it does not take routes of a kind from a namespace; `None` = it does.
    pub(super) fn refuses(
        &self,
        kind: RouteKind,
        route: &str,
        gateway: &str,
        namespaces: &Labels<'_>,
    ) -> Option<String> {
        let speaks_it = match self.speaks {
            Speaks::Http | Speaks::Https => matches!(kind, RouteKind::HttpRoute | RouteKind::GrpcRoute),
            Speaks::Passthrough | Speaks::Terminated => kind == RouteKind::TlsRoute,
            Speaks::Other => false,
        };
        let mut kinds = self.allowed.kinds.iter();
        let is_gateway_api =
            |group: &Option<Arc<str>>| group.as_deref().is_none_or(|g| g == "gateway.networking.k8s.io");
        let allows = |kind: RouteKind| {
            self.allowed.kinds.is_empty() || kinds.any(|a| is_gateway_api(&a.group) && *a.kind == *kind.name())
        };
        let mut allows = allows;
        if !speaks_it || !allows(kind) {
            return Some(format!("listener {} takes no {}", self.name, kind.name()));
        }
        let is_allowed = match self.allowed.namespaces.from.as_deref() {
            None | Some("Same") => route == gateway,
            Some("All") => true,
            Some("Selector") => self
                .allowed
                .namespaces
                .selector
                .as_ref()
                .is_some_and(|selector| selector.matches(|key| namespaces.label(route, key))),
            Some(_) => false,
        };
        (!is_allowed).then(|| format!("listener {} takes no routes of namespace {route}", self.name))
    }
}

/// What listeners are checked against.
pub(super) struct Checked<'a> {
    pub(super) objects: &'a Objects,
    pub(super) grants: &'a Grants,
    pub(super) findings: &'a mut Findings,
}

/// Labels of namespaces.
pub(super) struct Labels<'a> {
    namespaces: BTreeMap<&'a str, &'a BTreeMap<Arc<str>, Arc<str>>>,
}

impl<'a> Labels<'a> {
    pub(super) fn new(objects: &'a Objects) -> Self {
        let each = objects.namespaces().map(|namespace| (&*namespace.metadata.name, &namespace.metadata.labels));
        Self { namespaces: each.collect() }
    }

    /// The API server gives every namespace its name as a label; manifests may lack it.
    fn label<'b>(&'b self, namespace: &'b str, key: &str) -> Option<&'b str> {
        if key == "kubernetes.io/metadata.name" {
            return Some(namespace);
        }
        self.namespaces.get(namespace)?.get(key).map(|value| &**value)
    }
}
