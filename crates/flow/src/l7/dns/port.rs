//! What ports say about DNS: how much must be seen before it is believed, and which relative it is.

use weir_model::DnsKind;

const DNS: u16 = 53;
const MDNS: u16 = 5353;
const LLMNR: u16 = 5355;
/// Names of NETBIOS have the form of DNS messages, and are something else (RFC 1002, 4.2).
const NETBIOS_NAMES: u16 = 137;

/// How readily a flow is taken for DNS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// One of its ports is a port of DNS: a header is enough.
    Known,
    /// A whole, flawless message is needed.
    Unknown,
    /// Never: another protocol that looks like it lives there.
    Taken,
}

/// How readily a flow between these ports is taken for DNS.
pub(super) fn trust(ports: (u16, u16)) -> Trust {
    let is = |port| ports.0 == port || ports.1 == port;
    match () {
        () if is(DNS) || is(MDNS) || is(LLMNR) => Trust::Known,
        () if is(NETBIOS_NAMES) => Trust::Taken,
        () => Trust::Unknown,
    }
}

/// The relative of DNS between these ports.
pub(super) fn kind(ports: (u16, u16)) -> DnsKind {
    let is = |port| ports.0 == port || ports.1 == port;
    match () {
        () if is(DNS) => DnsKind::Dns,
        () if is(MDNS) => DnsKind::Mdns,
        () if is(LLMNR) => DnsKind::Llmnr,
        () => DnsKind::default(),
    }
}
