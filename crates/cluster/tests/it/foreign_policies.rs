//! Policies of Calico, Cilium and Antrea: whom they may select is undecided, all others are judged.

use weir_cluster::manifests;
use weir_cluster::policy::{Connection, PolicyOptions, PolicySet};
use weir_model::{Protocol, Reason};

const PODS: &str = "
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {team: red}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: ops, labels: {team: blue}}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web, namespace: shop, labels: {app: web, tier: front-1}}, status: {podIP: 10.0.1.1}}
---
{apiVersion: v1, kind: Pod, metadata: {name: db, namespace: shop, labels: {app: db}}, status: {podIP: 10.0.1.2}}
---
{apiVersion: v1, kind: Pod, metadata: {name: mon, namespace: ops, labels: {app: mon, tier: back}}, status: {podIP: 10.0.1.3}}
---
";

/// The pods that a policy may select, by direction of what it says.
fn selected(policy: &str) -> [Vec<&'static str>; 2] {
    let loaded = manifests::parse(&format!("{PODS}{policy}"), "p.yaml").unwrap_or_else(|error| panic!("{error}"));
    let set = PolicySet::build(&loaded.objects, PolicyOptions::default());
    let all = [("shop", "web"), ("shop", "db"), ("ops", "mon")];
    let outside = set.party("203.0.113.1".parse().expect("an address"));
    [true, false].map(|is_ingress| {
        let undecided = all.into_iter().filter(|(namespace, name)| {
            let pod = set.pod(namespace, name).expect("a pod");
            let (src, dst) = if is_ingress { (outside, pod) } else { (pod, outside) };
            let said = set.judge(&Connection { src, dst, protocol: Protocol::TCP, port: 80, dst_dns_name: None });
            let side = if is_ingress { said.ingress } else { said.egress };
            side.reason == Reason::ForeignPolicy
        });
        undecided.map(|(_, name)| name).collect()
    })
}

fn ingress(policy: &str) -> Vec<&'static str> {
    let [ingress, _] = selected(policy);
    ingress
}

fn calico(selector: &str) -> Vec<&'static str> {
    ingress(&format!(
        "apiVersion: projectcalico.org/v3\nkind: GlobalNetworkPolicy\nmetadata: {{name: c}}\nspec: {{selector: \"{selector}\", types: [Ingress]}}\n"
    ))
}

#[test]
fn calicos_selectors_are_read() {
    for (selector, pods) in [
        ("app == 'web'", &["web"][..]),
        ("app != 'web'", &["db", "mon"]),
        ("app in {'web', 'db'}", &["web", "db"]),
        ("app not in {'web', 'db'}", &["mon"]),
        ("tier != 'back'", &["web", "db"]),
        ("has(tier)", &["web", "mon"]),
        ("!has(tier)", &["db"]),
        ("tier starts with 'front' || app ends with 'b'", &["web", "db"]),
        ("tier contains 'ac' && !(app == 'web')", &["mon"]),
        ("all()", &["web", "db", "mon"]),
        ("global()", &[]),
        ("projectcalico.org/namespace == 'shop' && app == 'db'", &["db"]),
        ("pcns.team == 'blue'", &["mon"]),
        ("projectcalico.org/serviceaccount == 'x' && app == 'db'", &["db"]),
        ("!(projectcalico.org/serviceaccount == 'x') && app == 'db'", &["db"]),
        ("what is this", &["web", "db", "mon"]),
    ] {
        assert_eq!(calico(selector), pods, "{selector}");
    }
}

#[test]
fn calicos_scopes_and_types_are_read() {
    let policy = |kind: &str, spec: &str| {
        selected(&format!(
            "apiVersion: projectcalico.org/v3\nkind: {kind}\nmetadata: {{name: c, namespace: shop}}\nspec: {{{spec}}}\n"
        ))
    };
    assert_eq!(policy("NetworkPolicy", "types: [Egress]"), [vec![], vec!["web", "db"]]);
    assert_eq!(policy("NetworkPolicy", "selector: app == 'web', types: [Ingress, Egress]"), [vec!["web"], vec!["web"]]);
    assert_eq!(policy("GlobalNetworkPolicy", "namespaceSelector: team == 'blue', ingress: []"), [vec!["mon"], vec![]]);
}

#[test]
fn ciliums_selectors_are_read() {
    let policy = |kind: &str, selector: &str| {
        ingress(&format!(
            "apiVersion: cilium.io/v2\nkind: {kind}\nmetadata: {{name: c, namespace: shop}}\nspec: {{endpointSelector: {{{selector}}}, ingress: [{{}}]}}\n"
        ))
    };
    let wide = |selector: &str| policy("CiliumClusterwideNetworkPolicy", selector);
    assert_eq!(policy("CiliumNetworkPolicy", ""), ["web", "db"]);
    assert_eq!(policy("CiliumNetworkPolicy", "matchLabels: {'k8s:app': web}"), ["web"]);
    assert_eq!(wide("matchLabels: {'any:app': mon}"), ["mon"]);
    assert_eq!(wide("matchExpressions: [{key: 'k8s:tier', operator: Exists}]"), ["web", "mon"]);
    assert_eq!(wide("matchExpressions: [{key: app, operator: NotIn, values: [web]}]"), ["db", "mon"]);
    assert_eq!(wide("matchLabels: {'k8s:io.kubernetes.pod.namespace': ops}"), ["mon"]);
    assert_eq!(wide("matchLabels: {'k8s:io.cilium.k8s.namespace.labels.team': red}"), ["web", "db"]);
    assert_eq!(
        wide("matchLabels: {'io.cilium.k8s.policy.serviceaccount': x, app: db}"),
        ["db"],
        "the rest still counts"
    );
    assert_eq!(wide("matchExpressions: [{key: app, operator: Near}]"), ["web", "db", "mon"]);
}

#[test]
fn antreas_selectors_are_read() {
    let policy = |spec: &str| {
        selected(&format!(
            "apiVersion: crd.antrea.io/v1beta1\nkind: ClusterNetworkPolicy\nmetadata: {{name: c}}\nspec: {{{spec}}}\n"
        ))
    };
    let web = "appliedTo: [{podSelector: {matchLabels: {app: web}}}]";
    assert_eq!(policy(&format!("{web}, ingress: [{{action: Drop}}]")), [vec!["web"], vec![]]);
    let blue = "appliedTo: [{namespaceSelector: {matchLabels: {team: blue}}}]";
    assert_eq!(policy(&format!("ingress: [{{{web}}}], egress: [{{{blue}}}]")), [vec!["web"], vec!["mon"]]);
    let all = vec!["web", "db", "mon"];
    assert_eq!(policy("appliedTo: [{group: g}], ingress: [{}]"), [all.clone(), vec![]], "groups may hold anybody");
    assert_eq!(policy("appliedTo: [{serviceAccount: {name: x}}], egress: [{}]"), [vec![], all]);
}

#[test]
fn a_pod_that_is_not_selected_gets_the_answer_of_the_other_policies() {
    let policy = "apiVersion: projectcalico.org/v3\nkind: NetworkPolicy\nmetadata: {name: c, namespace: shop}\nspec: {selector: app == 'web'}\n\
                  ---\n{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: d, namespace: shop}, spec: {podSelector: {}}}\n";
    let loaded = manifests::parse(&format!("{PODS}{policy}"), "p.yaml").expect("objects");
    let set = PolicySet::build(&loaded.objects, PolicyOptions::default());
    let pod = |name| set.pod("shop", name).expect("a pod");
    let said = |dst| {
        set.judge(&Connection { src: pod("web"), dst: pod(dst), protocol: Protocol::TCP, port: 80, dst_dns_name: None })
    };
    assert_eq!(said("db").ingress.reason, Reason::IsolatedNoMatch);
}
