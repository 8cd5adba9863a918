//! `NetworkPolicies`: which pods they isolate in which direction, and what their rules allow.

mod text;

use std::sync::Arc;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer};

use super::draft::{Draft, Fault};
use super::field;
use super::label_selector::LabelSelector;
use super::meta::ObjectMeta;
use super::policy_port::{PolicyPort, V1Port};

/// A NetworkPolicy (`networking.k8s.io/v1`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkPolicy {
    /// Name and namespace.
    pub metadata: ObjectMeta,
    /// What it says; `None` = nothing, because of a fault.
    pub spec: Option<NetworkPolicySpec>,
    /// What is wrong with it.
    pub faults: Vec<Fault>,
}

/// `spec` of a NetworkPolicy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NetworkPolicySpec {
    /// The pods of its namespace that it is about.
    pub pod_selector: LabelSelector,
    /// Who may connect to them; `None` = it does not isolate them so.
    pub ingress: Option<Vec<PolicyRule>>,
    /// What they may connect to; `None` = it does not isolate them so.
    pub egress: Option<Vec<PolicyRule>>,
}

/// A rule that allows what matches one of its ports and one of its peers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PolicyRule {
    /// Its position in the list as it is written.
    pub index: u32,
    /// Ports; none = all, of every protocol.
    pub ports: Vec<PolicyPort>,
    /// Peers; none = everybody.
    pub peers: Vec<PolicyPeer>,
}

/// The other side, as a rule of a NetworkPolicy means it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyPeer {
    /// Pods.
    Pods {
        /// Their namespaces; `None` = the policy's own.
        namespaces: Option<LabelSelector>,
        /// Their labels; empty = all.
        pods: LabelSelector,
    },
    /// Addresses.
    Block {
        /// The range.
        cidr: IpNet,
        /// What is left out of it.
        except: Vec<IpNet>,
    },
}

impl<'de> Deserialize<'de> for NetworkPolicy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut draft = Draft::read(from)?;
        let pod_selector = draft.subject("podSelector", &["ingress", "egress", "policyTypes"]).unwrap_or_default();
        let ingress = draft.rules::<IngressText>("ingress");
        let egress = draft.rules::<EgressText>("egress");
        let types: Vec<PolicyType> = draft.field("policyTypes").unwrap_or_default();
        let has = |wanted, default| if types.is_empty() { default } else { types.contains(&wanted) };
        // As the API server fills in absent types: rules as written count, wrong ones too.
        let writes_egress = egress.as_ref().is_some_and(|rules| !rules.is_empty())
            || draft.faults.iter().any(|fault| fault.field.starts_with("spec.egress["));
        let is_ingress = has(PolicyType::Ingress, true);
        let is_egress = has(PolicyType::Egress, writes_egress);
        let ingress = ingress.unwrap_or_default().into_iter().map(|(index, rule)| rule.read(index));
        let egress = egress.unwrap_or_default().into_iter().map(|(index, rule)| rule.read(index));
        let spec = NetworkPolicySpec {
            pod_selector,
            ingress: is_ingress.then(|| ingress.collect()),
            egress: is_egress.then(|| egress.collect()),
        };
        let spec = Some(spec).filter(|_| !draft.is_refused);
        let (metadata, faults) = draft.finish();
        Ok(Self { metadata, spec, faults })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
enum PolicyType {
    Ingress,
    Egress,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct IngressText {
    #[serde(default, deserialize_with = "field::nullable")]
    ports: Vec<PortText>,
    #[serde(default, deserialize_with = "field::nullable")]
    from: Vec<PeerText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EgressText {
    #[serde(default, deserialize_with = "field::nullable")]
    ports: Vec<PortText>,
    #[serde(default, deserialize_with = "field::nullable")]
    to: Vec<PeerText>,
}

impl IngressText {
    fn read(self, index: u32) -> PolicyRule {
        rule(index, self.ports, self.from)
    }
}

impl EgressText {
    fn read(self, index: u32) -> PolicyRule {
        rule(index, self.ports, self.to)
    }
}

fn rule(index: u32, ports: Vec<PortText>, peers: Vec<PeerText>) -> PolicyRule {
    let ports = ports.into_iter().map(|port| port.0).collect();
    PolicyRule { index, ports, peers: peers.into_iter().map(|peer| peer.0).collect() }
}

#[derive(Deserialize)]
#[serde(try_from = "V1Port")]
struct PortText(PolicyPort);

impl TryFrom<V1Port> for PortText {
    type Error = String;

    fn try_from(text: V1Port) -> Result<Self, String> {
        text.try_into().map(Self)
    }
}

#[derive(Deserialize)]
#[serde(try_from = "PeerFields")]
struct PeerText(PolicyPeer);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PeerFields {
    #[serde(default)]
    pod_selector: Option<LabelSelector>,
    #[serde(default)]
    namespace_selector: Option<LabelSelector>,
    #[serde(default)]
    ip_block: Option<BlockText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BlockText {
    #[serde(deserialize_with = "field::network")]
    cidr: IpNet,
    #[serde(default, deserialize_with = "field::networks")]
    except: Vec<IpNet>,
}

impl TryFrom<PeerFields> for PeerText {
    type Error = String;

    fn try_from(fields: PeerFields) -> Result<Self, Self::Error> {
        match (fields.ip_block, fields.namespace_selector, fields.pod_selector) {
            (Some(BlockText { cidr, except }), None, None) => {
                // The API server refuses such a block. It would leave out nothing, or everything.
                let is_outside = |net: &&IpNet| !cidr.contains(*net) || net.prefix_len() == cidr.prefix_len();
                match except.iter().find(is_outside) {
                    Some(net) => Err(format!("ipBlock.except: {net} is no part of {cidr}")),
                    None => Ok(Self(PolicyPeer::Block { cidr, except })),
                }
            }
            (Some(_), _, _) => Err("ipBlock together with a selector".to_owned()),
            (None, None, None) => Err("a peer without podSelector, namespaceSelector or ipBlock".to_owned()),
            (None, namespaces, pods) => Ok(Self(PolicyPeer::Pods { namespaces, pods: pods.unwrap_or_default() })),
        }
    }
}

impl NetworkPolicy {
    /// The namespace of the policy and of the pods it is about.
    pub const fn namespace(&self) -> &Arc<str> {
        &self.metadata.namespace
    }
}
