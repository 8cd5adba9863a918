//! A second evaluator, written straight from the rules without any index, and made-up clusters on which both must agree.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;
use proptest::prelude::*;
use serde_json::{Value, json};
use weir_cluster::manifests;
use weir_cluster::objects::{
    Action, LabelSelector, NamespaceChoice, Objects, Pod, PolicyPeer, PolicyPort, PortChoice, Requirement, TierPeer,
    TierPolicySpec, TierRule,
};
use weir_cluster::policy::{Connection, PolicyOptions, PolicySet};
use weir_model::{Protocol, Tier, Verdict};

type Labels = BTreeMap<Arc<str>, Arc<str>>;

/// One side of a connection.
#[derive(Clone, Copy)]
enum Side<'a> {
    Pod(&'a Pod),
    Node(&'a str, IpAddr),
    Outside(IpAddr),
}

impl<'a> Side<'a> {
    fn ip(self) -> IpAddr {
        match self {
            Self::Pod(pod) => pod.ips().next().expect("made-up pods have an address"),
            Self::Node(_, ip) | Self::Outside(ip) => ip,
        }
    }

    /// The pod, unless it is of the host's network.
    fn pod(self) -> Option<&'a Pod> {
        match self {
            Self::Pod(pod) if !pod.spec.host_network => Some(pod),
            _ => None,
        }
    }

    /// The node that it cannot be told from.
    fn node(self) -> Option<&'a str> {
        match self {
            Self::Pod(pod) if pod.spec.host_network => pod.spec.node_name.as_deref(),
            Self::Node(name, _) => Some(name),
            _ => None,
        }
    }
}

/// Who connects to what.
struct Try<'a> {
    objects: &'a Objects,
    src: Side<'a>,
    dst: Side<'a>,
    protocol: Protocol,
    port: u16,
}

impl Try<'_> {
    fn labels_of(&self, namespace: &str) -> Labels {
        let found = self.objects.namespaces().find(|object| &*object.metadata.name == namespace);
        let mut labels = found.map(|object| object.metadata.labels.clone()).unwrap_or_default();
        labels.insert("kubernetes.io/metadata.name".into(), namespace.into());
        labels
    }

    fn has(&self, pod: &Pod, namespaces: &LabelSelector, pods: &LabelSelector) -> bool {
        fits(namespaces, &self.labels_of(&pod.metadata.namespace)) && fits(pods, &pod.metadata.labels)
    }

    fn ports(&self, ports: &[PolicyPort]) -> bool {
        ports.is_empty()
            || ports.iter().any(|wanted| {
                wanted.protocol.is_none_or(|protocol| protocol == self.protocol)
                    && match &wanted.ports {
                        PortChoice::All => true,
                        PortChoice::Range(first, last) => (*first..=*last).contains(&self.port),
                        PortChoice::Name(name) => self.dst.pod().is_some_and(|pod| {
                            pod.ports().any(|own| {
                                own.name.as_ref() == Some(name)
                                    && own.protocol == self.protocol
                                    && own.container_port == self.port
                            })
                        }),
                    }
            })
    }

    fn verdict(&self, is_egress: bool) -> Verdict {
        let (own, other) = if is_egress { (self.src, self.dst) } else { (self.dst, self.src) };
        let Some(pod) = own.pod() else { return Verdict::Allowed };
        if other.pod().is_some_and(|other| std::ptr::eq(other, pod)) {
            return Verdict::Allowed;
        }
        if let Some(decided) = self.tier(Tier::Admin, pod, other, is_egress) {
            return decided;
        }
        let is_local = other.node().is_some() && other.node() == pod.spec.node_name.as_deref();
        let (mut is_isolated, mut is_allowed) = (false, false);
        for policy in self.objects.network_policies() {
            let Some(spec) = &policy.spec else { continue };
            let Some(rules) = (if is_egress { &spec.egress } else { &spec.ingress }) else { continue };
            let namespace = policy.namespace();
            if *namespace != pod.metadata.namespace || !fits(&spec.pod_selector, &pod.metadata.labels) {
                continue;
            }
            is_isolated = true;
            is_allowed |= rules.iter().any(|rule| {
                let peer = |peer: &PolicyPeer| match peer {
                    PolicyPeer::Block { cidr, except } => {
                        cidr.contains(&other.ip()) && !except.iter().any(|net| net.contains(&other.ip()))
                    }
                    PolicyPeer::Pods { namespaces, pods } => other.pod().is_some_and(|other| match namespaces {
                        Some(namespaces) => self.has(other, namespaces, pods),
                        None => other.metadata.namespace == *namespace && fits(pods, &other.metadata.labels),
                    }),
                };
                self.ports(&rule.ports) && (rule.peers.is_empty() || rule.peers.iter().any(peer))
            });
        }
        match (is_isolated, is_local || is_allowed) {
            (true, true) => Verdict::Allowed,
            (true, false) => Verdict::Denied,
            (false, _) => self.tier(Tier::Baseline, pod, other, is_egress).unwrap_or(Verdict::Allowed),
        }
    }

    fn tier(&self, tier: Tier, pod: &Pod, other: Side<'_>, is_egress: bool) -> Option<Verdict> {
        let admin = self.objects.admin_network_policies().filter_map(|policy| policy.spec.as_ref());
        let baseline = self.objects.baseline_admin_network_policies().filter_map(|policy| policy.spec.as_ref());
        let cluster = self.objects.cluster_network_policies().filter_map(|policy| policy.spec.as_ref());
        let mut specs: Vec<&TierPolicySpec> = admin.chain(cluster).chain(baseline).filter(|s| s.tier == tier).collect();
        specs.sort_by_key(|spec| spec.priority);
        let specs = specs.into_iter().filter(|spec| self.has(pod, &spec.namespaces, &spec.pods));
        let mut rules = specs.flat_map(|spec| if is_egress { &spec.egress } else { &spec.ingress });
        match rules.find(|rule| self.tier_rule(rule, pod, other))?.action {
            Action::Allow => Some(Verdict::Allowed),
            Action::Deny => Some(Verdict::Denied),
            Action::Pass => None,
        }
    }

    fn tier_rule(&self, rule: &TierRule, pod: &Pod, other: Side<'_>) -> bool {
        let own = self.labels_of(&pod.metadata.namespace);
        let chosen = |choice: &NamespaceChoice, theirs: &Labels| match choice {
            NamespaceChoice::Selector(selector) => fits(selector, theirs),
            NamespaceChoice::Same(keys) => {
                keys.iter().all(|key| own.contains_key(key) && own.get(key) == theirs.get(key))
            }
            NamespaceChoice::NotSame(keys) => {
                keys.iter().all(|key| own.contains_key(key) && theirs.contains_key(key))
                    && keys.iter().any(|key| own.get(key) != theirs.get(key))
            }
        };
        self.ports(&rule.ports)
            && rule.peers.iter().any(|peer| match peer {
                TierPeer::Pods { namespaces, pods } => other.pod().is_some_and(|other| {
                    chosen(namespaces, &self.labels_of(&other.metadata.namespace)) && fits(pods, &other.metadata.labels)
                }),
                TierPeer::Nodes(selector) => other.node().is_some_and(|name| {
                    self.objects
                        .nodes()
                        .any(|node| &*node.metadata.name == name && fits(selector, &node.metadata.labels))
                }),
                TierPeer::Networks(networks) => networks.iter().any(|net: &IpNet| net.contains(&other.ip())),
                TierPeer::DomainNames(_) => false,
            })
    }
}

/// Numbers that look random, from a seed.
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 29)) % end
    }

    fn one<T: Clone>(&mut self, of: &[T]) -> T {
        let index = self.below(of.len() as u64) as usize;
        of.get(index).expect("an index below the length").clone()
    }

    fn some(&mut self, most: u64, mut each: impl FnMut(&mut Self) -> Value) -> Value {
        (0..self.below(most + 1)).map(|_| each(self)).collect()
    }

    fn labels(&mut self, keys: &[&str]) -> Value {
        let mut labels = serde_json::Map::new();
        for key in keys {
            if self.below(3) > 0 {
                labels.insert((*key).to_owned(), self.one(&["x", "y"]).into());
            }
        }
        Value::Object(labels)
    }

    fn selector(&mut self, key: &str) -> Value {
        let value = self.one(&["x", "y"]);
        self.one(&[
            json!({}),
            json!({"matchLabels": {key: value}}),
            json!({"matchExpressions": [{"key": key, "operator": "In", "values": ["x", "y"]}]}),
            json!({"matchExpressions": [{"key": key, "operator": "NotIn", "values": [value]}]}),
            json!({"matchExpressions": [{"key": key, "operator": "Exists"}]}),
            json!({"matchLabels": {}, "matchExpressions": [{"key": key, "operator": "DoesNotExist"}]}),
        ])
    }

    fn cidr(&mut self) -> String {
        let last = self.below(256);
        self.one(&[
            "0.0.0.0/0".to_owned(),
            format!("10.0.0.{last}/30"),
            "10.0.0.0/28".into(),
            "203.0.113.0/24".into(),
            "192.168.0.1/31".into(),
        ])
    }

    fn port(&mut self) -> Value {
        let (protocol, end) = (self.one(&["TCP", "UDP", "SCTP"]), 80 + self.below(3));
        self.one(&[
            json!({}),
            json!({"protocol": protocol}),
            json!({"port": 80}),
            json!({"protocol": protocol, "port": 80, "endPort": end}),
            json!({"protocol": protocol, "port": "web"}),
            json!({"port": "dns"}),
        ])
    }

    fn peer(&mut self) -> Value {
        let (pods, namespaces) = (self.selector("app"), self.selector("team"));
        let cidr = self.cidr();
        let mut part = |cidr: &str| {
            let net: IpNet = cidr.parse().expect("a block");
            // One address of it, or a range at its start.
            let (start, len) = (net.trunc().network(), net.prefix_len() + 1);
            format!("{start}/{}", if self.below(2) == 0 { len } else { 32 })
        };
        let except = part(&cidr);
        self.one(&[
            json!({"podSelector": pods}),
            json!({"namespaceSelector": namespaces}),
            json!({"namespaceSelector": namespaces, "podSelector": pods}),
            json!({"ipBlock": {"cidr": cidr}}),
            json!({"ipBlock": {"cidr": cidr, "except": [except]}}),
        ])
    }

    fn network_policy(&mut self, index: u64) -> Value {
        let mut rules =
            |key: &str| self.some(2, |draw| json!({"ports": draw.some(2, Self::port), key: draw.some(2, Self::peer)}));
        let (ingress, egress) = (rules("from"), rules("to"));
        let types = self.one(&[json!(null), json!(["Ingress"]), json!(["Egress"]), json!(["Ingress", "Egress"])]);
        let namespace = self.one(&["a", "b", "c"]);
        let spec =
            json!({"podSelector": self.selector("app"), "policyTypes": types, "ingress": ingress, "egress": egress});
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": format!("np-{index}"), "namespace": namespace}, "spec": spec})
    }

    fn tier_peer(&mut self, is_egress: bool) -> Value {
        let (pods, namespaces, cidr) = (self.selector("app"), self.selector("team"), self.cidr());
        let mut peers = vec![
            json!({"namespaces": namespaces}),
            json!({"pods": {"namespaceSelector": namespaces, "podSelector": pods}}),
            json!({"namespaces": {"sameLabels": ["team"]}}),
            json!({"namespaces": {"notSameLabels": ["team", "tier"]}}),
            json!({"pods": {"namespaces": {"namespaceSelector": namespaces}, "podSelector": pods}}),
        ];
        if is_egress {
            peers.extend([json!({"networks": [cidr]}), json!({"nodes": self.selector("zone")})]);
        }
        self.one(&peers)
    }

    fn tier_policy(&mut self, index: u64) -> Value {
        let (version, kind, tier) = self.one(&[
            ("v1alpha1", "AdminNetworkPolicy", Value::Null),
            ("v1alpha1", "BaselineAdminNetworkPolicy", Value::Null),
            ("v1alpha2", "ClusterNetworkPolicy", json!("Admin")),
            ("v1alpha2", "ClusterNetworkPolicy", json!("Baseline")),
        ]);
        let is_baseline = kind.starts_with("Baseline");
        let allow = if version == "v1alpha1" { "Allow" } else { "Accept" };
        let actions: &[&str] = if is_baseline { &[allow, "Deny"] } else { &[allow, "Deny", "Pass"] };
        let mut rules = |key: &str| {
            self.some(3, |draw| {
                let peers: Vec<Value> = (0..=draw.below(2)).map(|_| draw.tier_peer(key == "to")).collect();
                let mut rule = json!({"action": draw.one(actions), key: peers});
                if draw.below(2) == 0 {
                    let (key, ports) = if version == "v1alpha1" {
                        (
                            "ports",
                            [
                                json!({"portNumber": {"port": 80}}),
                                json!({"namedPort": "dns"}),
                                json!({"portRange": {"start": 79, "end": 81, "protocol": "UDP"}}),
                            ],
                        )
                    } else {
                        (
                            "protocols",
                            [
                                json!({"tcp": {"destinationPort": {"number": 80}}}),
                                json!({"destinationNamedPort": "web"}),
                                json!({"udp": {}}),
                            ],
                        )
                    };
                    rule[key] = json!([draw.one(&ports)]);
                }
                rule
            })
        };
        let (ingress, egress) = (rules("from"), rules("to"));
        let subject = match self.below(2) {
            0 => json!({"namespaces": self.selector("team")}),
            _ => json!({"pods": {"namespaceSelector": self.selector("team"), "podSelector": self.selector("app")}}),
        };
        let mut spec = json!({"subject": subject, "ingress": ingress, "egress": egress});
        let name = if is_baseline { "default".to_owned() } else { format!("p-{index}") };
        if !is_baseline {
            // Each its own: the API does not order equal ones.
            spec["priority"] = json!(self.below(3) * 10 + index);
        }
        if !tier.is_null() {
            spec["tier"] = tier;
        }
        json!({"apiVersion": format!("policy.networking.k8s.io/{version}"), "kind": kind, "metadata": {"name": name}, "spec": spec})
    }

    fn cluster(&mut self) -> String {
        let mut objects = Vec::new();
        for (index, name) in ["n1", "n2"].into_iter().enumerate() {
            let labels = self.labels(&["zone"]);
            objects.push(json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}, "status": {"addresses": [{"address": format!("192.168.0.{}", index + 1)}]}}));
        }
        for name in ["a", "b"] {
            objects.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": self.labels(&["team", "tier"])}}));
        }
        for pod in 0..8 {
            let (node, is_host) = (1 + self.below(2), self.below(6) == 0);
            let ip = if is_host { format!("192.168.0.{node}") } else { format!("10.0.0.{}", 10 + pod) };
            let ports = self.some(2, |draw| json!({"name": draw.one(&["web", "dns"]), "containerPort": 79 + draw.below(3), "protocol": draw.one(&["TCP", "UDP"])}));
            let metadata = json!({"name": format!("pod-{pod}"), "namespace": self.one(&["a", "b", "c"]), "labels": self.labels(&["app"])});
            objects.push(json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": metadata,
                "spec": {"nodeName": format!("n{node}"), "hostNetwork": is_host, "containers": [{"ports": ports}]},
                "status": {"podIP": ip},
            }));
        }
        objects.extend((0..self.below(6)).map(|index| self.network_policy(index)));
        objects.extend((0..self.below(5)).map(|index| self.tier_policy(index)));
        objects.iter().map(|object| object.to_string() + "\n").collect()
    }

    fn side<'a>(&mut self, objects: &'a Objects) -> Side<'a> {
        let address = |text: &str| text.parse().expect("an address");
        match self.below(8) {
            0 => Side::Outside(self.one(&[address("203.0.113.7"), address("10.0.0.3")])),
            1 => Side::Node("n1", address("192.168.0.1")),
            _ => Side::Pod(self.one(&objects.pods().collect::<Vec<_>>())),
        }
    }
}

/// Connections that are tried in each cluster: 16,000 in all.
const TRIES: u32 = 8;

fn agree(seed: u64) -> Result<(), TestCaseError> {
    let mut draw = Draw(seed);
    let text = draw.cluster();
    let loaded = manifests::parse(&text, "made-up.json").unwrap_or_else(|error| panic!("{error}\n{text}"));
    let faults = loaded.notes.iter().filter(|note| matches!(note, manifests::Note::Fault(_)));
    prop_assert_eq!(faults.count(), 0, "{:?}", &loaded.notes);
    let set = PolicySet::build(&loaded.objects, PolicyOptions::default());
    for _ in 0..TRIES {
        let (src, dst) = (draw.side(&loaded.objects), draw.side(&loaded.objects));
        let (protocol, port) = (draw.one(&[Protocol::TCP, Protocol::UDP, Protocol::SCTP]), 79 + draw.below(4) as u16);
        let party = |side: Side<'_>| match side {
            Side::Pod(pod) => set.pod(&pod.metadata.namespace, &pod.metadata.name).expect("a pod"),
            Side::Node(name, _) => set.node(name).expect("a node"),
            Side::Outside(ip) => set.party(ip),
        };
        let judged = set.judge(&Connection { src: party(src), dst: party(dst), protocol, port, dst_dns_name: None });
        let naive = Try { objects: &loaded.objects, src, dst, protocol, port };
        let both = (naive.verdict(true), naive.verdict(false));
        prop_assert_eq!(
            (judged.egress.verdict, judged.ingress.verdict),
            both,
            "{:?} {}/{}\n{}",
            &judged,
            protocol,
            port,
            &text
        );
        prop_assert_eq!(judged.verdict, both.0.and(both.1));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn both_evaluators_agree_on_made_up_clusters(seed in any::<u64>()) {
        agree(seed)?;
    }
}

/// Whether labels have all that a selector asks, requirement by requirement.
fn fits(selector: &LabelSelector, labels: &BTreeMap<Arc<str>, Arc<str>>) -> bool {
    selector.requirements.iter().all(|requirement| match requirement {
        Requirement::In(key, values) => labels.get(key).is_some_and(|value| values.contains(value)),
        Requirement::NotIn(key, values) => !labels.get(key).is_some_and(|value| values.contains(value)),
        Requirement::Exists(key) => labels.contains_key(key),
        Requirement::DoesNotExist(key) => !labels.contains_key(key),
    })
}
