//! MPLS: a stack of labels, and what can only be guessed behind it.

use super::{ARP, IPV4, IPV6, MPLS, PPPOE, QINQ, VLAN};
use crate::counts::Skipped;
use crate::decode::bytes::Bytes;
use crate::decode::ip::is_ip;
use crate::decode::{Decoder, Layers};
use crate::packet::Packet;

/// Length of a pseudowire's control word.
const CONTROL_WORD_BYTES: usize = 4;

impl Decoder {
    /// A stack of labels (RFC 3032), then IP, or a pseudowire's Ethernet (RFC 4448). Nothing says which: IP shows by its
    /// version, Ethernet by a well-known type at its place.
    pub(in crate::decode) fn mpls(&mut self, mut data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        loop {
            let [.., bottom, _] = *data.head::<4>()?;
            data = data.skip(4);
            if bottom & 1 == 1 {
                break;
            }
        }
        let layers = layers.deeper()?;
        match data.head::<1>()?[0] >> 4 {
            4 | 6 if is_ip(data) || !is_ethernet(data) => self.ip(data, layers),
            0 if is_ethernet(data.skip(CONTROL_WORD_BYTES)) => self.ethernet(data.skip(CONTROL_WORD_BYTES), layers),
            _ if is_ethernet(data) => self.ethernet(data, layers),
            _ => Err(Skipped::NonIp),
        }
    }
}

fn is_ethernet(data: Bytes<'_>) -> bool {
    matches!(data.u16(12), Ok(IPV4 | IPV6 | ARP | VLAN | QINQ | MPLS | PPPOE))
}
