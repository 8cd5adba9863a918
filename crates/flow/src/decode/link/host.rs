//! Links that only exist within a host: loopback, Linux "cooked" frames, netfilter's log, Apple's `pktap`.

use weir_model::LinkType;

use crate::counts::Skipped;
use crate::decode::bytes::Bytes;
use crate::decode::{Decoder, Layers};
use crate::packet::Packet;

/// Linux's own types in a cooked header: IEEE 802.2 behind it.
const COOKED_LLC: u16 = 4;
/// An NFLOG message's attribute with the packet (`NFULA_PAYLOAD`).
const NFULA_PAYLOAD: u16 = 9;

impl Decoder {
    /// What is behind a cooked header.
    #[inline]
    pub(super) fn cooked(&mut self, kind: u16, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        match kind {
            COOKED_LLC => self.llc(data, layers),
            _ => self.ethertype(kind, data, layers),
        }
    }

    /// An address family in the byte order of the capturing host, whatever that was; an Ethernet type on some systems.
    pub(super) fn loopback(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        let word = *data.head::<4>()?;
        let family = u32::from_le_bytes(word);
        match family.min(family.swap_bytes()) {
            // AF_INET; AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS.
            2 | 10 | 24 | 28 | 30 => self.ip(data.skip(4), layers),
            _ if word[..2] == [0xff, 0x03] => self.ppp(data, layers),
            kind @ 0x0600..=0xffff => self.ethertype(kind as u16, data.skip(4), layers),
            _ => Err(Skipped::NonIp),
        }
    }

    /// A netfilter log message: attributes in the byte order of the capturing host, one of them the packet.
    pub(super) fn nflog(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
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

    /// A header that tells its length and the link type of what follows, both little endian.
    pub(super) fn pktap(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        let [l0, l1, l2, l3, _, _, _, _, k0, k1, k2, k3] = *data.head::<12>()?;
        let (len, kind) = (u32::from_le_bytes([l0, l1, l2, l3]), u32::from_le_bytes([k0, k1, k2, k3]));
        let link = u16::try_from(kind).map_err(|_| Skipped::UnknownLink)?;
        if len < 12 {
            return Err(Skipped::Malformed);
        }
        self.link(LinkType(link), data.skip(len as usize), layers.deeper()?)
    }
}
