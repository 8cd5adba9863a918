//! The workload behind a pod.

use crate::given::{endpoint, snapshot};

fn owned(kind: &str, name: &str, owner: Option<(&str, &str)>) -> String {
    let api_version = match kind {
        "Pod" => "v1",
        "Job" | "CronJob" => "batch/v1",
        _ => "apps/v1",
    };
    let owner = owner.map_or(String::new(), |(kind, name)| {
        format!(", ownerReferences: [{{kind: {kind}, name: {name}, controller: true}}]")
    });
    let status = if kind == "Pod" { "status: {phase: Running, podIP: 10.1.0.5}\n" } else { "" };
    format!(
        "---\napiVersion: {api_version}\nkind: {kind}\n\
         metadata: {{name: {name}, namespace: shop, labels: {{pod-template-hash: 7d4b9c}}{owner}}}\n{status}"
    )
}

fn workload(yaml: &str) -> String {
    let endpoint = endpoint(&snapshot(yaml), "10.1.0.5", 80);
    format!("{}/{}", endpoint.workload_kind.as_deref().unwrap_or("-"), endpoint.workload.as_deref().unwrap_or("-"))
}

#[test]
fn chains_are_followed_to_the_top() {
    let web = owned("Pod", "web-7d4b9c-x", Some(("ReplicaSet", "web-7d4b9c")));
    let set = owned("ReplicaSet", "web-7d4b9c", Some(("Deployment", "frontend")));
    assert_eq!(workload(&(web.clone() + &set + &owned("Deployment", "frontend", None))), "Deployment/frontend");
    assert_eq!(workload(&(web + &set)), "Deployment/frontend", "an owner that is not known counts by name");
    let run = owned("Pod", "nightly-1-x", Some(("Job", "nightly-1")));
    assert_eq!(workload(&(run.clone() + &owned("Job", "nightly-1", Some(("CronJob", "nightly"))))), "CronJob/nightly");
    assert_eq!(workload(&run), "Job/nightly-1");
    assert_eq!(workload(&owned("Pod", "db-0", Some(("StatefulSet", "db")))), "StatefulSet/db");
    assert_eq!(
        workload(&owned("Pod", "p", Some(("Workflow", "w")))),
        "Workflow/w",
        "kinds that are not kept count too"
    );
}

#[test]
fn an_unknown_replica_set_belongs_to_the_deployment_it_is_called_after() {
    assert_eq!(workload(&owned("Pod", "p", Some(("ReplicaSet", "web-7d4b9c")))), "Deployment/web");
    assert_eq!(workload(&owned("Pod", "p", Some(("ReplicaSet", "web-ffffff")))), "ReplicaSet/web-ffffff");
    assert_eq!(workload(&owned("Pod", "p", Some(("ReplicaSet", "-7d4b9c")))), "ReplicaSet/-7d4b9c");
    let known = owned("Pod", "p", Some(("ReplicaSet", "web-7d4b9c"))) + &owned("ReplicaSet", "web-7d4b9c", None);
    assert_eq!(workload(&known), "ReplicaSet/web-7d4b9c", "a known one without owner is its own");
}

#[test]
fn pods_without_owner_and_static_pods_are_their_own_workload() {
    assert_eq!(workload(&owned("Pod", "lone", None)), "Pod/lone");
    assert_eq!(workload(&owned("Pod", "etcd-node-a", Some(("Node", "node-a")))), "Pod/etcd-node-a");
}

#[test]
fn owners_in_a_circle_end_at_the_direct_owner() {
    let circle = owned("Pod", "p", Some(("Job", "a")))
        + &owned("Job", "a", Some(("Job", "b")))
        + &owned("Job", "b", Some(("Job", "a")));
    assert_eq!(workload(&circle), "Job/a");
}

#[test]
fn the_controller_is_the_owner_and_else_the_first_one() {
    let pod = |controller: &str| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: p, ownerReferences: [{{kind: Group, name: g}}, \
             {{kind: DaemonSet, name: d, controller: {controller}}}]}}\nstatus: {{podIP: 10.1.0.5}}\n"
        )
    };
    assert_eq!(workload(&pod("true")), "DaemonSet/d");
    assert_eq!(workload(&pod("null")), "Group/g");
}
