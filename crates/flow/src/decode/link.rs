//! Link layers: from a frame's first byte to its first IP header.
//!
//! Ethernet and its types are here; what other links put in front of them is in the modules below. A link that is not
//! known makes its frames [`Skipped::UnknownLink`], never a guess.

mod host;
mod mpls;
mod radio;
mod serial;

use weir_model::LinkType;

use super::bytes::Bytes;
use super::{Decoder, Layers};
use crate::counts::Skipped;
use crate::packet::Packet;

const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const TRANSPARENT_ETHERNET: u16 = 0x6558;
const RARP: u16 = 0x8035;
const VLAN: u16 = 0x8100;
const IPV6: u16 = 0x86dd;
const PPP: u16 = 0x880b;
const MPLS: u16 = 0x8847;
const MPLS_UPSTREAM: u16 = 0x8848;
const PPPOE: u16 = 0x8864;
const QINQ: u16 = 0x88a8;
const BACKBONE: u16 = 0x88e7;
const CISCO_METADATA: u16 = 0x8909;
const VN_TAG: u16 = 0x8926;
const E_TAG: u16 = 0x893f;
const SERVICE_CHAIN: u16 = 0x894f;
const OLD_QINQ: [u16; 3] = [0x9100, 0x9200, 0x9300];
const REDUNDANCY_TAG: u16 = 0xf1c1;

impl Decoder {
    #[inline]
    pub(super) fn link(&mut self, link: LinkType, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        match link {
            LinkType::ETHERNET => self.ethernet(data, layers),
            LinkType::LINUX_SLL => self.cooked(data.u16(14)?, data.skip(16), layers),
            LinkType::LINUX_SLL2 => self.cooked(data.u16(0)?, data.skip(20), layers),
            // 12 and 14 are what some systems wrote for raw IP.
            LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 | LinkType(12 | 14) => self.ip(data, layers),
            LinkType::NULL | LinkType::LOOP => self.loopback(data, layers),
            LinkType::NFLOG => self.nflog(data, layers),
            LinkType(other) => self.rare_link(other, data, layers),
        }
    }

    /// Numbers of the `LINKTYPE_` registry.
    fn rare_link(&mut self, link: u16, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        match link {
            // Token Ring: a routing field where the source address says so.
            6 => match data.head::<15>()? {
                [_, _, _, _, _, _, _, _, source, .., routing] if source & 0x80 != 0 => {
                    self.llc(data.skip(14 + usize::from(routing & 0x1f)), layers)
                }
                _ => self.llc(data.skip(14), layers),
            },
            // SLIP, behind a direction and a compressed header.
            8 => self.ip(data.skip(16), layers),
            9 | 50 | 166 => self.ppp(data, layers),
            // FDDI.
            10 => self.llc(data.skip(13), layers),
            // ATM: RFC 1483; classical IP, which some write without its LLC header.
            19 | 106 if data.head::<1>()?[0] != 0xaa => self.ip(data, layers),
            11 | 19 | 100 | 106 => self.llc(data, layers),
            51 => self.pppoe(data, layers),
            104 => self.hdlc(data, layers),
            105 => self.ieee_802_11(data, layers),
            107 => self.frame_relay(data, layers),
            // OpenBSD's encapsulating interface and packet filter.
            109 => self.ip(data.skip(12), layers),
            117 => self.ip(data.skip(usize::from(data.head::<1>()?[0]).next_multiple_of(4)), layers),
            119 | 127 | 163 | 192 => self.radio(link, data, layers),
            // IP over Fibre Channel.
            122 => self.llc(data.skip(16), layers),
            // IP over FireWire with its longer addresses; switch chips' tags of four bytes behind the addresses.
            138 | 281 | 284 => self.ethertype(data.u16(16)?, data.skip(18), layers),
            // One byte of direction in front.
            204 => self.ppp(data.skip(1), layers),
            205 => self.hdlc(data.skip(1), layers),
            206 => self.frame_relay(data.skip(1), layers),
            // Solaris IPNET.
            226 => self.ip(data.skip(24), layers),
            // Ethernet behind four bytes of an analyser or a switch chip, behind its preamble, behind both.
            240 | 282 => self.ethernet(data.skip(4), layers),
            274 => self.ethernet(data.skip(8), layers),
            241 => self.ethernet(data.skip(12), layers),
            258 => self.pktap(data, layers),
            // A switch chip's tag with a type of its own.
            285 => self.ethertype(data.u16(20)?, data.skip(22), layers),
            _ => Err(Skipped::UnknownLink),
        }
    }

    #[inline]
    pub(super) fn ethernet(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        let [.., high, low] = *data.head::<14>()?;
        let kind = u16::from_be_bytes([high, low]);
        if kind < 0x0600 {
            return self.llc(data.skip(14), layers);
        }
        self.ethertype(kind, data.skip(14), layers)
    }

    /// IEEE 802.2: only SNAP carries an Ethernet type, or a bridged frame (RFC 2684).
    pub(super) fn llc(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        match *data.head::<8>()? {
            [0xaa, 0xaa, 0x03, 0, 0, 0 | 0xf8, high, low] => {
                self.ethertype(u16::from_be_bytes([high, low]), data.skip(8), layers)
            }
            [0xaa, 0xaa, 0x03, 0, 0x80, 0xc2, 0, 1 | 7] => self.ethernet(data.skip(10), layers.deeper()?),
            [0x06, 0x06, 0x03, ..] => self.ip(data.skip(3), layers),
            _ => Err(Skipped::NonIp),
        }
    }

    #[inline]
    pub(super) fn ethertype(&mut self, kind: u16, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        match kind {
            IPV4 => self.ipv4(data, layers),
            IPV6 => self.ipv6(data, layers),
            _ => self.rare_ethertype(kind, data, layers.deeper()?),
        }
    }

    fn rare_ethertype(&mut self, kind: u16, data: Bytes<'_>, mut layers: Layers) -> Result<Packet, Skipped> {
        match kind {
            ARP | RARP => Err(Skipped::Arp),
            VLAN | QINQ => {
                layers.path.push_vlan(data.u16(0)? & 0x0fff);
                self.ethertype(data.u16(2)?, data.skip(4), layers)
            }
            kind if OLD_QINQ.contains(&kind) => self.rare_ethertype(QINQ, data, layers),
            MPLS | MPLS_UPSTREAM => self.mpls(data, layers),
            PPPOE => self.pppoe(data, layers),
            PPP => self.ppp(data, layers),
            TRANSPARENT_ETHERNET => self.ethernet(data, layers),
            // IEEE 802.1ah: the customer's frame behind a service id.
            BACKBONE => self.ethernet(data.skip(4), layers),
            VN_TAG | REDUNDANCY_TAG => self.ethertype(data.u16(4)?, data.skip(6), layers),
            E_TAG | CISCO_METADATA => self.ethertype(data.u16(6)?, data.skip(8), layers),
            SERVICE_CHAIN => self.service_chain(data, layers),
            _ => Err(Skipped::NonIp),
        }
    }

    /// A network service header (RFC 8300).
    pub(super) fn service_chain(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        let [_, len, _, next] = *data.head::<4>()?;
        let rest = data.skip(usize::from(len & 0x3f) * 4);
        match next {
            1 => self.ipv4(rest, layers),
            2 => self.ipv6(rest, layers),
            3 => self.ethernet(rest, layers),
            5 => self.mpls(rest, layers),
            _ => Err(Skipped::NonIp),
        }
    }
}
