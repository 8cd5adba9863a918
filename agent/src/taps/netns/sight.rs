//! What the kernel shows of one interface: whether its other end is elsewhere, the addresses there, what is routed to it.

use std::io;
use std::net::IpAddr;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressMessage, AddressScope};
use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use rustix::io::Errno;
use rustix::thread::{CapabilitySet, capabilities};

use super::netlink::{Netlink, NetlinkError};

/// What the kernel shows of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::taps) enum Sight {
    /// A device that is in this network namespace only.
    Own,
    /// One end of a pair whose other end is in another network namespace.
    Veth {
        /// The addresses in the other namespace.
        inside: Vec<IpAddr>,
        /// The addresses that are routed to this interface, each alone.
        routed: Vec<IpAddr>,
        /// The interface has a subnet, or a default route goes there.
        leads_out: bool,
        /// Whether the kernel would tell addresses of other namespaces.
        sees_inside: bool,
    },
}

/// Looks at the interface called `name`.
pub(super) fn of(name: &str) -> Result<Sight, NetlinkError> {
    let mut netlink = Netlink::open()?;
    let link = link(&mut netlink, name)?;
    let namespace = link.attributes.iter().find_map(|attribute| match attribute {
        LinkAttribute::LinkNetNsId(id) => Some(*id),
        _ => None,
    });
    let Some(namespace) = namespace else { return Ok(Sight::Own) };
    let routes = Routes::list(&mut netlink)?;
    Sight::behind(&mut netlink, link.header.index, namespace, &routes)
}

impl Sight {
    /// Looks at the interface at `index`, whose other end is in the namespace that this one calls `namespace`.
    pub(in crate::taps) fn behind(
        netlink: &mut Netlink,
        index: u32,
        namespace: i32,
        routes: &Routes,
    ) -> Result<Self, NetlinkError> {
        Ok(Self::Veth {
            inside: inside(netlink, namespace)?,
            routed: routes.out_of(index).filter_map(alone).collect(),
            leads_out: routes.out_of(index).any(is_default) || has_subnet(netlink, index)?,
            sees_inside: capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::NET_ADMIN)),
        })
    }

    /// The addresses by which a pod may be found.
    pub(in crate::taps) fn addresses(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let (inside, routed) = match self {
            Self::Own => (&[][..], &[][..]),
            Self::Veth { inside, routed, .. } => (&inside[..], &routed[..]),
        };
        inside.iter().chain(routed).copied()
    }
}

/// The routes of this namespace.
pub(in crate::taps) struct Routes(Vec<RouteMessage>);

impl Routes {
    /// Asks for all of them.
    pub(in crate::taps) fn list(netlink: &mut Netlink) -> Result<Self, NetlinkError> {
        let answers = netlink.list(&RouteNetlinkMessage::GetRoute(RouteMessage::default()), "the routes")?;
        let routes = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewRoute(route) => Some(route),
            _ => None,
        });
        Ok(Self(routes.filter(|route| route.header.kind == RouteType::Unicast).collect()))
    }

    /// The interfaces that default routes leave by.
    pub(in crate::taps) fn uplinks(&self) -> impl Iterator<Item = u32> + '_ {
        self.0.iter().filter(|route| is_default(route)).flat_map(ways_out)
    }

    /// The routes for packets out of the interface at `index`.
    fn out_of(&self, index: u32) -> impl Iterator<Item = &RouteMessage> {
        self.0.iter().filter(move |route| ways_out(route).any(|out| out == index))
    }
}

/// The interfaces that a route leaves by: several where it has several hops.
pub(super) fn ways_out(route: &RouteMessage) -> impl Iterator<Item = u32> + '_ {
    route.attributes.iter().flat_map(|attribute| match attribute {
        RouteAttribute::Oif(out) => vec![*out],
        RouteAttribute::MultiPath(hops) => hops.iter().map(|hop| hop.interface_index).collect(),
        _ => Vec::new(),
    })
}

fn link(netlink: &mut Netlink, name: &str) -> Result<LinkMessage, NetlinkError> {
    let mut question = LinkMessage::default();
    question.attributes.push(LinkAttribute::IfName(name.to_owned()));
    match netlink.one(RouteNetlinkMessage::GetLink(question)) {
        Ok(Some(RouteNetlinkMessage::NewLink(link))) => Ok(link),
        Ok(_) => Err(NetlinkError::NoInterface(name.to_owned())),
        // A name that is too long is out of range or invalid.
        Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NODEV | Errno::RANGE | Errno::INVAL)) => {
            Err(NetlinkError::NoInterface(name.to_owned()))
        }
        Err(source) => Err(NetlinkError::Refused { asked: "the interface", source }),
    }
}

/// The addresses in the namespace that this one calls `namespace`. Without `CAP_NET_ADMIN` there are none.
fn inside(netlink: &mut Netlink, namespace: i32) -> Result<Vec<IpAddr>, NetlinkError> {
    let mut question = AddressMessage::default();
    question.attributes.push(AddressAttribute::TargetNetNsId(namespace));
    let answers = match netlink.list(&RouteNetlinkMessage::GetAddress(question), "the addresses behind the interface") {
        Err(NetlinkError::Refused { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => Vec::new(),
        answers => answers?,
    };
    // An answer that does not say which namespace it is of is of this one.
    let is_of_it = |address: &AddressMessage| address.attributes.contains(&AddressAttribute::TargetNetNsId(namespace));
    Ok(answers
        .into_iter()
        .filter_map(|answer| match answer {
            RouteNetlinkMessage::NewAddress(address) if is_of_it(&address) => address_of(&address),
            _ => None,
        })
        .filter(|ip| !ip.is_loopback() && !is_link_local(*ip))
        .collect())
}

/// The interface's own address: `IFA_LOCAL` where the other end of a link has one too.
fn address_of(message: &AddressMessage) -> Option<IpAddr> {
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(ip) => Some(*ip),
        _ => None,
    });
    local.or_else(|| {
        message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Address(ip) => Some(*ip),
            _ => None,
        })
    })
}

const fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

/// Whether an address of the interface at `index` stands for a subnet.
fn has_subnet(netlink: &mut Netlink, index: u32) -> Result<bool, NetlinkError> {
    let mut question = AddressMessage::default();
    question.header.index = index;
    let answers = netlink.list(&RouteNetlinkMessage::GetAddress(question), "the addresses of the interface")?;
    Ok(answers.iter().any(|answer| match answer {
        RouteNetlinkMessage::NewAddress(address) => {
            let width = address_of(address).map_or(0, |ip| if ip.is_ipv4() { 32 } else { 128 });
            address.header.index == index
                && address.header.scope == AddressScope::Universe
                && address.header.prefix_len < width
        }
        _ => false,
    }))
}

const fn is_default(route: &RouteMessage) -> bool {
    route.header.destination_prefix_length == 0
}

/// The address of a route that is for one address, which is no next hop's.
fn alone(route: &RouteMessage) -> Option<IpAddr> {
    let length = route.header.destination_prefix_length;
    let is_direct = !route.attributes.iter().any(|attribute| matches!(attribute, RouteAttribute::Gateway(_)));
    route.attributes.iter().filter(|_| is_direct).find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(ip)) if length == 32 => Some(IpAddr::V4(*ip)),
        RouteAttribute::Destination(RouteAddress::Inet6(ip)) if length == 128 => Some(IpAddr::V6(*ip)),
        _ => None,
    })
}
