//! The rule that comes nearest to allowing a connection that no rule allows, and what it asks for besides.
//!
//! Works on the objects as they are written, for people: a verdict never depends on it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use weir_model::{PodRef, Protocol};

use super::PolicyRef;
use crate::objects::{
    LabelSelector, NetworkPolicy, Object, ObjectKey, ObjectKind, Objects, Pod, PolicyPeer, PolicyPort, PolicyRule,
    PortChoice, Requirement,
};

/// A rule, and what would have to be otherwise for it to match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NearMiss {
    /// The policy.
    pub policy: PolicyRef,
    /// The position of the rule in its list for the direction.
    pub rule: u32,
    /// What it asks for that is not so; never empty.
    pub wants: Vec<String>,
}

/// `rule 2 of shop/db-allow-web would match if the other pod had role=frontend`.
impl fmt::Display for NearMiss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {} of {} would match if {}", self.rule, self.policy, self.wants.join(" and "))
    }
}

/// The connection that was denied, seen from the pod that is isolated.
#[derive(Clone, Copy, Debug)]
pub struct Refused<'a> {
    /// The pod that is connected to, where it is one: ports may be its names.
    pub dst: Option<&'a PodRef>,
    /// The other side of the isolated pod, where it is a pod.
    pub peer: Option<&'a PodRef>,
    /// The other side's address.
    pub peer_ip: Option<IpAddr>,
    /// The protocol.
    pub protocol: Protocol,
    /// The port that is connected to.
    pub port: u16,
    /// The isolated pod is the one that connects.
    pub is_egress: bool,
}

impl NearMiss {
    /// Of all rules of the `NetworkPolicies` among `isolating` the one that asks for the least besides.
    pub fn nearest(objects: &Objects, isolating: &[PolicyRef], refused: &Refused<'_>) -> Option<Self> {
        let policies = isolating.iter().filter_map(|name| match objects.get(&name.key())? {
            Object::NetworkPolicy(policy) => Some((name, &**policy)),
            _ => None,
        });
        let misses = policies.flat_map(|(name, policy)| {
            let spec = policy.spec.as_ref();
            let rules =
                spec.and_then(|spec| if refused.is_egress { spec.egress.as_ref() } else { spec.ingress.as_ref() });
            rules.into_iter().flatten().map(move |rule| {
                let wants = wants(objects, policy, rule, refused);
                Self { policy: name.clone(), rule: rule.index, wants }
            })
        });
        misses.filter(|miss| !miss.wants.is_empty()).min_by_key(|miss| miss.wants.len())
    }
}

/// What a rule asks for that a connection does not have.
fn wants(objects: &Objects, policy: &NetworkPolicy, rule: &PolicyRule, refused: &Refused<'_>) -> Vec<String> {
    let dst = refused.dst.and_then(|pod| find(objects, pod));
    let has_port = rule.ports.is_empty() || rule.ports.iter().any(|port| fits(port, refused, dst));
    let mut wants = Vec::new();
    if !has_port {
        let ports: Vec<String> = rule.ports.iter().map(port_text).collect();
        wants.push(format!("the port were {}", ports.join(" or ")));
    }
    let of_peers = rule.peers.iter().map(|peer| peer_wants(objects, policy, peer, refused));
    wants.extend(of_peers.min_by_key(Vec::len).into_iter().flatten());
    wants
}

fn fits(port: &PolicyPort, refused: &Refused<'_>, dst: Option<&Pod>) -> bool {
    port.protocol.is_none_or(|protocol| protocol == refused.protocol)
        && match &port.ports {
            PortChoice::All => true,
            PortChoice::Range(from, to) => (*from..=*to).contains(&refused.port),
            PortChoice::Name(name) => dst.into_iter().flat_map(Pod::ports).any(|port| {
                port.name.as_ref() == Some(name)
                    && (port.protocol, port.container_port) == (refused.protocol, refused.port)
            }),
        }
}

fn port_text(port: &PolicyPort) -> String {
    let protocol = port.protocol.map(|protocol| format!("/{protocol}")).unwrap_or_default();
    match &port.ports {
        PortChoice::All => format!("any{protocol}"),
        PortChoice::Range(from, to) if from == to => format!("{from}{protocol}"),
        PortChoice::Range(from, to) => format!("{from}-{to}{protocol}"),
        PortChoice::Name(name) => format!("{name}{protocol}"),
    }
}

fn peer_wants(objects: &Objects, policy: &NetworkPolicy, peer: &PolicyPeer, refused: &Refused<'_>) -> Vec<String> {
    let (namespaces, pods) = match peer {
        PolicyPeer::Pods { namespaces, pods } => (namespaces, pods),
        PolicyPeer::Block { cidr, except } => {
            let is_in = refused.peer_ip.is_some_and(|ip| cidr.contains(&ip));
            let left_out = except.iter().find(|net| refused.peer_ip.is_some_and(|ip| net.contains(&ip)));
            return match (is_in, left_out) {
                (false, _) => vec![format!("the other address were in {}", cidr.trunc())],
                (true, Some(net)) => vec![format!("the other address were not in {}", net.trunc())],
                (true, None) => Vec::new(),
            };
        }
    };
    let Some(pod) = refused.peer else {
        return vec!["the other side were a pod".to_owned(), "that pod were one that it selects".to_owned()];
    };
    let mut wants = Vec::new();
    match namespaces {
        None if *pod.namespace == *policy.metadata.namespace => {}
        None => wants.push(format!("the other pod were in namespace {}", policy.metadata.namespace)),
        Some(selector) => {
            let key = ObjectKey { kind: ObjectKind::Namespace, namespace: "".into(), name: Arc::clone(&pod.namespace) };
            let labels = objects.get(&key).map(|namespace| &namespace.metadata().labels);
            let label = |name: &str| match labels.and_then(|labels| labels.get(name)) {
                None if name == "kubernetes.io/metadata.name" => Some(&*pod.namespace),
                value => value.map(|value| &**value),
            };
            let missed = missed(selector, label).map(|text| format!("the other pod's namespace {text}"));
            wants.extend(missed);
        }
    }
    let labels = find(objects, pod).map(|pod| &pod.metadata.labels);
    let label = |name: &str| labels.and_then(|labels| labels.get(name)).map(|value| &**value);
    wants.extend(missed(pods, label).map(|text| format!("the other pod {text}")));
    wants
}

/// The requirements that labels do not meet, in words.
fn missed<'a>(selector: &'a LabelSelector, label: impl Fn(&str) -> Option<&'a str>) -> impl Iterator<Item = String> {
    selector.requirements.iter().filter_map(move |requirement| {
        let list =
            |values: &std::collections::BTreeSet<Arc<str>>| values.iter().map(|v| &**v).collect::<Vec<_>>().join(", ");
        match requirement {
            Requirement::In(key, values) if label(key).is_none_or(|value| !values.contains(value)) => {
                Some(match values.len() {
                    1 => format!("had {key}={}", list(values)),
                    _ => format!("had {key} in ({})", list(values)),
                })
            }
            Requirement::NotIn(key, values) if label(key).is_some_and(|value| values.contains(value)) => {
                Some(format!("had {key} not in ({})", list(values)))
            }
            Requirement::Exists(key) if label(key).is_none() => Some(format!("had a label {key}")),
            Requirement::DoesNotExist(key) if label(key).is_some() => Some(format!("had no label {key}")),
            _ => None,
        }
    })
}

fn find<'a>(objects: &'a Objects, pod: &PodRef) -> Option<&'a Pod> {
    let key = ObjectKey { kind: ObjectKind::Pod, namespace: Arc::clone(&pod.namespace), name: Arc::clone(&pod.name) };
    match objects.get(&key)? {
        Object::Pod(pod) => Some(pod),
        _ => None,
    }
}
