//! Names for networks outside the cluster, as somebody configured them.

use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use prefix_trie::PrefixMap;
use weir_model::{Endpoint, EndpointKind};

/// A network and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedNetwork {
    /// The network.
    pub network: IpNet,
    /// Its name; never empty.
    pub name: Arc<str>,
}

/// Text that names no network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a network and its name: {0} (write CIDR=NAME, such as 10.0.0.0/8=corp)")]
pub struct NamedNetworkError(String);

/// Reads `10.0.0.0/8=corp`; an address alone is a network of one.
impl FromStr for NamedNetwork {
    type Err = NamedNetworkError;

    fn from_str(text: &str) -> Result<Self, NamedNetworkError> {
        let read = || {
            let (network, name) = text.split_once('=')?;
            let (network, name) = (network.trim(), name.trim());
            let network = network.parse().ok().or_else(|| network.parse().ok().map(|ip: IpAddr| IpNet::from(ip)))?;
            (!name.is_empty()).then(|| Self { network: network.trunc(), name: name.into() })
        };
        read().ok_or_else(|| NamedNetworkError(text.to_owned()))
    }
}

/// What is outside, by the longest network that holds it. The last of two names of one network counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Networks {
    v4: PrefixMap<Ipv4Net, Arc<Endpoint>>,
    v6: PrefixMap<Ipv6Net, Arc<Endpoint>>,
}

impl Networks {
    pub(crate) fn new(named: &[NamedNetwork]) -> Self {
        let mut networks = Self::default();
        for NamedNetwork { network, name } in named {
            let name = Some(Arc::clone(name));
            let endpoint = Arc::new(Endpoint { kind: EndpointKind::External, name, ..Endpoint::default() });
            match network {
                IpNet::V4(network) => networks.v4.insert(*network, endpoint),
                IpNet::V6(network) => networks.v6.insert(*network, endpoint),
            };
        }
        networks
    }

    pub(crate) fn at(&self, ip: IpAddr) -> Option<&Arc<Endpoint>> {
        match ip.to_canonical() {
            IpAddr::V4(v4) => self.v4.get_lpm(&Ipv4Net::from(v4)).map(|(_, endpoint)| endpoint),
            IpAddr::V6(v6) => self.v6.get_lpm(&Ipv6Net::from(v6)).map(|(_, endpoint)| endpoint),
        }
    }
}
