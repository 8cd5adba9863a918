//! Tunnels: VXLAN, Geneve, GRE and IP in IP, down to the packet inside.

mod gre;

use weir_model::{Protocol, Tunnel, TunnelKind};

use super::bytes::Bytes;
use super::{Decoder, Layers};
use crate::counts::Skipped;
use crate::packet::Packet;

const VXLAN_GPE_PORT: u16 = 4790;
const GENEVE_PORT: u16 = 6081;
const IPV4_IN_IP: Protocol = Protocol(4);
const IPV6_IN_IP: Protocol = Protocol(41);
const GRE: Protocol = Protocol(47);

impl Decoder {
    /// The packet inside, where the IP payload `data` is a tunnel that can be read; `None` = it is what it is.
    #[inline]
    pub(super) fn inside(
        &mut self,
        protocol: Protocol,
        data: Bytes<'_>,
        layers: Layers,
    ) -> Option<Result<Packet, Skipped>> {
        let inner = match protocol {
            Protocol::UDP => self.inside_udp(data, layers)?,
            IPV4_IN_IP | IPV6_IN_IP => self.ip_in_ip(data, layers)?,
            GRE => self.gre(data, layers)?,
            _ => return None,
        };
        match inner {
            // Not readable, so perhaps no tunnel at all: it counts as what carries it.
            Err(Skipped::Malformed | Skipped::Truncated | Skipped::UnknownLink) => None,
            other => Some(other),
        }
    }

    #[inline]
    fn inside_udp(&mut self, data: Bytes<'_>, layers: Layers) -> Option<Result<Packet, Skipped>> {
        match data.u16(2).ok()? {
            GENEVE_PORT => self.geneve(data.skip(8), layers),
            VXLAN_GPE_PORT => self.vxlan_gpe(data.skip(8), layers),
            port => self.vxlan_ports.contains(&port).then(|| self.vxlan(data.skip(8), layers))?,
        }
    }

    fn vxlan(&mut self, data: Bytes<'_>, layers: Layers) -> Option<Result<Packet, Skipped>> {
        let [flags, _, _, _, vni @ ..] = *data.head::<8>().ok()?;
        // The I flag: the VNI is valid (RFC 7348).
        if flags & 0x08 == 0 {
            return None;
        }
        let layers = within(TunnelKind::Vxlan, Some(u32::from_be_bytes(vni) >> 8), layers)?;
        Some(self.ethernet(data.skip(8), layers))
    }

    /// VXLAN that says what is inside (draft-ietf-nvo3-vxlan-gpe): without the P flag it is Ethernet.
    fn vxlan_gpe(&mut self, data: Bytes<'_>, layers: Layers) -> Option<Result<Packet, Skipped>> {
        let [flags, _, _, next, vni @ ..] = *data.head::<8>().ok()?;
        let layers = within(TunnelKind::Vxlan, Some(u32::from_be_bytes(vni) >> 8), layers)?;
        let rest = data.skip(8);
        match (flags & 0x04, next) {
            (0, _) | (_, 3) => Some(self.ethernet(rest, layers)),
            (_, 1) => Some(self.ipv4(rest, layers)),
            (_, 2) => Some(self.ipv6(rest, layers)),
            (_, 4) => Some(self.service_chain(rest, layers)),
            (_, 5) => Some(self.mpls(rest, layers)),
            _ => None,
        }
    }

    fn geneve(&mut self, data: Bytes<'_>, layers: Layers) -> Option<Result<Packet, Skipped>> {
        let [first, _, high, low, vni @ ..] = *data.head::<8>().ok()?;
        if first >> 6 != 0 {
            return None;
        }
        let layers = within(TunnelKind::Geneve, Some(u32::from_be_bytes(vni) >> 8), layers)?;
        let options = usize::from(first & 0x3f) * 4;
        Some(self.ethertype(u16::from_be_bytes([high, low]), data.skip(8 + options), layers))
    }

    fn ip_in_ip(&mut self, data: Bytes<'_>, layers: Layers) -> Option<Result<Packet, Skipped>> {
        if !matches!(data.seen.first()? >> 4, 4 | 6) {
            return None;
        }
        let layers = within(TunnelKind::Ipip, None, layers)?;
        Some(self.ip(data, layers))
    }
}

/// `None` = too deep already.
fn within(kind: TunnelKind, id: Option<u32>, layers: Layers) -> Option<Layers> {
    let mut layers = layers.deeper().ok()?;
    layers.path.push_tunnel(Tunnel { kind, id });
    Some(layers)
}
