//! One answer as it is printed: every key that applies is there, `null` where there is nothing to say.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};
use weir_cluster::route::{
    Answer, Backend, BackendPort, Forwarded, Mirrored, PathType, Reason, RouteKind, RouteRequest, RuleHit, Via,
    canonical,
};

/// A line of the answer.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Said {
    Error { error: String },
    Answer(Box<Answered>),
}

/// A line, and what of `expected` it does not meet.
#[derive(Debug, Serialize)]
pub(super) struct Line {
    #[serde(flatten)]
    pub(super) said: Said,
    /// Keys of `expected` that are not met, each with what was expected; only where something is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) unmet: Option<Vec<String>>,
    /// Objects that are left out because they cannot be read, and might have changed the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) notes: Vec<String>,
}

/// What becomes of a request.
#[derive(Debug, Serialize)]
pub(super) struct Answered {
    pub(super) status: u16,
    /// The status in gRPC's own numbers, for calls.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grpc_status: Option<u8>,
    pub(super) kind: Option<&'static str>,
    pub(super) namespace: Option<String>,
    /// The object's name stands at `ingress` or `route`.
    #[serde(flatten)]
    pub(super) name: Name,
    pub(super) rule_index: Option<usize>,
    pub(super) rule_host: Option<String>,
    pub(super) path: Option<String>,
    pub(super) path_type: Option<&'static str>,
    pub(super) backend_service: Option<String>,
    pub(super) backend_namespace: Option<String>,
    #[serde(serialize_with = "port")]
    pub(super) backend_port: Option<BackendPort>,
    pub(super) via: Option<&'static str>,
    pub(super) redirect: Option<Redirected>,
    pub(super) request_at_backend: Option<AtBackend>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) response_headers: Vec<Value>,
    pub(super) mirrored_to: Vec<MirroredTo>,
    /// All of them, where there are several or one does not work.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) backends: Vec<OneBackend>,
    pub(super) reason: Option<&'static str>,
    pub(super) flags: Vec<&'static str>,
}

/// Which object it is, and the place in its rule.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Name {
    Ingress { ingress: Option<String>, path_index: Option<usize>, claimed: Option<bool> },
    Route { route: Option<String>, match_index: Option<usize> },
}

#[derive(Debug, Serialize)]
pub(super) struct Redirected {
    scheme: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Left out where it is the scheme's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<String>,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AtBackend {
    request: RequestAt,
    absent_headers: BTreeSet<String>,
}

#[derive(Debug, Serialize)]
struct RequestAt {
    method: String,
    host: Option<String>,
    path: String,
    headers: BTreeMap<String, String>,
}

/// A receiver of copies; `backendRef` as the filter of the route writes it.
#[derive(Debug, Serialize)]
pub(super) struct MirroredTo {
    name: String,
    namespace: String,
    percent: f64,
    #[serde(rename = "backendRef")]
    backend_ref: Value,
}

#[derive(Debug, Serialize)]
pub(super) struct OneBackend {
    pub(super) backend_service: Option<String>,
    pub(super) backend_namespace: String,
    #[serde(serialize_with = "port")]
    pub(super) backend_port: Option<BackendPort>,
    pub(super) weight: u32,
    pub(super) status: u16,
    pub(super) reason: Option<&'static str>,
}

/// As a URL; a host that the request does not name is left out.
impl fmt::Display for Redirected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host.as_deref().unwrap_or_default())?;
        if let Some(port) = &self.port {
            write!(f, ":{port}")?;
        }
        f.write_str(&self.path)
    }
}

impl Line {
    pub(super) fn error(error: String) -> Self {
        Self { said: Said::Error { error }, unmet: None, notes: Vec::new() }
    }

    pub(super) fn new(answer: &Answer<'_>, request: &RouteRequest<'_>, is_ingress: bool, is_grpc: bool) -> Self {
        let (rule, backend) = (answer.rule, answer.backend());
        let is_grpc = is_grpc || rule.is_some_and(|rule| rule.route.kind == RouteKind::GrpcRoute);
        let all = answer.backends();
        let is_plain = all.len() < 2 && all.iter().all(|backend| backend.refusal.is_none());
        let answered = Answered {
            status: answer.status,
            grpc_status: is_grpc.then(|| grpc_status(answer.status)),
            kind: rule.map(|rule| rule.route.kind.name()),
            namespace: rule.map(|rule| rule.route.namespace.to_string()),
            name: Name::new(rule, is_ingress, answer.reason),
            rule_index: rule.and_then(|rule| rule.rule_index),
            rule_host: rule.and_then(|rule| rule.host).map(str::to_owned),
            path: rule.and_then(|rule| rule.path).map(str::to_owned),
            path_type: rule.and_then(|rule| Some(path_type(rule.route.kind, rule.path_type?))),
            backend_service: backend.and_then(|backend| backend.service.as_deref()).map(str::to_owned),
            backend_namespace: backend.map(|backend| backend.namespace.to_string()),
            backend_port: backend.and_then(|backend| backend.port.clone()),
            via: rule.map(|rule| rule.via.name()),
            redirect: answer.location(request).map(|to| Redirected {
                scheme: to.scheme,
                host: to.host,
                port: to.port.map(|port| port.to_string()),
                path: to.path,
                query: to.query,
            }),
            // Of a connection that is passed on, nobody sees the requests.
            request_at_backend: answer
                .forwarded(request)
                .filter(|_| rule.is_some_and(|rule| rule.via != Via::Passthrough))
                .map(AtBackend::from),
            response_headers: answer.response_headers().map(response_headers).collect(),
            mirrored_to: answer.mirrors().map(MirroredTo::from).collect(),
            backends: if is_plain { Vec::new() } else { all.iter().map(OneBackend::from).collect() },
            reason: answer.reason.map(Reason::name),
            flags: answer.flags.iter().map(weir_cluster::route::Flag::name).collect(),
        };
        Self { said: Said::Answer(Box::new(answered)), unmet: None, notes: Vec::new() }
    }
}

impl Name {
    fn new(rule: Option<RuleHit<'_>>, is_ingress: bool, reason: Option<Reason>) -> Self {
        let (name, place) = (rule.map(|rule| rule.route.name.to_string()), rule.and_then(|rule| rule.match_index));
        if !is_ingress {
            return Self::Route { route: name, match_index: place };
        }
        let claimed = (rule.is_some() || reason == Some(Reason::UnknownClass)).then_some(rule.is_some());
        Self::Ingress { ingress: name, path_index: place, claimed }
    }
}

/// The names that the object's own API has for types of paths.
const fn path_type(kind: RouteKind, path_type: PathType) -> &'static str {
    match (kind, path_type) {
        (_, PathType::Exact) => "Exact",
        (RouteKind::Ingress, PathType::Prefix) => "Prefix",
        (_, PathType::Prefix) => "PathPrefix",
        (_, PathType::ImplementationSpecific) => "ImplementationSpecific",
        (_, PathType::RegularExpression) => "RegularExpression",
    }
}

/// OK, UNIMPLEMENTED where no rule takes the call, else UNAVAILABLE (Gateway API, `GRPCRouteRule`).
const fn grpc_status(status: u16) -> u8 {
    match status {
        200 => 0,
        404 => 12,
        _ => 14,
    }
}

#[expect(clippy::ref_option, reason = "the shape that serde asks for")]
fn port<S: Serializer>(port: &Option<BackendPort>, to: S) -> Result<S::Ok, S::Error> {
    port.as_ref().map(port_value).serialize(to)
}

fn port_value(port: &BackendPort) -> Value {
    match port {
        BackendPort::Number(number) => json!({"number": number}),
        BackendPort::Name(name) => json!({"name": &**name}),
    }
}

fn response_headers(modifier: &weir_cluster::objects::HeaderModifier) -> Value {
    let named = |headers: &[weir_cluster::objects::Header]| -> BTreeMap<String, String> {
        headers.iter().map(|header| (canonical(&header.name), header.value.to_string())).collect()
    };
    let remove: Vec<String> = modifier.remove.iter().map(|name| canonical(name)).collect();
    json!({"set": named(&modifier.set), "add": named(&modifier.add), "remove": remove})
}

impl From<Forwarded> for AtBackend {
    fn from(at: Forwarded) -> Self {
        let request = RequestAt { method: at.method, host: at.host, path: at.path, headers: at.headers };
        Self { request, absent_headers: at.removed }
    }
}

impl From<&Mirrored> for MirroredTo {
    fn from(mirrored: &Mirrored) -> Self {
        let (part, whole) = mirrored.share;
        let port = match mirrored.port {
            Some(BackendPort::Number(number)) => Some(number),
            _ => None,
        };
        let (name, namespace) = (mirrored.service.to_string(), mirrored.namespace.to_string());
        let backend_ref = json!({"name": name, "namespace": namespace, "port": port});
        Self { name, namespace, percent: f64::from(part) * 100.0 / f64::from(whole), backend_ref }
    }
}

impl From<&Backend> for OneBackend {
    fn from(backend: &Backend) -> Self {
        Self {
            backend_service: backend.service.as_deref().map(str::to_owned),
            backend_namespace: backend.namespace.to_string(),
            backend_port: backend.port.clone(),
            weight: backend.weight,
            status: if backend.refusal.is_some() { 500 } else { 200 },
            reason: backend.refusal.map(Reason::name),
        }
    }
}
