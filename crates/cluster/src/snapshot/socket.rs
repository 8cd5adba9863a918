//! Addresses and ports as keys of hash tables: plain numbers, quick to hash and to compare.

use std::net::IpAddr;

use weir_model::Protocol;

/// An address; IPv4 is the same as IPv4-mapped IPv6. Two numbers, so that a key needs no alignment to 16 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Ip {
    high: u64,
    low: u64,
}

impl From<IpAddr> for Ip {
    fn from(ip: IpAddr) -> Self {
        match ip {
            IpAddr::V4(v4) => Self { high: 0, low: 0xffff_0000_0000 | u64::from(v4.to_bits()) },
            IpAddr::V6(v6) => {
                let bits = v6.to_bits();
                Self { high: (bits >> 64) as u64, low: bits as u64 }
            }
        }
    }
}

/// An address and port of a protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Socket {
    ip: Ip,
    port: Port,
}

impl Socket {
    pub(crate) fn new(ip: IpAddr, port: u16, protocol: Protocol) -> Self {
        Self { ip: ip.into(), port: Port::new(port, protocol) }
    }
}

/// A port of a protocol, at whatever address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Port(u32);

impl Port {
    pub(crate) fn new(port: u16, protocol: Protocol) -> Self {
        Self(u32::from(port) << 8 | u32::from(protocol.0))
    }
}
