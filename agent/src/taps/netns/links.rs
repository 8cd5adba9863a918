//! The links of this network namespace as they come and go: rtnetlink's messages in, news of links and routes out.
//!
//! News come in the order in which things happened. Where the kernel had no room for them that is news too, and only a
//! new list tells what was missed.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

use netlink_packet_core::{NetlinkMessage, NetlinkPayload};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_packet_route::route::{RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rustix::io::Errno;

use super::netlink::{Netlink, NetlinkError};
use super::sight::ways_out;
use crate::datagram::{DATAGRAM_BYTES, split};

/// Groups of `linux/rtnetlink.h`: links, and the routes of both families.
const GROUPS: [u32; 3] = [1, 7, 11];

/// Room for news in the kernel: some 2,000 links that change at once. What does not fit costs a new list.
const ROOM_BYTES: i32 = 4 << 20;

/// A network device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::taps) struct Link {
    /// Its number in this namespace; never used again while the system runs.
    pub(in crate::taps) index: u32,
    /// Its name, which may change.
    pub(in crate::taps) name: Arc<str>,
    /// Whether it is switched on.
    pub(in crate::taps) is_up: bool,
    /// The number by which this namespace knows that of the other end; `None` = it is no end of a pair, or both are here.
    pub(in crate::taps) peer: Option<i32>,
}

/// What has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::taps) enum News {
    /// A link is new or has changed.
    Link(Link),
    /// The link of this number is gone.
    Gone(u32),
    /// A route out of the link of this number came or went.
    Route(u32),
    /// Something happened that was not told.
    Missed,
}

/// A socket that hears of links.
pub(in crate::taps) struct Links {
    socket: Socket,
    datagram: Vec<u8>,
}

impl Links {
    /// Hears of everything from now on.
    pub(in crate::taps) fn follow() -> Result<Self, NetlinkError> {
        Self::with_room(ROOM_BYTES).map_err(NetlinkError::Open)
    }

    fn with_room(bytes: i32) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        socket.set_non_blocking(true)?;
        // More than the system's limit needs NET_ADMIN; with less there is a list more often.
        socket.set_rx_buf_sz(bytes)?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        Ok(Self { socket, datagram: Vec::with_capacity(DATAGRAM_BYTES) })
    }

    /// All links there are now.
    pub(in crate::taps) fn list(netlink: &mut Netlink) -> Result<Vec<Link>, NetlinkError> {
        let answers = netlink.list(&RouteNetlinkMessage::GetLink(LinkMessage::default()), "the interfaces")?;
        Ok(answers
            .into_iter()
            .filter_map(|answer| match answer {
                RouteNetlinkMessage::NewLink(link) => Link::of(link),
                _ => None,
            })
            .collect())
    }

    /// Gives the news of one datagram to `each`. Never waits: false = there are none.
    pub(in crate::taps) fn read(&mut self, mut each: impl FnMut(News)) -> io::Result<bool> {
        self.datagram.clear();
        match self.socket.recv(&mut self.datagram, 0) {
            Ok(_) => split(&self.datagram).for_each(|message| news(message.into_inner(), &mut each)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOBUFS) => each(News::Missed),
            Err(error) => return Err(error),
        }
        Ok(true)
    }
}

impl AsFd for Links {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsRawFd for Links {
    fn as_raw_fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}

impl Link {
    /// A link without a name is none.
    pub(super) fn of(message: LinkMessage) -> Option<Self> {
        let (mut name, mut namespace, mut is_pair) = (None, None, false);
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(text) => name = Some(Arc::from(text)),
                LinkAttribute::LinkNetNsId(id) => namespace = Some(id),
                LinkAttribute::LinkInfo(infos) => is_pair = infos.iter().any(is_of_pair),
                _ => {}
            }
        }
        Some(Self {
            index: message.header.index,
            name: name?,
            is_up: message.header.flags.contains(LinkFlags::Up),
            peer: namespace.filter(|_| is_pair),
        })
    }
}

/// Other devices have something in another namespace too: a tunnel its underlay, a VLAN its trunk.
const fn is_of_pair(info: &LinkInfo) -> bool {
    matches!(info, LinkInfo::Kind(InfoKind::Veth | InfoKind::Netkit))
}

fn news(message: &[u8], each: &mut impl FnMut(News)) {
    let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message) else { return };
    match message.payload {
        // A bridge tells of its ports in the same words: one that leaves it is not gone.
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link) | RouteNetlinkMessage::DelLink(link))
            if link.header.interface_family == AddressFamily::Bridge => {}
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
            Link::of(link).map(News::Link).into_iter().for_each(each);
        }
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(link)) => each(News::Gone(link.header.index)),
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route)) => {
            of_route(&route).for_each(each);
        }
        NetlinkPayload::Overrun(_) => each(News::Missed),
        _ => {}
    }
}

fn of_route(route: &RouteMessage) -> impl Iterator<Item = News> + '_ {
    let is_unicast = route.header.kind == RouteType::Unicast;
    ways_out(route).filter(move |_| is_unicast).map(News::Route)
}
