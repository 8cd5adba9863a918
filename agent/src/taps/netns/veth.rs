//! All veths of this network namespace at one time, and whose they are.

use std::collections::BTreeMap;
use std::sync::Arc;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};
use weir_cluster::Snapshot;

use super::links::Link;
use super::netlink::{Netlink, NetlinkError};
use super::sight::{Routes, Sight};
use super::{Owner, decide};

/// A link whose other end is in another network namespace.
#[derive(Clone, Debug)]
pub(crate) struct Veth {
    /// Its name.
    pub(crate) name: Arc<str>,
    /// Whether it is switched on.
    pub(crate) is_up: bool,
    /// The bridge that it is a port of.
    pub(crate) bridge: Option<Arc<str>>,
    /// Whether packets may reach the other end without passing it.
    pub(crate) is_passed_by: bool,
    /// Whose it is.
    pub(crate) owner: Owner,
}

/// Lists them, by the pods of `node`.
pub(crate) fn veths(snapshot: &Snapshot, node: &str) -> Result<Vec<Veth>, NetlinkError> {
    let mut netlink = Netlink::open()?;
    let answers = netlink.list(&RouteNetlinkMessage::GetLink(LinkMessage::default()), "the interfaces")?;
    let links: Vec<LinkMessage> = answers
        .into_iter()
        .filter_map(|answer| match answer {
            RouteNetlinkMessage::NewLink(link) => Some(link),
            _ => None,
        })
        .collect();
    let bridges: BTreeMap<u32, Arc<str>> =
        links.iter().filter(|link| has_kind(link, &InfoKind::Bridge)).filter_map(numbered).collect();
    let is_cilium = links.iter().filter_map(numbered).any(|(_, name)| &*name == "cilium_host");
    let routes = Routes::list(&mut netlink)?;
    let mut veths = Vec::new();
    for message in links {
        let bridge = controller(&message).and_then(|index| bridges.get(&index).cloned());
        let is_netkit = has_kind(&message, &InfoKind::Netkit);
        let Some(Link { index, name, is_up, peer: Some(namespace) }) = Link::of(message) else { continue };
        let sight = Sight::behind(&mut netlink, index, namespace, &routes)?;
        let owner = decide(&sight, snapshot, node, |_, _| true);
        let is_passed_by = is_netkit || is_cilium && name.starts_with("lxc");
        veths.push(Veth { name, is_up, bridge, is_passed_by, owner });
    }
    Ok(veths)
}

fn numbered(link: &LinkMessage) -> Option<(u32, Arc<str>)> {
    let name = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::IfName(name) => Some(Arc::from(name.as_str())),
        _ => None,
    });
    Some((link.header.index, name?))
}

/// The number of the link that this one is a port of.
fn controller(link: &LinkMessage) -> Option<u32> {
    link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::Controller(index) => Some(*index),
        _ => None,
    })
}

fn has_kind(link: &LinkMessage, kind: &InfoKind) -> bool {
    let infos = link.attributes.iter().filter_map(|attribute| match attribute {
        LinkAttribute::LinkInfo(infos) => Some(infos),
        _ => None,
    });
    infos.flatten().any(|info| matches!(info, LinkInfo::Kind(of) if of == kind))
}
