//! Tunnels: VXLAN, Geneve, GRE and IP in IP, down to the packet inside.

use weir_model::{Protocol, Tunnel, TunnelKind};

use super::bytes::Bytes;
use super::{Decoder, Layers};
use crate::counts::Skipped;
use crate::packet::Packet;

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
        let port = data.u16(2).ok()?;
        if port == GENEVE_PORT {
            return self.geneve(data.skip(8), layers);
        }
        self.vxlan_ports.contains(&port).then(|| self.vxlan(data.skip(8), layers))?
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

    fn geneve(&mut self, data: Bytes<'_>, layers: Layers) -> Option<Result<Packet, Skipped>> {
        let [first, _, high, low, vni @ ..] = *data.head::<8>().ok()?;
        if first >> 6 != 0 {
            return None;
        }
        let layers = within(TunnelKind::Geneve, Some(u32::from_be_bytes(vni) >> 8), layers)?;
        let options = usize::from(first & 0x3f) * 4;
        Some(self.ethertype(u16::from_be_bytes([high, low]), data.skip(8 + options), layers))
    }

    /// Version 0 (RFC 2784, 2890); version 1 is PPTP's and stays a GRE flow.
    fn gre(&mut self, data: Bytes<'_>, layers: Layers) -> Option<Result<Packet, Skipped>> {
        let [flags, version, high, low] = *data.head::<4>().ok()?;
        let (checksum, routing, key, sequence) = (flags & 0x80, flags & 0x40, flags & 0x20, flags & 0x10);
        if version & 0x07 != 0 || routing != 0 {
            return None;
        }
        let key_at = if checksum == 0 { 4 } else { 8 };
        let id = if key == 0 { None } else { Some(data.u32(key_at)?) };
        let header = key_at + if key == 0 { 0 } else { 4 } + if sequence == 0 { 0 } else { 4 };
        let layers = within(TunnelKind::Gre, id, layers)?;
        Some(self.ethertype(u16::from_be_bytes([high, low]), data.skip(header), layers))
    }

    fn ip_in_ip(&mut self, data: Bytes<'_>, layers: Layers) -> Option<Result<Packet, Skipped>> {
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
