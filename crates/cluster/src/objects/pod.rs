//! Pods: where they run, their addresses, their ports.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use weir_model::{Protocol, Timestamp};

use super::field;
use super::meta::ObjectMeta;

/// A Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Pod {
    /// Name, labels and owners.
    pub metadata: ObjectMeta,
    /// The specification.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub spec: PodSpec,
    /// The status; a manifest that was never applied has none.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub status: PodStatus,
}

/// `spec` of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodSpec {
    /// The node it is bound to.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub node_name: Option<Arc<str>>,
    /// Whether it uses the node's network instead of one of its own.
    #[serde(default, deserialize_with = "field::is_set", skip_serializing_if = "field::is_default")]
    pub host_network: bool,
    /// Containers.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub containers: Vec<Container>,
    /// Containers that start before those; see [`Container::is_sidecar`].
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub init_containers: Vec<Container>,
}

/// A container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    /// Declared ports.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub ports: Vec<ContainerPort>,
    /// The restart policy of this container alone, as only init containers have it.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub restart_policy: Option<Box<str>>,
}

impl Container {
    /// Whether an init container runs on beside the others (KEP-753).
    pub fn is_sidecar(&self) -> bool {
        self.restart_policy.as_deref() == Some("Always")
    }
}

/// A port that a container declares.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerPort {
    /// The name that Services and policies may use.
    #[serde(default, deserialize_with = "field::name", skip_serializing_if = "field::is_default")]
    pub name: Option<Arc<str>>,
    /// The port number.
    pub container_port: u16,
    /// The protocol.
    #[serde(default = "field::tcp", with = "field::protocol")]
    pub protocol: Protocol,
}

/// `status` of a Pod.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodStatus {
    /// Where it stands.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub phase: Phase,
    /// Its main address.
    #[serde(default, rename = "podIP", deserialize_with = "field::ip", skip_serializing_if = "field::is_default")]
    pub pod_ip: Option<IpAddr>,
    /// All its addresses, at most one for each family.
    #[serde(
        default,
        rename = "podIPs",
        deserialize_with = "field::nullable",
        skip_serializing_if = "field::is_default"
    )]
    pub pod_ips: Vec<PodIp>,
    /// The main address of its node.
    #[serde(default, rename = "hostIP", deserialize_with = "field::ip", skip_serializing_if = "field::is_default")]
    pub host_ip: Option<IpAddr>,
    /// All addresses of its node.
    #[serde(
        default,
        rename = "hostIPs",
        deserialize_with = "field::nullable",
        skip_serializing_if = "field::is_default"
    )]
    pub host_ips: Vec<HostIp>,
    /// When the kubelet took it on.
    #[serde(default, with = "field::time", skip_serializing_if = "field::is_default")]
    pub start_time: Option<Timestamp>,
    /// How its containers are.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub container_statuses: Vec<ContainerStatus>,
    /// How it is as a whole.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub conditions: Vec<PodCondition>,
}

/// An entry of `status.containerStatuses`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ContainerStatus {
    /// What the container does.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub state: ContainerState,
}

/// `state` of a container; neither = it waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct ContainerState {
    /// It runs.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub running: Option<ContainerRun>,
    /// It has ended.
    #[serde(default, skip_serializing_if = "field::is_default")]
    pub terminated: Option<ContainerRun>,
}

/// When a container ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerRun {
    /// From.
    #[serde(default, with = "field::time", skip_serializing_if = "field::is_default")]
    pub started_at: Option<Timestamp>,
    /// To.
    #[serde(default, with = "field::time", skip_serializing_if = "field::is_default")]
    pub finished_at: Option<Timestamp>,
}

/// An entry of `status.conditions`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PodCondition {
    /// Which.
    #[serde(default, rename = "type", deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub condition: Box<str>,
    /// `True`, `False` or `Unknown`.
    #[serde(default, deserialize_with = "field::nullable", skip_serializing_if = "field::is_default")]
    pub status: Box<str>,
    /// When it became that.
    #[serde(default, with = "field::time", skip_serializing_if = "field::is_default")]
    pub last_transition_time: Option<Timestamp>,
}

/// An entry of `status.podIPs`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct PodIp {
    /// The address.
    #[serde(default, deserialize_with = "field::ip", skip_serializing_if = "field::is_default")]
    pub ip: Option<IpAddr>,
}

/// An entry of `status.hostIPs`.
pub type HostIp = PodIp;

/// Where a Pod stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum Phase {
    /// Not started.
    #[default]
    Pending,
    /// Running.
    Running,
    /// Every container ended well: the address is free again.
    Succeeded,
    /// A container ended badly: the address is free again.
    Failed,
    /// The node does not say.
    #[serde(other)]
    Unknown,
}

impl Pod {
    /// Whether it is over: it keeps its labels, but its address may be another pod's by now.
    pub const fn is_over(&self) -> bool {
        matches!(self.status.phase, Phase::Succeeded | Phase::Failed)
    }

    /// Its addresses, each once, also where they are the node's.
    pub fn ips(&self) -> impl Iterator<Item = IpAddr> {
        let listed = || self.status.pod_ips.iter().filter_map(|entry| entry.ip);
        let single = self.status.pod_ip.filter(|ip| listed().all(|other| other != *ip));
        listed().chain(single)
    }

    /// The addresses of its node.
    pub fn host_ips(&self) -> impl Iterator<Item = IpAddr> {
        self.status.host_ips.iter().filter_map(|entry| entry.ip).chain(self.status.host_ip)
    }

    /// The ports that its containers declare, those of sidecars among them.
    pub fn ports(&self) -> impl Iterator<Item = &ContainerPort> {
        let sidecars = self.spec.init_containers.iter().filter(|container| container.is_sidecar());
        self.spec.containers.iter().chain(sidecars).flat_map(|container| &container.ports)
    }

    /// When it started, for telling which of two pods has an address now.
    pub fn started(&self) -> Option<Timestamp> {
        self.status.start_time.or(self.metadata.creation_timestamp)
    }

    /// A second by which its network surely was there: its sandbox was ready (KEP-3085), or a container ran.
    pub fn network_since(&self) -> Option<Timestamp> {
        let ready =
            self.status.conditions.iter().filter(|condition| {
                &*condition.condition == "PodReadyToStartContainers" && &*condition.status == "True"
            });
        let ran = self
            .status
            .container_statuses
            .iter()
            .filter_map(|container| container.state.running.or(container.state.terminated)?.started_at);
        ready.filter_map(|condition| condition.last_transition_time).chain(ran).min()
    }

    /// The second in which the last of its containers ended, where all have and none will start again.
    pub fn finished(&self) -> Option<Timestamp> {
        let is_last = self.is_over() || self.metadata.deletion_timestamp.is_some();
        let ends = self.status.container_statuses.iter().map(|container| container.state.terminated?.finished_at);
        ends.collect::<Option<Vec<_>>>()?.into_iter().max().filter(|_| is_last)
    }
}
