//! What really happened in a recording of the lab: one event for each request, as its client and server knew it.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde::Deserialize;

use crate::examples;

/// The truth of one scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Truth {
    /// How the lab was set up.
    pub lab: Lab,
    /// When the truth was written, in seconds since 1970.
    pub generated: f64,
    /// The requests, in the order they were made.
    pub events: Vec<Event>,
}

/// How the lab was set up.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lab {
    /// `routed` or `bridge`.
    pub mode: String,
    /// `none` or `vxlan`.
    pub overlay: String,
    /// `calico`, `kube-router` or `off`.
    pub nflog: String,
    /// Whether the policies are enforced: `on` or `off`; older recordings do not say.
    #[serde(default)]
    pub enforce: Option<String>,
}

/// One request.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Scenario and number: `clusterip-0`.
    pub id: String,
    /// The scenario.
    pub scenario: String,
    /// Start, in seconds since 1970.
    pub ts_start: f64,
    /// End, in seconds since 1970.
    pub ts_end: f64,
    /// The client's program.
    pub tool: String,
    /// `TCP`, `UDP`, ...
    pub proto: String,
    /// Who asked: a pod's short name, or `ext`.
    pub by: String,
    /// The client's socket.
    pub client: Peer,
    /// What the client dialled.
    pub dst: Address,
    /// The Service that was used, `namespace/name`.
    pub service: Option<String>,
    /// How: `ClusterIP`, `NodePort`, ...
    pub via: Option<String>,
    /// What became of it.
    pub verdict: Verdict,
    /// Whether the client was content.
    pub ok: bool,
    /// The exit code of the client's program.
    pub exit: Option<i32>,
    /// What the client's program complained about.
    pub error: Option<String>,
    /// The pod that answered.
    pub backend: Option<Backend>,
    /// The client as the server's socket had it.
    pub server_saw_client: Option<Peer>,
    /// Whether the client's address was rewritten on the way.
    pub snat: Option<bool>,
    /// Whether the dialled address was rewritten on the way.
    pub dnat: Option<bool>,
    /// Whether the pod reached itself.
    pub hairpin: Option<bool>,
    /// The node that a request from outside came in by.
    pub entry_node: Option<String>,
    /// The HTTP exchange.
    pub http: Option<Http>,
    /// The DNS exchange.
    pub dns: Option<Dns>,
    /// The way through the Ingress controller.
    pub ingress: Option<Ingress>,
    /// The Ingress rule that fits; `None` too where the event says that none does.
    pub ingress_rule: Option<IngressRule>,
    /// The rule of a Gateway or an Ingress controller that fits; `None` too where none does.
    pub route: Option<Route>,
    /// Why no backend answered, where nobody did: `no-rule`, ...
    pub reason: Option<String>,
    /// The request as the backend got it.
    pub at_backend: Option<AtBackend>,
    /// What the policies' log says.
    #[serde(default)]
    pub policies: Vec<PolicyLog>,
    /// The policies that select the denied pod, `namespace/name`.
    #[serde(default)]
    pub isolated_by: Vec<String>,
    /// Every Service that has the dialled pod behind it, where none was used.
    #[serde(default)]
    pub backend_services: Vec<String>,
    /// Bytes of payload that a bulk transfer sent.
    pub bytes_sent: Option<u64>,
    /// What to know about it.
    pub note: Option<String>,
}

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It went through.
    Allowed,
    /// A policy dropped it.
    Denied,
    /// `externalTrafficPolicy: Local` without a backend on that node: dropped.
    DroppedNoLocalEndpoint,
    /// A Service without endpoints: answered with an ICMP error.
    RejectedNoEndpoints,
    /// Nobody listened in the pod: answered with RST.
    RefusedByPod,
}

/// An address and a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// Address.
    pub ip: IpAddr,
    /// Port.
    pub port: u16,
}

/// A socket and whose it is.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Peer {
    /// Address.
    pub ip: IpAddr,
    /// Port.
    pub port: u16,
    /// The pod, `namespace/name`.
    pub pod: Option<String>,
    /// The node.
    pub node: Option<String>,
    /// Whether it is outside the cluster.
    #[serde(default)]
    pub external: bool,
}

/// The pod that answered.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// The pod, `namespace/name`.
    pub pod: String,
    /// Its address.
    pub ip: IpAddr,
    /// Its port.
    pub port: u16,
}

/// An HTTP exchange, or several on one HTTP/2 connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// What was asked for.
    pub url: Option<String>,
    /// Status of the answer.
    pub status: Option<u16>,
    /// gRPC's own status.
    pub grpc_status: Option<u32>,
    /// Where the answer sends the client.
    pub location: Option<String>,
    /// `1.1` or `2`.
    pub version: String,
    /// Bytes of the answer's body.
    pub bytes: Option<u64>,
    /// Seconds until the answer was complete.
    pub time_total_s: Option<f64>,
    /// Seconds until the connection stood.
    pub time_connect_s: Option<f64>,
    /// Whether the connection was made for this request.
    pub new_connection: Option<bool>,
    /// Number of HTTP/2 streams.
    pub streams: Option<u32>,
    /// Their paths.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Their statuses.
    #[serde(default)]
    pub statuses: Vec<u16>,
}

/// A DNS exchange.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// The name asked for.
    pub name: String,
    /// The type asked for.
    #[serde(rename = "type")]
    pub record_type: String,
    /// The code of the answer.
    pub rcode: String,
    /// What was answered.
    pub answers: Vec<String>,
}

/// The way of a request through the Ingress controller.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ingress {
    /// The id that the controller gave it.
    pub request_id: String,
    /// The client as the controller's socket had it.
    pub client_seen_by_controller: Address,
    /// The pod the controller passed it to, `address:port`.
    pub upstream: String,
    /// The controller's pod, `namespace/name`.
    pub controller: String,
}

/// The rule of an Ingress that fits a request.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngressRule {
    /// The Ingress, `namespace/name`.
    pub ingress: String,
    /// The rule's host.
    pub host: String,
    /// The rule's path.
    pub path: String,
    /// The Service behind it.
    pub backend_service: String,
}

/// A rule of an object, and what it names.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// The object's kind: `HTTPRoute`, ...
    pub kind: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// The rule's place in the object; `None` = the default backend.
    pub rule: Option<u32>,
    /// The place of the match, or of the path, in the rule.
    #[serde(rename = "match")]
    pub matched: Option<u32>,
    /// The host as the object has it; `None` = every host.
    pub host: Option<String>,
    /// The path as the object has it.
    pub path: Option<String>,
    /// The Service behind it, `namespace/name`; `None` = several, or none.
    pub backend_service: Option<String>,
}

/// A request as the backend got it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AtBackend {
    /// `Host`, or `:authority`.
    pub host: String,
    /// Path and query.
    pub path: String,
}

/// A line of the policies' log.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyLog {
    /// `ingress` or `egress`.
    pub direction: String,
    /// The node.
    pub node: String,
    /// The policy, `namespace/name`; `None` for a tier's default.
    pub policy: Option<String>,
    /// The prefix in the log.
    pub nflog_prefix: String,
}

/// A truth that could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TruthError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not a truth.
    #[error("cannot understand {}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

impl Truth {
    /// The truth of one scenario in [`examples::lab_capture`].
    pub fn load(mode: &str, scenario: &str) -> Result<Self, TruthError> {
        Self::read(&examples::lab_capture().join(mode).join(scenario).join("truth.json"))
    }

    /// The truth in a file.
    pub fn read(path: &Path) -> Result<Self, TruthError> {
        let text = fs::read_to_string(path).map_err(|source| TruthError::Read { path: path.to_owned(), source })?;
        serde_json::from_str(&text).map_err(|source| TruthError::Parse { path: path.to_owned(), source })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recording_has_a_truth_that_is_understood_in_full() {
        let mut events = 0;
        for mode in ["routed", "bridge", "vxlan", "gateway"] {
            for scenario in fs::read_dir(examples::lab_capture().join(mode)).expect("the recordings are here") {
                let scenario = scenario.expect("a folder entry").path();
                if !scenario.is_dir() || scenario.ends_with("manifests") {
                    continue;
                }
                let truth = Truth::read(&scenario.join("truth.json"))
                    .unwrap_or_else(|error| panic!("{error}: {:?}", std::error::Error::source(&error)));
                assert!(scenario.ends_with(truth.events.first().map_or("", |event| &event.scenario)));
                events += truth.events.len();
            }
        }
        assert_eq!(events, 121);
    }

    #[test]
    fn recordings_hold_no_capture_over_all_interfaces() {
        let mut folders = vec![examples::lab_capture()];
        let mut captures = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).expect("the recordings are here") {
                let path = entry.expect("a folder entry").path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|ending| ending == "pcap") {
                    captures += 1;
                    assert!(!path.to_string_lossy().ends_with(".any.pcap"), "{}", path.display());
                }
            }
        }
        assert!(captures > 100);
    }
}
