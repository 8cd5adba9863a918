//! Datagrams of netlink: what the kernel sends at once in, its messages out.

use netlink_packet_core::NetlinkBuffer;

/// Room for one datagram of answers: the kernel sends at most 32 KiB at once.
pub(crate) const DATAGRAM_BYTES: usize = 64 << 10;

/// The messages of one datagram, each with its header.
pub(crate) fn split(mut datagram: &[u8]) -> impl Iterator<Item = NetlinkBuffer<&[u8]>> {
    std::iter::from_fn(move || {
        let length = NetlinkBuffer::new_checked(datagram).ok()?.length() as usize;
        let (message, rest) = datagram.split_at_checked(length)?;
        // Each message begins at a multiple of four bytes.
        datagram = rest.get(length.next_multiple_of(4) - length..).unwrap_or_default();
        Some(NetlinkBuffer::new(message))
    })
}
