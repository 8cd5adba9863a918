//! The rules of policies one by one, on one small cluster: `ingress` and `egress` say what is said about that direction.

use weir_cluster::manifests;
use weir_cluster::policy::{Connection, Party, PolicyOptions, PolicySet, SideVerdict};
use weir_model::Protocol;

/// Namespace `lab` has no object. `web` and `db` call different ports `http`.
const CLUSTER: &str = "
{apiVersion: v1, kind: Node, metadata: {name: n1, labels: {zone: a}}, spec: {podCIDR: 10.0.1.0/24}, status: {addresses: [{address: 192.168.0.1}]}}
---
{apiVersion: v1, kind: Node, metadata: {name: n2, labels: {zone: b}}, spec: {podCIDR: 10.0.2.0/24}, status: {addresses: [{address: 192.168.0.2}]}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: red}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: ops, labels: {team: blue}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: pay, labels: {team: red}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web, role: front}}, spec: {nodeName: n1, containers: [{ports: [{name: http, containerPort: 8080}, {name: dns, containerPort: 53, protocol: UDP}, {name: twin, containerPort: 53}]}]}, status: {podIPs: [{ip: 10.0.1.1}, {ip: 'fd00::1'}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}, spec: {nodeName: n2, initContainers: [{restartPolicy: Always, ports: [{name: side, containerPort: 7000}]}, {ports: [{name: once, containerPort: 7001}]}], containers: [{ports: [{name: http, containerPort: 9090}]}]}, status: {podIPs: [{ip: 10.0.2.1}, {ip: 'fd00::2'}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: mon, namespace: ops, labels: {app: mon, role: front}}, spec: {nodeName: n2}, status: {podIP: 10.0.2.3}}
---
{apiVersion: v1, kind: Pod, metadata: {name: till, namespace: pay, labels: {app: till}}, spec: {nodeName: n2}, status: {podIP: 10.0.2.4}}
---
{apiVersion: v1, kind: Pod, metadata: {name: box, namespace: lab}, spec: {nodeName: n2}, status: {podIP: 10.0.2.5}}
---
{apiVersion: v1, kind: Pod, metadata: {name: lone}, spec: {nodeName: n2}, status: {podIP: 10.0.2.6}}
---
{apiVersion: v1, kind: Pod, metadata: {name: agent, namespace: ops, labels: {app: agent}}, spec: {nodeName: n2, hostNetwork: true}, status: {podIP: 192.168.0.2}}
";

/// A NetworkPolicy of namespace `shop`.
fn np(name: &str, spec: &str) -> String {
    format!(
        "---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {{name: {name}, namespace: shop, resourceVersion: '7'}}, spec: {{{spec}}}}}\n"
    )
}

/// An `AdminNetworkPolicy` about all pods of `shop`.
fn anp(name: &str, priority: u32, spec: &str) -> String {
    format!(
        "---\n{{apiVersion: policy.networking.k8s.io/v1alpha1, kind: AdminNetworkPolicy, metadata: {{name: {name}}}, spec: {{priority: {priority}, subject: {{namespaces: {{matchLabels: {{kubernetes.io/metadata.name: shop}}}}}}, {spec}}}}}\n"
    )
}

fn banp(spec: &str) -> String {
    format!(
        "---\n{{apiVersion: policy.networking.k8s.io/v1alpha1, kind: BaselineAdminNetworkPolicy, metadata: {{name: default}}, spec: {{subject: {{namespaces: {{}}}}, {spec}}}}}\n"
    )
}

fn cnp(name: &str, tier: &str, priority: u32, spec: &str) -> String {
    format!(
        "---\n{{apiVersion: policy.networking.k8s.io/v1alpha2, kind: ClusterNetworkPolicy, metadata: {{name: {name}}}, spec: {{tier: {tier}, priority: {priority}, subject: {{namespaces: {{}}}}, {spec}}}}}\n"
    )
}

fn set_with(policies: &str, options: PolicyOptions) -> PolicySet {
    let loaded =
        manifests::parse(&format!("{CLUSTER}{policies}"), "given.yaml").unwrap_or_else(|error| panic!("{error}"));
    PolicySet::build(&loaded.objects, options)
}

fn set(policies: &str) -> PolicySet {
    set_with(policies, PolicyOptions::default())
}

fn notes(policies: &str) -> Vec<String> {
    let loaded = manifests::parse(policies, "given.yaml").unwrap_or_else(|error| panic!("{error}"));
    loaded.notes.iter().map(ToString::to_string).collect()
}

fn party(set: &PolicySet, text: &str) -> Party {
    let pod = text.split_once('/').and_then(|(namespace, name)| set.pod(namespace, name));
    pod.or_else(|| set.node(text))
        .or_else(|| text.parse().ok().map(|ip| set.party(ip)))
        .unwrap_or_else(|| panic!("{text}"))
}

/// `verdict reason`, the policies, the rule.
fn text(side: SideVerdict<'_>) -> String {
    let policies: Vec<String> = side.policies.iter().map(|policy| format!(" {policy}")).collect();
    let rule = side.rule.map(|rule| format!(" [{rule}]")).unwrap_or_default();
    format!("{} {}{}{rule}", side.verdict.name(), side.reason.name(), policies.concat())
}

fn both(set: &PolicySet, src: &str, dst: &str, to: &str) -> (String, String) {
    let (protocol, port) = to.split_once('/').unwrap_or((to, "0"));
    let judged = set.judge(&Connection {
        src: party(set, src),
        dst: party(set, dst),
        protocol: Protocol::parse(protocol).expect("a protocol"),
        port: port.parse().expect("a port"),
        dst_dns_name: None,
    });
    assert_eq!(judged.verdict, judged.egress.verdict.and(judged.ingress.verdict));
    (text(judged.egress), text(judged.ingress))
}

fn egress(policies: &str, src: &str, dst: &str, to: &str) -> String {
    both(&set(policies), src, dst, to).0
}

fn ingress(policies: &str, src: &str, dst: &str, to: &str) -> String {
    both(&set(policies), src, dst, to).1
}

const NO_POLICY: &str = "allowed no-policy";
const BY_A: &str = "allowed allowed-by shop/a [0]";
const NOT_A: &str = "denied isolated-no-match shop/a";

#[test]
fn a1_1_each_direction_has_its_own_verdict() {
    let policies = np("a", "podSelector: {matchLabels: {app: db}}, policyTypes: [Ingress]");
    assert_eq!(both(&set(&policies), "shop/web", "shop/db", "tcp/80"), (NO_POLICY.into(), NOT_A.into()));
}

#[test]
fn a1_2_a_pod_without_policies_differs_from_one_that_a_policy_lets_through_and_a_denial_names_all() {
    let two = np("a", "podSelector: {matchLabels: {app: db}}") + &np("b", "podSelector: {}");
    assert_eq!(ingress("", "shop/web", "shop/db", "tcp/80"), NO_POLICY);
    assert_eq!(ingress(&two, "shop/web", "shop/db", "tcp/80"), "denied isolated-no-match shop/a shop/b");
    assert_eq!(ingress(&two, "shop/db", "shop/web", "tcp/80"), "denied isolated-no-match shop/b");
    assert_eq!(ingress(&np("a", "ingress: [{}]"), "ops/mon", "shop/db", "tcp/80"), BY_A);
}

#[test]
fn a1_3_policies_add_up() {
    let deny = np("a", "podSelector: {}");
    let allow = np("b", "podSelector: {}, ingress: [{from: [{podSelector: {matchLabels: {app: web}}}]}]");
    for policies in [deny.clone() + &allow, allow + &deny] {
        assert_eq!(ingress(&policies, "shop/web", "shop/db", "tcp/80"), "allowed allowed-by shop/b [0]");
        assert_eq!(ingress(&policies, "ops/mon", "shop/db", "tcp/80"), "denied isolated-no-match shop/a shop/b");
    }
}

#[test]
fn a1_4_what_is_no_pod_has_no_policy_on_its_own_side() {
    assert_eq!(egress(&np("a", ""), "203.0.113.7", "shop/db", "tcp/80"), "allowed external-side");
    assert_eq!(egress(&np("a", ""), "n1", "shop/db", "tcp/80"), "allowed external-side");
    assert_eq!(ingress(&np("a", ""), "shop/db", "203.0.113.7", "tcp/80"), "allowed external-side");
}

#[test]
fn a1_5_absent_types_are_ingress_and_egress_where_a_rule_is() {
    let types = |spec: &str| both(&set(&np("a", spec)), "shop/web", "shop/db", "tcp/80");
    let to_db = "allowed allowed-by shop/a [0]".to_owned();
    assert_eq!(types("podSelector: {}, egress: []"), (NO_POLICY.into(), NOT_A.into()));
    assert_eq!(types("podSelector: {}"), (NO_POLICY.into(), NOT_A.into()));
    assert_eq!(types("podSelector: {}, egress: [{}]"), (to_db, NOT_A.into()));
    assert_eq!(types("policyTypes: [Egress]"), (NOT_A.into(), NO_POLICY.into()));
}

#[test]
fn a1_6_rules_of_a_direction_that_is_not_named_are_ignored() {
    let types = |spec: &str| both(&set(&np("a", spec)), "shop/web", "shop/db", "tcp/80");
    assert_eq!(types("policyTypes: [Egress], ingress: [{}]"), (NOT_A.into(), NO_POLICY.into()));
    assert_eq!(types("policyTypes: [Ingress], egress: [{}]"), (NO_POLICY.into(), NOT_A.into()));
}

#[test]
fn a1_7_an_empty_selector_means_the_whole_namespace_and_an_absent_namespace_is_default() {
    for spec in ["podSelector: {}", "podSelector: null", ""] {
        assert_eq!(ingress(&np("a", spec), "ops/mon", "shop/web", "tcp/80"), NOT_A);
        assert_eq!(ingress(&np("a", spec), "shop/web", "ops/mon", "tcp/80"), NO_POLICY);
    }
    let nowhere = np("a", "").replace(", namespace: shop", "");
    assert_eq!(ingress(&nowhere, "ops/mon", "default/lone", "tcp/80"), "denied isolated-no-match default/a");
    assert_eq!(ingress(&nowhere, "ops/mon", "shop/db", "tcp/80"), NO_POLICY);
}

#[test]
fn a2_1_an_empty_rule_is_everything_and_an_empty_list_nothing() {
    for to in ["tcp/80", "sctp/9", "icmp", "47"] {
        assert_eq!(ingress(&np("a", "ingress: [{}]"), "203.0.113.7", "shop/db", to), BY_A);
    }
    for spec in ["ingress: []", "ingress: null", ""] {
        assert_eq!(ingress(&np("a", spec), "shop/web", "shop/db", "tcp/80"), NOT_A);
    }
}

#[test]
fn a2_2_ports_and_peers_of_one_rule_must_both_match() {
    let policy = np(
        "a",
        "ingress: [{ports: [{port: 80}, {port: 81}], from: [{podSelector: {matchLabels: {app: web}}}]}, {ports: [{port: 90}], from: [{namespaceSelector: {}}]}]",
    );
    assert_eq!(ingress(&policy, "shop/web", "shop/db", "tcp/81"), BY_A);
    assert_eq!(ingress(&policy, "ops/mon", "shop/db", "tcp/90"), "allowed allowed-by shop/a [1]");
    assert_eq!(ingress(&policy, "ops/mon", "shop/db", "tcp/80"), NOT_A);
}

#[test]
fn a2_3_empty_lists_of_peers_and_ports_are_as_absent_ones() {
    assert_eq!(
        ingress(&np("a", "ingress: [{from: [], ports: [{port: 80}]}]"), "203.0.113.7", "shop/db", "tcp/80"),
        BY_A
    );
    assert_eq!(
        ingress(&np("a", "ingress: [{from: [{podSelector: {}}], ports: []}]"), "shop/web", "shop/db", "udp/9"),
        BY_A
    );
}

#[test]
fn a2_4_selectors_of_one_peer_both_hold_and_of_two_peers_either() {
    let one = np(
        "a",
        "ingress: [{from: [{namespaceSelector: {matchLabels: {team: blue}}, podSelector: {matchLabels: {app: mon}}}]}]",
    );
    let two = np(
        "a",
        "ingress: [{from: [{namespaceSelector: {matchLabels: {team: red}}}, {podSelector: {matchLabels: {app: mon}}}]}]",
    );
    assert_eq!(ingress(&one, "ops/mon", "shop/db", "tcp/80"), BY_A);
    assert_eq!(ingress(&one, "pay/till", "shop/db", "tcp/80"), NOT_A);
    assert_eq!(ingress(&two, "pay/till", "shop/db", "tcp/80"), BY_A);
    assert_eq!(ingress(&two, "ops/mon", "shop/db", "tcp/80"), NOT_A);
}

#[test]
fn a2_5_pod_selectors_alone_stay_in_the_namespace_and_namespace_selectors_alone_take_all_pods() {
    let own = np("a", "ingress: [{from: [{podSelector: {}}]}]");
    let all = np("a", "ingress: [{from: [{namespaceSelector: {}}]}]");
    assert_eq!(ingress(&own, "shop/web", "shop/db", "tcp/80"), BY_A);
    assert_eq!(ingress(&own, "ops/mon", "shop/db", "tcp/80"), NOT_A);
    for src in ["shop/web", "ops/mon", "lab/box"] {
        assert_eq!(ingress(&all, src, "shop/db", "tcp/80"), BY_A);
    }
}

#[test]
fn a2_6_selectors_never_match_outside_addresses_or_nodes() {
    let all = np("a", "ingress: [{from: [{namespaceSelector: {}}]}]");
    for src in ["203.0.113.7", "n1", "192.168.0.1"] {
        assert_eq!(ingress(&all, src, "shop/db", "tcp/80"), NOT_A);
    }
}

#[test]
fn a2_7_every_namespace_has_its_name_as_a_label() {
    for (name, src) in [("ops", "ops/mon"), ("lab", "lab/box")] {
        let policy = np(
            "a",
            &format!(
                "ingress: [{{from: [{{namespaceSelector: {{matchLabels: {{kubernetes.io/metadata.name: {name}}}}}}}]}}]"
            ),
        );
        assert_eq!(ingress(&policy, src, "shop/db", "tcp/80"), BY_A);
        assert_eq!(ingress(&policy, "pay/till", "shop/db", "tcp/80"), NOT_A);
    }
}

#[test]
fn a2_8_expressions_follow_the_api() {
    let from = |expressions: &str, src: &str| {
        let peer = format!("namespaceSelector: {{}}, podSelector: {{matchExpressions: [{expressions}]}}");
        ingress(&np("a", &format!("ingress: [{{from: [{{{peer}}}]}}]")), src, "shop/db", "tcp/80")
    };
    let matched = |expressions: &str| {
        ["shop/web", "ops/mon", "pay/till", "lab/box"]
            .into_iter()
            .filter(|src| from(expressions, src) == BY_A)
            .collect::<Vec<_>>()
    };
    assert_eq!(matched("{key: app, operator: In, values: [web, mon]}"), ["shop/web", "ops/mon"]);
    assert_eq!(matched("{key: app, operator: NotIn, values: [web]}"), ["ops/mon", "pay/till", "lab/box"]);
    assert_eq!(matched("{key: app, operator: Exists}"), ["shop/web", "ops/mon", "pay/till"]);
    assert_eq!(matched("{key: app, operator: DoesNotExist}"), ["lab/box"]);
    assert_eq!(matched("{key: app, operator: Exists}, {key: role, operator: NotIn, values: [front]}"), ["pay/till"]);
    assert!(matched("{key: app, operator: Exists, values: [web]}").is_empty());
    assert!(matched("{key: app, operator: In, values: []}").is_empty());
}

/// Whether the ports of a rule let a connection to `dst` in.
fn port(ports: &str, dst: &str, to: &str) -> bool {
    ingress(&np("a", &format!("ingress: [{{ports: [{ports}]}}]")), "ops/mon", dst, to) == BY_A
}

#[test]
fn a3_1_absent_protocol_is_tcp_and_absent_port_is_all_ports() {
    assert!(port("{port: 80}", "shop/db", "tcp/80") && !port("{port: 80}", "shop/db", "udp/80"));
    assert!(port("{protocol: UDP}", "shop/db", "udp/9") && !port("{protocol: UDP}", "shop/db", "tcp/9"));
    assert!(port("{}", "shop/db", "tcp/9") && !port("{}", "shop/db", "udp/9"));
}

#[test]
fn a3_2_the_port_is_the_one_of_the_pod() {
    assert!(!port("{port: 80}", "shop/web", "tcp/8080"));
    assert!(port("{port: 8080}", "shop/web", "tcp/8080"));
}

#[test]
fn a3_3_names_of_ports_are_those_of_the_destination_with_the_protocol() {
    assert!(port("{port: http}", "shop/web", "tcp/8080") && !port("{port: http}", "shop/web", "tcp/9090"));
    assert!(port("{port: http}", "shop/db", "tcp/9090") && !port("{port: http}", "shop/db", "tcp/8080"));
    assert!(!port("{port: dns}", "shop/web", "udp/53") && !port("{port: dns}", "shop/web", "tcp/53"));
    assert!(!port("{port: nothing}", "shop/web", "tcp/8080"));
    let out = np("a", "policyTypes: [Egress], egress: [{ports: [{port: http}]}]");
    assert_eq!(egress(&out, "shop/web", "shop/db", "tcp/9090"), BY_A);
    assert_eq!(egress(&out, "shop/web", "ops/mon", "tcp/9090"), NOT_A);
    assert_eq!(egress(&out, "shop/web", "203.0.113.7", "tcp/9090"), NOT_A);
}

#[test]
fn a3_4_names_belong_to_a_number_and_a_protocol_and_sidecars_have_names() {
    assert!(port("{port: twin}", "shop/web", "tcp/53") && !port("{port: twin}", "shop/web", "udp/53"));
    assert!(port("{port: dns, protocol: UDP}", "shop/web", "udp/53"));
    assert!(port("{port: side}", "shop/db", "tcp/7000") && !port("{port: once}", "shop/db", "tcp/7001"));
}

#[test]
fn a3_5_ranges_include_their_ends_and_wrong_ones_cost_their_rule() {
    for (to, is_in) in [("tcp/79", false), ("tcp/80", true), ("tcp/90", true), ("tcp/91", false), ("udp/80", false)] {
        assert_eq!(port("{port: 80, endPort: 90}", "shop/db", to), is_in, "{to}");
    }
    for wrong in ["{endPort: 90}", "{port: http, endPort: 90}", "{port: 90, endPort: 80}", "{port: 0}", "{port: 70000}"]
    {
        let spec = format!("ingress: [{{ports: [{wrong}]}}]");
        assert!(!port(wrong, "shop/db", "tcp/90") && !port(wrong, "shop/db", "tcp/9090"), "{wrong}");
        assert!(
            notes(&np("a", &spec)).iter().any(|note| note.contains("NetworkPolicy shop/a: spec.ingress[0].ports[0]")),
            "{wrong}"
        );
    }
}

#[test]
fn a3_7_a_rule_of_one_protocol_isolates_from_all() {
    assert!(port("{protocol: SCTP, port: 80}", "shop/db", "sctp/80"));
    assert!(!port("{protocol: SCTP, port: 80}", "shop/db", "tcp/80"));
}

#[test]
fn a3_8_other_protocols_are_unspecified_unless_a_rule_has_all_ports() {
    assert_eq!(
        ingress(&np("a", "ingress: [{ports: [{port: 80}]}]"), "ops/mon", "shop/db", "icmp"),
        "undecided unspecified shop/a"
    );
    assert_eq!(ingress(&np("a", "ingress: [{from: [{namespaceSelector: {}}]}]"), "ops/mon", "shop/db", "icmp"), BY_A);
    assert_eq!(ingress("", "ops/mon", "shop/db", "icmp"), NO_POLICY);
}

/// Whether blocks let `src` in.
fn block(peers: &str, src: &str) -> bool {
    ingress(&np("a", &format!("ingress: [{{from: [{peers}]}}]")), src, "shop/db", "tcp/80") == BY_A
}

#[test]
fn a4_1_exceptions_deny_nothing_that_another_block_allows() {
    let with = "{ipBlock: {cidr: 203.0.113.0/24, except: [203.0.113.0/28]}}";
    assert!(block(with, "203.0.113.16") && !block(with, "203.0.113.7") && !block(with, "203.0.114.1"));
    assert!(block(&format!("{with}, {{ipBlock: {{cidr: 203.0.113.7/32}}}}"), "203.0.113.7"));
    let other = np("a", &format!("ingress: [{{from: [{with}]}}]"))
        + &np("b", "ingress: [{from: [{ipBlock: {cidr: 203.0.113.7/32}}]}]");
    assert_eq!(ingress(&other, "203.0.113.7", "shop/db", "tcp/80"), "allowed allowed-by shop/b [0]");
}

#[test]
fn a4_2_host_bits_are_cleared_and_families_kept_apart() {
    assert!(block("{ipBlock: {cidr: 203.0.113.77/24}}", "203.0.113.7"));
    assert!(block("{ipBlock: {cidr: 203.0.113.0/24}}", "::ffff:203.0.113.7"));
    assert!(
        !block("{ipBlock: {cidr: '::/0'}}", "203.0.113.7") && !block("{ipBlock: {cidr: 0.0.0.0/0}}", "2001:db8::1")
    );
    assert!(block("{ipBlock: {cidr: '2001:db8::/32', except: ['2001:db8:1::/48']}}", "2001:db8::1"));
}

#[test]
fn a4_3_blocks_mean_pods_too_unless_the_cni_says_otherwise() {
    let policy = np("a", "ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}]");
    assert_eq!(ingress(&policy, "ops/mon", "shop/db", "tcp/80"), BY_A);
    let outside = set_with(&policy, PolicyOptions { ipblock_matches_pods: false, ..PolicyOptions::default() });
    assert_eq!(both(&outside, "ops/mon", "shop/db", "tcp/80").1, NOT_A);
    assert_eq!(both(&outside, "10.9.9.9", "shop/db", "tcp/80").1, BY_A);
    assert!(!outside.options().ipblock_matches_pods);
}

#[test]
fn a4_4_the_address_is_the_one_that_arrives_and_a_backend_is_not_its_service() {
    let services = np("a", "policyTypes: [Egress], egress: [{to: [{ipBlock: {cidr: 10.96.0.0/12}}]}]");
    assert_eq!(egress(&services, "shop/web", "shop/db", "tcp/9090"), NOT_A);
    let nodes = np("a", "ingress: [{from: [{ipBlock: {cidr: 192.168.0.1/32}}]}]");
    assert_eq!(ingress(&nodes, "n1", "shop/db", "tcp/80"), BY_A);
}

#[test]
fn a5_1_the_own_node_may_always_connect_and_another_node_is_outside() {
    let deny = np("a", "podSelector: {}, policyTypes: [Ingress, Egress]");
    for src in ["n1", "192.168.0.1", "10.0.1.0", "169.254.1.1"] {
        assert_eq!(ingress(&deny, src, "shop/web", "tcp/80"), "allowed local-node", "{src}");
    }
    assert_eq!(ingress(&deny, "n2", "shop/web", "tcp/80"), NOT_A);
    assert_eq!(egress(&deny, "shop/web", "n1", "tcp/80"), "allowed local-node");
    assert_eq!(egress(&deny, "shop/web", "n2", "tcp/80"), NOT_A);
}

#[test]
fn a5_2_a_pod_may_always_connect_to_itself() {
    let deny = np("a", "podSelector: {}, policyTypes: [Ingress, Egress]")
        + &anp("z", 1, "ingress: [{action: Deny, from: [{namespaces: {}}]}]");
    let own = "allowed self".to_owned();
    assert_eq!(both(&set(&deny), "shop/web", "shop/web", "tcp/80"), (own.clone(), own));
}

#[test]
fn a5_3_pods_of_the_hosts_network_are_nodes() {
    let deny = np("a", "podSelector: {}, policyTypes: [Ingress, Egress]").replace("namespace: shop", "namespace: ops");
    assert_eq!(egress(&deny, "ops/agent", "shop/db", "tcp/80"), "allowed host-network");
    assert_eq!(
        ingress(&np("a", "ingress: [{from: [{namespaceSelector: {}}]}]"), "ops/agent", "shop/web", "tcp/80"),
        NOT_A
    );
    assert_eq!(ingress(&np("a", ""), "ops/agent", "shop/db", "tcp/80"), "allowed local-node");
}

#[test]
fn a5_4_a_verdict_names_the_version_it_was_given_by() {
    let set = set(&np("a", ""));
    let connection = Connection {
        src: party(&set, "ops/mon"),
        dst: party(&set, "shop/db"),
        protocol: Protocol::TCP,
        port: 80,
        dst_dns_name: None,
    };
    let judged = set.judge(&connection);
    assert_eq!(judged.ingress.policies.first().and_then(|policy| policy.version.as_deref()), Some("7"));
}

#[test]
fn a5_6_labels_change_the_answer_without_a_policy_changing() {
    let policy = np("a", "podSelector: {matchLabels: {app: db}}");
    assert_eq!(ingress(&policy, "ops/mon", "shop/web", "tcp/80"), NO_POLICY);
    let relabelled = format!("{CLUSTER}{policy}").replace("app: web,", "app: db,");
    let objects = manifests::parse(&relabelled, "given.yaml").expect("a cluster").objects;
    assert_eq!(both(&PolicySet::build(&objects, PolicyOptions::default()), "ops/mon", "shop/web", "tcp/80").1, NOT_A);
}

#[test]
fn a5_7_and_8_pods_that_are_over_have_no_address_and_terminating_ones_have() {
    let pod = |name: &str, more: &str, phase: &str| {
        format!(
            "---\n{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: shop{more}}}, spec: {{nodeName: n2}}, status: {{phase: {phase}, podIP: 10.0.2.9}}}}\n"
        )
    };
    let deny = np("a", "");
    assert_eq!(
        ingress(&(pod("gone", "", "Succeeded") + &deny), "ops/mon", "10.0.2.9", "tcp/80"),
        "allowed external-side"
    );
    let going = pod("going", ", deletionTimestamp: '2026-01-05T08:00:00Z'", "Running");
    assert_eq!(ingress(&(going + &deny), "ops/mon", "10.0.2.9", "tcp/80"), NOT_A);
}

#[test]
fn a5_9_every_address_of_a_pod_counts_in_its_family() {
    let policy = np("a", "podSelector: {matchLabels: {app: db}}, ingress: [{from: [{ipBlock: {cidr: 'fd00::/64'}}]}]");
    assert_eq!(ingress(&policy, "fd00::1", "fd00::2", "tcp/80"), BY_A);
    assert_eq!(ingress(&policy, "10.0.1.1", "10.0.2.1", "tcp/80"), NOT_A);
}

#[test]
fn a5_11_pods_that_a_foreign_policy_may_select_are_undecided() {
    let foreign = "---\n{apiVersion: cilium.io/v2, kind: CiliumNetworkPolicy, metadata: {name: c, namespace: shop}, spec: {endpointSelector: {matchLabels: {app: db}}, ingress: [{}]}}\n";
    assert_eq!(ingress(foreign, "ops/mon", "shop/db", "tcp/80"), "undecided foreign-policy shop/c");
    assert_eq!(ingress(foreign, "ops/mon", "shop/web", "tcp/80"), NO_POLICY);
    assert_eq!(egress(foreign, "shop/db", "ops/mon", "tcp/80"), NO_POLICY);
}

const FROM_ALL: &str = "from: [{namespaces: {}}]";

#[test]
fn a6_1_and_4_tiers_have_their_order_and_baseline_is_for_pods_without_policies() {
    let baseline = banp(&format!("ingress: [{{action: Deny, {FROM_ALL}}}]"));
    let allow = np("a", "podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {}}]}]");
    let admin = anp("z", 5, &format!("ingress: [{{action: Deny, {FROM_ALL}}}]"));
    assert_eq!(ingress(&baseline, "ops/mon", "shop/db", "tcp/80"), "denied baseline-deny default [0]");
    let both_tiers = baseline.clone() + &allow;
    assert_eq!(ingress(&both_tiers, "shop/web", "shop/db", "tcp/80"), BY_A);
    assert_eq!(ingress(&both_tiers, "ops/mon", "shop/db", "tcp/80"), NOT_A);
    assert_eq!(ingress(&both_tiers, "ops/mon", "shop/web", "tcp/80"), "denied baseline-deny default [0]");
    assert_eq!(ingress(&(both_tiers + &admin), "shop/web", "shop/db", "tcp/80"), "denied admin-deny z [0]");
    assert_eq!(ingress(&baseline, "203.0.113.7", "shop/db", "tcp/80"), NO_POLICY);
}

#[test]
fn a6_2_lower_numbers_come_first_and_the_first_rule_decides() {
    let deny = |name, priority| anp(name, priority, &format!("ingress: [{{action: Deny, {FROM_ALL}}}]"));
    let allow = |name, priority| {
        anp(name, priority, &format!("ingress: [{{action: Allow, {FROM_ALL}}}, {{action: Deny, {FROM_ALL}}}]"))
    };
    assert_eq!(ingress(&(deny("a", 2) + &allow("b", 1)), "ops/mon", "shop/db", "tcp/80"), "allowed allowed-by b [0]");
    assert_eq!(ingress(&(deny("a", 0) + &allow("b", 1)), "ops/mon", "shop/db", "tcp/80"), "denied admin-deny a [0]");
    let twice = set(&(allow("b", 1) + &deny("a", 1)));
    assert_eq!(both(&twice, "ops/mon", "shop/db", "tcp/80").1, "denied admin-deny a [0]");
    assert_eq!(twice.ambiguous().map(|(a, b)| format!("{a} {b}")).collect::<Vec<_>>(), ["a b"]);
}

#[test]
fn a6_3_pass_skips_the_rest_of_the_admin_tier() {
    let pass = anp("p", 1, &format!("ingress: [{{action: Pass, {FROM_ALL}}}]"));
    let deny = anp("z", 2, &format!("ingress: [{{action: Deny, {FROM_ALL}}}]"));
    assert_eq!(ingress(&(pass.clone() + &deny), "ops/mon", "shop/db", "tcp/80"), NO_POLICY);
    assert_eq!(ingress(&(pass.clone() + &deny + &np("a", "")), "ops/mon", "shop/db", "tcp/80"), NOT_A);
    let baseline = banp(&format!("ingress: [{{action: Deny, {FROM_ALL}}}]"));
    assert_eq!(
        ingress(&(pass + &deny + &baseline), "ops/mon", "shop/db", "tcp/80"),
        "denied baseline-deny default [0]"
    );
}

#[test]
fn a6_5_and_6_baseline_policies_of_v1alpha2_have_priorities_and_their_own_words() {
    let deny = cnp("d", "Baseline", 9, &format!("ingress: [{{action: Deny, {FROM_ALL}}}]"));
    let accept = cnp("e", "Baseline", 3, &format!("ingress: [{{action: Accept, {FROM_ALL}}}]"));
    assert_eq!(ingress(&(deny.clone() + &accept), "ops/mon", "shop/db", "tcp/80"), "allowed allowed-by e [0]");
    let allow = cnp("e", "Baseline", 3, &format!("ingress: [{{action: Allow, {FROM_ALL}}}]"));
    assert_eq!(ingress(&(deny + &allow), "ops/mon", "shop/db", "tcp/80"), "denied baseline-deny d [0]");
    let other = banp(&format!("ingress: [{{action: Deny, {FROM_ALL}}}]")).replace("name: default", "name: other");
    assert_eq!(ingress(&other, "ops/mon", "shop/db", "tcp/80"), NO_POLICY);
    let pass = banp(&format!("ingress: [{{action: Pass, {FROM_ALL}}}, {{action: Deny, {FROM_ALL}}}]"));
    assert_eq!(ingress(&pass, "ops/mon", "shop/db", "tcp/80"), "denied baseline-deny default [1]");
}

#[test]
fn a6_7_a_tier_policy_isolates_nobody() {
    let allow = anp("z", 1, &format!("ingress: [{{action: Allow, {FROM_ALL}}}]"));
    assert_eq!(ingress(&allow, "203.0.113.7", "shop/db", "tcp/80"), NO_POLICY);
    assert_eq!(egress(&allow, "shop/db", "ops/mon", "tcp/80"), NO_POLICY);
}

#[test]
fn a6_8_subjects_are_namespaces_or_pods_and_never_of_the_hosts_network() {
    let all = cnp("d", "Admin", 1, "egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]");
    assert_eq!(egress(&all, "ops/agent", "shop/db", "tcp/80"), "allowed host-network");
    assert_eq!(egress(&all, "lab/box", "shop/db", "tcp/80"), "denied admin-deny d [0]");
    let some = all.replace(
        "namespaces: {}",
        "pods: {namespaceSelector: {matchLabels: {team: red}}, podSelector: {matchLabels: {app: db}}}",
    );
    assert_eq!(egress(&some, "shop/db", "ops/mon", "tcp/80"), "denied admin-deny d [0]");
    assert_eq!(egress(&some, "shop/web", "ops/mon", "tcp/80"), NO_POLICY);
    let peers = anp("z", 1, &format!("ingress: [{{action: Deny, {FROM_ALL}}}]"));
    assert_eq!(ingress(&peers, "ops/agent", "shop/web", "tcp/80"), NO_POLICY);
}

#[test]
fn a6_9_and_13_nodes_are_met_at_their_addresses_and_networks_mean_pods_too() {
    let nodes = anp("z", 1, "egress: [{action: Deny, to: [{nodes: {matchLabels: {zone: b}}}]}]");
    for (dst, said) in [
        ("n2", "denied admin-deny z [0]"),
        ("ops/agent", "denied admin-deny z [0]"),
        ("n1", NO_POLICY),
        ("ops/mon", NO_POLICY),
    ] {
        assert_eq!(egress(&nodes, "shop/web", dst, "tcp/80").replace("local-node", "no-policy"), said, "{dst}");
    }
    let networks = anp("z", 1, "egress: [{action: Deny, to: [{networks: [0.0.0.0/0]}]}]");
    for dst in ["ops/mon", "203.0.113.7", "n2"] {
        assert_eq!(egress(&networks, "shop/web", dst, "tcp/80"), "denied admin-deny z [0]", "{dst}");
    }
}

#[test]
fn a6_9_domain_names_allow_what_is_known_by_them() {
    let rules = "egress: [{action: Allow, to: [{domainNames: ['*.example.com']}]}, {action: Deny, to: [{networks: [0.0.0.0/0]}]}]";
    let set = set(&cnp("d", "Admin", 1, &rules.replace("Allow", "Accept")));
    let said = |name| {
        let (src, dst) = (party(&set, "shop/web"), party(&set, "203.0.113.7"));
        let connection = Connection { src, dst, protocol: Protocol::TCP, port: 443, dst_dns_name: name };
        text(set.judge(&connection).egress)
    };
    assert_eq!(said(Some("www.example.com.")), "allowed allowed-by d [0]");
    assert_eq!(said(Some("example.com")), "denied admin-deny d [1]");
    assert_eq!(said(None), "undecided unknown-peer d");
}

#[test]
fn a6_10_namespaces_may_be_chosen_by_labels_they_share_with_the_subject() {
    let from = |choice: &str, src: &str| {
        ingress(
            &anp("z", 1, &format!("ingress: [{{action: Deny, from: [{{namespaces: {{{choice}}}}}]}}]")),
            src,
            "shop/db",
            "tcp/80",
        ) != NO_POLICY
    };
    assert!(
        from("sameLabels: [team]", "pay/till")
            && !from("sameLabels: [team]", "ops/mon")
            && !from("sameLabels: [team]", "lab/box")
    );
    assert!(
        from("notSameLabels: [team]", "ops/mon")
            && !from("notSameLabels: [team]", "pay/till")
            && !from("notSameLabels: [team]", "lab/box")
    );
    assert!(
        from("namespaceSelector: {matchLabels: {team: blue}}", "ops/mon")
            && from("matchLabels: {team: blue}", "ops/mon")
    );
}

#[test]
fn a6_11_ports_of_both_versions() {
    let v1 = |port: &str, dst: &str, to: &str| {
        ingress(&anp("z", 1, &format!("ingress: [{{action: Deny, {FROM_ALL}, ports: [{port}]}}]")), "ops/mon", dst, to)
            != NO_POLICY
    };
    assert!(
        v1("{portNumber: {port: 80}}", "shop/db", "tcp/80") && !v1("{portNumber: {port: 80}}", "shop/db", "udp/80")
    );
    assert!(v1("{portRange: {start: 80, end: 90, protocol: UDP}}", "shop/db", "udp/90"));
    assert!(v1("{namedPort: dns}", "shop/web", "udp/53") && v1("{namedPort: twin}", "shop/web", "tcp/53"));
    assert!(!v1("{namedPort: dns}", "shop/web", "tcp/53"));
    let v2 = |protocol: &str, to: &str| {
        ingress(
            &cnp("z", "Admin", 1, &format!("ingress: [{{action: Deny, {FROM_ALL}, protocols: [{protocol}]}}]")),
            "ops/mon",
            "shop/web",
            to,
        ) != NO_POLICY
    };
    assert!(
        v2("{tcp: {destinationPort: {number: 80}}}", "tcp/80")
            && !v2("{tcp: {destinationPort: {number: 80}}}", "tcp/81")
    );
    assert!(v2("{sctp: {destinationPort: {range: {start: 5, end: 6}}}}", "sctp/6") && v2("{udp: {}}", "udp/7"));
    assert!(v2("{destinationNamedPort: dns}", "udp/53"));
}

#[test]
fn a6_12_a_rule_without_peers_matches_nothing() {
    for from in ["", "from: [], "] {
        let policy = anp("z", 1, &format!("ingress: [{{{from}action: Deny}}]"));
        assert_eq!(ingress(&policy, "ops/mon", "shop/db", "tcp/80"), NO_POLICY);
        assert!(notes(&policy).iter().any(|note| note.contains("AdminNetworkPolicy z: spec.ingress[0]")));
    }
}

#[test]
fn a7_in_a_partial_cluster_an_address_that_nobody_has_may_be_anybodys() {
    let policy = np("a", "ingress: [{from: [{podSelector: {matchLabels: {app: nobody-yet}}}]}, {ports: [{port: 90}]}]");
    let partial = set_with(&policy, PolicyOptions { partial: true, ..PolicyOptions::default() });
    assert_eq!(
        both(&partial, "10.7.7.7", "shop/db", "tcp/80"),
        ("undecided unknown-peer".into(), "undecided unknown-peer shop/a".into())
    );
    assert_eq!(both(&partial, "10.7.7.7", "shop/db", "tcp/90").1, "allowed allowed-by shop/a [1]");
}

#[test]
fn wrong_parts_of_policies_are_named_and_never_widen() {
    for wrong in [
        "{from: [{ipBlock: {cidr: 10.0.0.0/40}}]}",
        "{from: [{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}]}",
        "{from: [{}]}",
        "{to: [{podSelector: {}}]}",
        "{form: []}",
        "{ports: [{port: 80, protocol: TPC}]}",
    ] {
        let policy = np("a", &format!("ingress: [{wrong}]"));
        assert_eq!(ingress(&policy, "shop/web", "shop/db", "tcp/80"), NOT_A, "{wrong}");
        let told = notes(&policy);
        assert!(told.iter().any(|note| note.contains("NetworkPolicy shop/a: spec.ingress[0]")), "{wrong}: {told:?}");
    }
    let kind = np("a", "").replace("networking.k8s.io/v1", "extensions/v1beta1");
    assert!(
        notes(&kind).iter().any(|note| note.contains("shop/a") && note.contains("no effect")),
        "{:?}",
        notes(&kind)
    );
}
