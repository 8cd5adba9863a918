//! Policies that the API would refuse: named by field, without effect, and never read as more than they say.

use weir_cluster::manifests;
use weir_cluster::policy::{Connection, PolicyOptions, PolicySet};
use weir_model::Protocol;

const PODS: &str = "
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web}}, spec: {nodeName: n1}, status: {podIP: 10.0.1.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}, spec: {nodeName: n2}, status: {podIP: 10.0.1.2}}
---
{apiVersion: v1, kind: Pod, metadata: {name: new, namespace: shop, labels: {app: new}}, spec: {nodeName: n2}}
---
{apiVersion: v1, kind: Pod, metadata: {name: host, namespace: shop}, spec: {nodeName: n2, hostNetwork: true, containers: [{ports: [{name: http, containerPort: 80}]}]}, status: {podIP: 192.168.0.2}}
";

/// What is said about ingress and egress from `src` to `dst`, and what is noted.
fn judged(policies: &[&str], src: &str, dst: &str) -> (String, String, Vec<String>) {
    let policies = policies.iter().enumerate().map(|(index, policy)| {
        let policy = policy.replace("NAME", &format!("name: p{index}, namespace: shop"));
        format!("---\n{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, {policy}}}\n")
    });
    let text = format!("{PODS}{}", policies.collect::<String>());
    let loaded = manifests::parse(&text, "p.yaml").unwrap_or_else(|error| panic!("{error}"));
    let set = PolicySet::build(&loaded.objects, PolicyOptions::default());
    let party = |name: &str| set.pod("shop", name).expect("a pod");
    let said = set.judge(&Connection {
        src: party(src),
        dst: party(dst),
        protocol: Protocol::TCP,
        port: 80,
        dst_dns_name: None,
    });
    let [ingress, egress] =
        [said.ingress, said.egress].map(|side| format!("{} {}", side.verdict.name(), side.reason.name()));
    (ingress, egress, loaded.notes.iter().map(ToString::to_string).collect())
}

const DENY: &str = "metadata: {NAME}, spec: {podSelector: {}}";

#[test]
fn a_misspelt_selector_selects_nobody() {
    for (policy, field) in [
        ("metadata: {NAME}, spec: {podSelectors: {matchLabels: {app: web}}, ingress: [{}]}", "spec.podSelectors"),
        ("metadata: {NAME}, specs: {ingress: [{}]}", "specs"),
        ("metadata: {NAME}, spec: {podSelector: {matchLabel: {app: web}}, ingress: [{}]}", "spec.podSelector"),
        ("metadata: {NAME}, spec: {podSelector: {matchLabels: {app: 1}}, ingress: [{}]}", "spec.podSelector"),
    ] {
        let (ingress, _, notes) = judged(&[DENY, policy], "web", "db");
        assert_eq!(ingress, "denied isolated-no-match", "{policy}");
        assert!(
            notes.iter().any(|note| note.contains(&format!("NetworkPolicy shop/p1: {field}"))),
            "{policy}: {notes:?}"
        );
    }
}

#[test]
fn an_unknown_field_beside_a_selector_costs_itself() {
    let (ingress, _, notes) = judged(&["metadata: {NAME}, spec: {podSelector: {}, ingres: [{}]}"], "web", "db");
    assert_eq!(ingress, "denied isolated-no-match");
    assert!(
        notes[0].contains("p.yaml: document 5 (from line 9): NetworkPolicy shop/p0: spec.ingres: unknown field"),
        "{notes:?}"
    );
    let (_, _, notes) = judged(&["metadata: {NAME, lables: {a: b}}, spec: {podSelector: {}}"], "web", "db");
    assert!(notes[0].contains("metadata.lables: unknown field"), "{notes:?}");
}

#[test]
fn an_exception_outside_its_block_costs_the_rule() {
    for (block, said) in [
        ("cidr: 10.0.0.0/16, except: [10.0.2.0/24]", "allowed allowed-by"),
        ("cidr: 10.0.0.0/16, except: [10.1.0.0/24]", "denied isolated-no-match"),
        ("cidr: 10.0.0.0/16, except: [10.0.0.0/16]", "denied isolated-no-match"),
        ("cidr: 10.0.1.0/24, except: [10.0.0.0/8]", "denied isolated-no-match"),
        ("cidr: 10.0.0.0/16, except: ['fd00::/64']", "denied isolated-no-match"),
    ] {
        let policy =
            format!("metadata: {{NAME}}, spec: {{podSelector: {{}}, ingress: [{{from: [{{ipBlock: {{{block}}}}}]}}]}}");
        let (ingress, _, notes) = judged(&[&policy], "web", "db");
        assert_eq!(ingress, said, "{block}");
        let is_noted = notes.iter().any(|note| note.contains("spec.ingress[0].from[0]: ipBlock.except"));
        assert_eq!(is_noted, said.starts_with("denied"), "{block}: {notes:?}");
    }
}

#[test]
fn who_has_no_address_yet_may_get_one_of_a_block() {
    let block = "metadata: {NAME}, spec: {podSelector: {}, policyTypes: [Ingress, Egress], ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}]}], egress: [{to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}";
    assert_eq!(judged(&[block], "new", "web").0, "undecided unknown-peer");
    assert_eq!(judged(&[block], "web", "new").1, "undecided unknown-peer");
    let by_label = "metadata: {NAME}, spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 10.0.0.0/8}}, {podSelector: {matchLabels: {app: new}}}]}]}";
    assert_eq!(judged(&[by_label], "new", "web").0, "allowed allowed-by", "its labels decide");
    assert_eq!(judged(&[DENY], "new", "web").0, "denied isolated-no-match", "no block asks for it");
}

#[test]
fn a_named_port_never_matches_a_pod_of_the_hosts_network() {
    let named = "metadata: {NAME}, spec: {podSelector: {}, policyTypes: [Egress], egress: [{ports: [{port: http}]}]}";
    assert_eq!(judged(&[named], "web", "host").1, "denied isolated-no-match", "it is a node there");
}
