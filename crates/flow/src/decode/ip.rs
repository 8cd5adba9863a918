//! IPv4 and IPv6 headers, extension headers, and the packet that an ICMP error quotes.

use etherparse::{Ipv4HeaderSlice, Ipv6HeaderSlice};
use weir_model::Protocol;

use super::bytes::Bytes;
use super::fragments::Datagram;
use super::{Decoder, Layers};
use crate::counts::Skipped;
use crate::packet::{Address, Packet};

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const NO_NEXT: u8 = 59;
const DESTINATION_OPTIONS: u8 = 60;
const SHIM6: u8 = 140;
/// Extension headers of one packet that are followed.
const MAX_EXTENSIONS: usize = 16;

/// An IP header, read.
#[derive(Clone, Copy)]
pub(super) struct Ip {
    pub(super) v6: bool,
    pub(super) source: Address,
    pub(super) destination: Address,
    /// After extension headers.
    pub(super) protocol: Protocol,
    /// Length of the whole packet on the wire.
    pub(super) bytes: u32,
    pub(super) fragment: Fragment,
}

/// Which part of a datagram a packet is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Fragment {
    /// All of it.
    Whole,
    /// The first of several: has the transport header.
    First { id: u32 },
    /// A later one.
    Later { id: u32 },
}

impl Fragment {
    const fn new(id: u32, offset: u16, more: bool) -> Self {
        match (offset, more) {
            (0, false) => Self::Whole,
            (0, true) => Self::First { id },
            _ => Self::Later { id },
        }
    }
}

impl Ip {
    pub(super) const fn datagram(&self, id: u32) -> Datagram {
        Datagram { source: self.source, destination: self.destination, protocol: self.protocol, id }
    }
}

impl Decoder {
    /// Either version, by its first four bits.
    pub(super) fn ip(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        match data.head::<1>()?[0] >> 4 {
            4 => self.ipv4(data, layers),
            6 => self.ipv6(data, layers),
            _ => Err(Skipped::NonIp),
        }
    }

    #[inline]
    pub(super) fn ipv4(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        let (ip, payload) = read_ipv4(data)?;
        self.transport(&ip, payload, layers)
    }

    pub(super) fn ipv6(&mut self, data: Bytes<'_>, layers: Layers) -> Result<Packet, Skipped> {
        let (ip, payload) = read_ipv6(data)?;
        self.transport(&ip, payload, layers)
    }
}

/// The header of the packet at the front of `data`, as an ICMP error quotes it, and what there is behind it.
pub(super) fn quoted(data: Bytes<'_>) -> Option<(Ip, Bytes<'_>)> {
    match data.seen.first()? >> 4 {
        4 => read_ipv4(data).ok(),
        6 => read_ipv6(data).ok(),
        _ => None,
    }
}

/// Whether an IP header can be read at the front of `data`.
pub(super) fn is_ip(data: Bytes<'_>) -> bool {
    match data.seen.first().map(|first| first >> 4) {
        Some(4) => read_ipv4(data).is_ok(),
        Some(6) => read_ipv6(data).is_ok(),
        _ => false,
    }
}

#[inline]
fn read_ipv4(data: Bytes<'_>) -> Result<(Ip, Bytes<'_>), Skipped> {
    let header = match Ipv4HeaderSlice::from_slice(data.seen) {
        Ok(header) => header,
        Err(etherparse::err::ipv4::HeaderSliceError::Len(_)) => return Err(data.shortage()),
        Err(etherparse::err::ipv4::HeaderSliceError::Content(_)) => return Err(Skipped::Malformed),
    };
    let header_len = header.slice().len();
    // Segments over 64 KiB (BIG TCP) have no length of their own: they go on to the end of the frame.
    let bytes = if header.total_len() == 0 { data.wire } else { u32::from(header.total_len()) };
    if bytes < header_len as u32 {
        return Err(Skipped::Malformed);
    }
    let offset = header.fragments_offset().value();
    let fragment = Fragment::new(u32::from(header.identification()), offset, header.more_fragments());
    let (mut protocol, mut payload) = (header.protocol().0, data.body(header_len, bytes));
    if protocol == AUTHENTICATION && !matches!(fragment, Fragment::Later { .. }) {
        (protocol, payload) = behind_authentication(payload).unwrap_or((protocol, payload));
    }
    let ip = Ip {
        v6: false,
        source: Address::v4(header.source()),
        destination: Address::v4(header.destination()),
        protocol: Protocol(protocol),
        bytes,
        fragment,
    };
    Ok((ip, payload))
}

/// What an authentication header (RFC 4302) stands in front of, if it is there.
fn behind_authentication(data: Bytes<'_>) -> Option<(u8, Bytes<'_>)> {
    let [next, len] = *data.seen.first_chunk::<2>()?;
    Some((next, data.skip((usize::from(len) + 2) * 4)))
}

fn read_ipv6(data: Bytes<'_>) -> Result<(Ip, Bytes<'_>), Skipped> {
    const HEADER_BYTES: usize = 40;
    let header = match Ipv6HeaderSlice::from_slice(data.seen) {
        Ok(header) => header,
        Err(etherparse::err::ipv6::HeaderSliceError::Len(_)) => return Err(data.shortage()),
        Err(etherparse::err::ipv6::HeaderSliceError::Content(_)) => return Err(Skipped::Malformed),
    };
    let next = header.next_header().0;
    let bytes = match header.payload_length() {
        0 if next == NO_NEXT => HEADER_BYTES as u32,
        0 => jumbo_length(data.skip(HEADER_BYTES), next).map_or(data.wire, |len| len.min(data.wire)),
        len => u32::from(len) + HEADER_BYTES as u32,
    };
    let (protocol, fragment, payload) = extensions(next, data.body(HEADER_BYTES, bytes))?;
    let ip = Ip {
        v6: true,
        source: Address::v6(header.source()),
        destination: Address::v6(header.destination()),
        protocol: Protocol(protocol),
        bytes,
        fragment,
    };
    Ok((ip, payload))
}

/// The length that a jumbo payload option gives (RFC 2675), the fixed header included. It has 32 bits, so it is only
/// believed as far as the frame goes.
fn jumbo_length(options: Bytes<'_>, next: u8) -> Option<u32> {
    if next != HOP_BY_HOP {
        return None;
    }
    let [_, _, 0xc2, 4, length @ ..] = *options.head::<8>().ok()? else { return None };
    u32::from_be_bytes(length).checked_add(40)
}

/// Walks the extension headers (RFC 8200, RFC 4302): the protocol behind them, the fragment header if there was one, and
/// what follows. Mobility and HIP headers are protocols here: nothing ever follows them.
fn extensions(mut next: u8, mut data: Bytes<'_>) -> Result<(u8, Fragment, Bytes<'_>), Skipped> {
    let mut fragment = Fragment::Whole;
    for _ in 0..MAX_EXTENSIONS {
        let unit = match next {
            HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | SHIM6 => 8,
            AUTHENTICATION => 4,
            FRAGMENT => {
                let [kind, _, high, low, id @ ..] = *data.head::<8>()?;
                let place = u16::from_be_bytes([high, low]);
                fragment = Fragment::new(u32::from_be_bytes(id), place >> 3, place & 1 == 1);
                (next, data) = (kind, data.skip(8));
                if matches!(fragment, Fragment::Later { .. }) {
                    return Ok((next, fragment, data));
                }
                continue;
            }
            _ => return Ok((next, fragment, data)),
        };
        let [kind, len] = *data.head::<2>()?;
        let len = if unit == 8 { (usize::from(len) + 1) * 8 } else { (usize::from(len) + 2) * 4 };
        (next, data) = (kind, data.skip(len));
    }
    Err(Skipped::Malformed)
}
