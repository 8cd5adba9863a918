//! Link layers: from a frame's first byte to its first IP header.

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
const MPLS: u16 = 0x8847;
const MPLS_UPSTREAM: u16 = 0x8848;
const PPPOE: u16 = 0x8864;
const QINQ: u16 = 0x88a8;
const OLD_QINQ: [u16; 2] = [0x9100, 0x9200];

/// An NFLOG message's attribute with the packet (`NFULA_PAYLOAD`).
const NFULA_PAYLOAD: u16 = 9;

impl Decoder {
    #[inline]
    pub(super) fn link(&mut self, link: LinkType, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        match link {
            LinkType::ETHERNET => self.ethernet(data, layers),
            LinkType::LINUX_SLL => self.ethertype(data.u16(14)?, data.skip(16), layers),
            LinkType::LINUX_SLL2 => self.ethertype(data.u16(0)?, data.skip(20), layers),
            // 12 and 14 are what some systems wrote for raw IP.
            LinkType::RAW | LinkType::IPV4 | LinkType::IPV6 | LinkType(12 | 14) => self.ip(data, layers),
            LinkType::NULL | LinkType::LOOP => self.loopback(data, layers),
            LinkType::NFLOG => self.nflog(data, layers),
            // 50 is PPP in HDLC framing.
            LinkType::PPP | LinkType(50) => self.ppp(data, layers),
            _ => Err(Skipped::UnknownLink),
        }
    }

    #[inline]
    pub(super) fn ethernet(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        let [.., high, low] = *data.head::<14>()?;
        let kind = u16::from_be_bytes([high, low]);
        if kind < 0x0600 {
            return self.ieee_802_3(data.skip(14), layers);
        }
        self.ethertype(kind, data.skip(14), layers)
    }

    /// IEEE 802.3 with LLC: only SNAP carries an Ethernet type.
    fn ieee_802_3(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        match *data.head::<8>()? {
            [0xaa, 0xaa, 0x03, 0, 0, 0, high, low] => {
                self.ethertype(u16::from_be_bytes([high, low]), data.skip(8), layers)
            }
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
            PPPOE => self.ppp(data.skip(6), layers),
            TRANSPARENT_ETHERNET => self.ethernet(data, layers),
            _ => Err(Skipped::NonIp),
        }
    }

    /// A stack of labels (RFC 3032), then IP, or Ethernet behind a control word (RFC 4448).
    fn mpls(&mut self, mut data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        loop {
            let [.., bottom, _] = *data.head::<4>()?;
            data = data.skip(4);
            if bottom & 1 == 1 {
                break;
            }
        }
        match data.head::<1>()?[0] >> 4 {
            4 | 6 => self.ip(data, layers.deeper()?),
            0 => self.ethernet(data.skip(4), layers.deeper()?),
            _ => Err(Skipped::NonIp),
        }
    }

    /// PPP with or without its address and control bytes, the protocol in one byte or two (RFC 1661).
    fn ppp(&mut self, mut data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        if data.seen.starts_with(&[0xff, 0x03]) {
            data = data.skip(2);
        }
        let first = data.head::<1>()?[0];
        let (protocol, len) = if first & 1 == 1 { (u16::from(first), 1) } else { (data.u16(0)?, 2) };
        match protocol {
            0x0021 => self.ipv4(data.skip(len), layers),
            0x0057 => self.ipv6(data.skip(len), layers),
            _ => Err(Skipped::NonIp),
        }
    }

    /// An address family in the byte order of the capturing host, whatever that was.
    fn loopback(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        let family = u32::from_le_bytes(*data.head::<4>()?);
        match family.min(family.swap_bytes()) {
            // AF_INET; AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS.
            2 | 10 | 24 | 28 | 30 => self.ip(data.skip(4), layers),
            _ => Err(Skipped::NonIp),
        }
    }

    /// A netfilter log message: attributes in the byte order of the capturing host, one of them the packet.
    fn nflog(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        data.head::<4>()?;
        let mut rest = data.skip(4);
        loop {
            let [len_0, len_1, kind_0, kind_1] = *rest.head::<4>()?;
            let (mut len, mut kind) = (u16::from_le_bytes([len_0, len_1]), u16::from_le_bytes([kind_0, kind_1]));
            if kind.swap_bytes() < kind {
                (len, kind) = (len.swap_bytes(), kind.swap_bytes());
            }
            if len < 4 {
                return Err(Skipped::Malformed);
            }
            if kind == NFULA_PAYLOAD {
                return self.ip(rest.skip(4), layers);
            }
            rest = rest.skip(usize::from(len).next_multiple_of(4));
        }
    }
}
