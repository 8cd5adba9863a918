//! One ring: a libpcap handle, the frames in it and what the kernel counts of it.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use pcap::{Active, Capture, Linktype, Packet, Precision};
use weir_model::{Frame, LinkType, Timestamp};

use super::{LiveOptions, LiveStats};

/// `DLT_RAW` as Linux names it inside the kernel's tools; files say 101.
const DLT_RAW: u16 = 12;
/// Frames on Ethernet: untagged, tagged once (or the outer tag of two), tagged twice.
const ETHERNET_FILTER: &str =
    "ip or ip6 or arp or (vlan and (ip or ip6 or arp)) or (vlan and vlan and (ip or ip6 or arp))";
/// Frames of interfaces without a link layer of their own.
const IP_FILTER: &str = "ip or ip6";

/// What a frame takes in the ring besides its own bytes.
const FRAME_HEAD: usize = 96;

/// The most frames that libpcap gives at once.
pub(super) const ALL: usize = i32::MAX as usize;

/// Which step failed.
pub(super) enum RingError {
    Open(pcap::Error),
    Filter(pcap::Error),
}

pub(super) struct Ring {
    capture: Capture<Active>,
    link: LinkType,
    bytes: usize,
    /// Totals so far, and libpcap's own 32-bit counters when they were last read.
    stats: LiveStats,
    last: [u32; 3],
}

impl Ring {
    pub(super) fn open(interface: &str, options: &LiveOptions, bytes: usize) -> Result<Self, RingError> {
        let capture = Capture::from_device(interface)
            .map_err(RingError::Open)?
            .promisc(false)
            .immediate_mode(false)
            .precision(Precision::Nano)
            .snaplen(i32::try_from(options.snap_len).unwrap_or(i32::MAX))
            .buffer_size(i32::try_from(bytes).unwrap_or(i32::MAX))
            .timeout(i32::from(options.batch_timeout_ms))
            .open()
            .map_err(RingError::Open)?;
        let mut capture = capture.setnonblock().map_err(RingError::Open)?;
        let link = link_type(capture.get_datalink());
        let program = if link == LinkType::ETHERNET { ETHERNET_FILTER } else { IP_FILTER };
        capture.filter(program, true).map_err(RingError::Filter)?;
        Ok(Self { capture, link, bytes, stats: LiveStats::default(), last: [0; 3] })
    }

    pub(super) const fn link(&self) -> LinkType {
        self.link
    }

    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Gives `each` the frames that are there, at most `max` of them. Returns how many, and how much of the ring they took.
    pub(super) fn read(&mut self, max: usize, mut each: impl FnMut(&Frame<'_>)) -> Result<(usize, usize), pcap::Error> {
        let link = self.link;
        let (mut count, mut taken) = (0, 0);
        // One call empties at most one block of the ring: go on until there is nothing or enough.
        while count < max {
            let more = self.capture.dispatch(Some(max - count), |packet: Packet<'_>| {
                taken += packet.data.len() + FRAME_HEAD;
                each(&frame(&packet, link));
            })?;
            if more == 0 {
                break;
            }
            count += more;
        }
        Ok((count, taken))
    }

    /// The kernel's counters since it was opened.
    pub(super) fn stats(&mut self) -> Result<LiveStats, pcap::Error> {
        let now = self.capture.stats()?;
        let now = [now.received, now.dropped, now.if_dropped];
        let [received, dropped, if_dropped] = [0, 1, 2].map(|i: usize| now[i].wrapping_sub(self.last[i]));
        self.last = now;
        self.stats.received += u64::from(received);
        self.stats.kernel_dropped += u64::from(dropped);
        // The interface's own counters end with it, and are then read as nothing.
        self.stats.interface_dropped += if if_dropped <= u32::MAX / 2 { u64::from(if_dropped) } else { 0 };
        Ok(self.stats)
    }

    /// Forgets what is in it and what was counted. Returns how many frames that were.
    pub(super) fn clear(&mut self) -> Result<usize, pcap::Error> {
        let (count, _) = self.read(ALL, |_| ())?;
        self.stats()?;
        self.stats = LiveStats::default();
        Ok(count)
    }
}

impl AsFd for Ring {
    #[expect(
        unsafe_code,
        reason = "libpcap hands out the number of its descriptor, which lives as long as the capture"
    )]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: `self.capture` owns the descriptor and is borrowed for as long as the result.
        unsafe { BorrowedFd::borrow_raw(self.capture.as_raw_fd()) }
    }
}

/// The packet's header holds nanoseconds where it says microseconds: that precision was asked for.
fn frame<'a>(packet: &Packet<'a>, link: LinkType) -> Frame<'a> {
    let ts = packet.header.ts;
    Frame {
        time: Timestamp::from_parts(ts.tv_sec, ts.tv_usec),
        wire_len: packet.header.len.max(packet.header.caplen),
        link,
        bytes: packet.data,
    }
}

fn link_type(link: Linktype) -> LinkType {
    match link.0 as u16 {
        DLT_RAW => LinkType::RAW,
        other => LinkType(other),
    }
}
