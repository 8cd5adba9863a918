//! A live tap: one interface in, frames out, over libpcap's memory-mapped ring.
//!
//! The handle never blocks: poll its descriptor ([`LiveTap`] is [`AsFd`]), then [`LiveTap::read`]. The kernel fills a block of the ring and hands
//! it over whole (`immediate_mode`, one wake-up a packet, costs four times the CPU). A kernel filter drops what is not
//! IP or ARP and cuts frames at the snap length, so that 64 KiB offload frames are never copied in full.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::sync::Arc;

use pcap::{Active, Capture, Linktype, Packet, Precision};
use weir_model::{Frame, LinkType, Timestamp};

/// `DLT_RAW` as Linux names it inside the kernel's tools; files say 101.
const DLT_RAW: u16 = 12;
/// Frames on Ethernet: untagged, tagged once (or the outer tag of two), tagged twice.
const ETHERNET_FILTER: &str =
    "ip or ip6 or arp or (vlan and (ip or ip6 or arp)) or (vlan and vlan and (ip or ip6 or arp))";
/// Frames of interfaces without a link layer of their own.
const IP_FILTER: &str = "ip or ip6";

/// How a tap is opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveOptions {
    /// Bytes kept of each frame.
    pub snap_len: u32,
    /// Bytes of the kernel's ring; capped at 2 GiB.
    pub ring_bytes: usize,
    /// Milliseconds after which the kernel hands over a block that is not full.
    pub batch_timeout_ms: u16,
    /// Most frames that one [`LiveTap::read`] delivers.
    pub max_read: usize,
}

impl Default for LiveOptions {
    fn default() -> Self {
        Self { snap_len: 256, ring_bytes: 64 << 20, batch_timeout_ms: 100, max_read: 4_096 }
    }
}

/// What the kernel says about a tap since it was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LiveStats {
    /// Frames that passed the filter.
    pub received: u64,
    /// Frames dropped because the ring was full.
    pub kernel_dropped: u64,
    /// Frames dropped by the interface or its driver.
    pub interface_dropped: u64,
}

/// A tap that could not be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The interface could not be opened: it does not exist, or `CAP_NET_RAW` is missing.
    #[error("cannot open a tap on {interface}")]
    Open {
        /// The interface.
        interface: Arc<str>,
        /// What libpcap says.
        source: pcap::Error,
    },
    /// The kernel refused the filter.
    #[error("cannot set the filter of the tap on {interface}")]
    Filter {
        /// The interface.
        interface: Arc<str>,
        /// What libpcap says.
        source: pcap::Error,
    },
    /// Reading failed: usually the interface is gone.
    #[error("cannot read the tap on {interface}")]
    Read {
        /// The interface.
        interface: Arc<str>,
        /// What libpcap says.
        source: pcap::Error,
    },
    /// The kernel did not give its counters.
    #[error("cannot read the counters of the tap on {interface}")]
    Stats {
        /// The interface.
        interface: Arc<str>,
        /// What libpcap says.
        source: pcap::Error,
    },
}

/// An open tap on one interface.
pub struct LiveTap {
    interface: Arc<str>,
    capture: Capture<Active>,
    link: LinkType,
    max_read: usize,
    /// Totals so far, and libpcap's own 32-bit counters when they were last read.
    stats: LiveStats,
    last: [u32; 3],
}

impl LiveTap {
    /// Opens a tap on `interface` of this network namespace. Needs `CAP_NET_RAW`.
    pub fn open(interface: &str, options: &LiveOptions) -> Result<Self, LiveError> {
        let name: Arc<str> = Arc::from(interface);
        let open = |source| LiveError::Open { interface: Arc::clone(&name), source };
        let capture = Capture::from_device(interface)
            .map_err(open)?
            .promisc(false)
            .immediate_mode(false)
            .precision(Precision::Nano)
            .snaplen(i32::try_from(options.snap_len).unwrap_or(i32::MAX))
            .buffer_size(i32::try_from(options.ring_bytes).unwrap_or(i32::MAX))
            .timeout(i32::from(options.batch_timeout_ms))
            .open()
            .map_err(open)?;
        let mut capture = capture.setnonblock().map_err(open)?;
        let link = link_type(capture.get_datalink());
        let program = if link == LinkType::ETHERNET { ETHERNET_FILTER } else { IP_FILTER };
        let filter = |source| LiveError::Filter { interface: Arc::clone(&name), source };
        capture.filter(program, true).map_err(filter)?;
        let max_read = options.max_read.clamp(1, i32::MAX as usize);
        Ok(Self { interface: name, capture, link, max_read, stats: LiveStats::default(), last: [0; 3] })
    }

    /// The interface's name.
    pub const fn interface(&self) -> &Arc<str> {
        &self.interface
    }

    /// What every frame of this tap begins with.
    pub const fn link(&self) -> LinkType {
        self.link
    }

    /// Gives `each` the frames that are there now, at most [`LiveOptions::max_read`] of them, and returns how many.
    /// Never waits. 0 = nothing is there.
    pub fn read(&mut self, mut each: impl FnMut(&Frame<'_>)) -> Result<usize, LiveError> {
        let link = self.link;
        let mut count = 0;
        // One call empties at most one block of the ring: go on until there is nothing or enough.
        while count < self.max_read {
            let more = self
                .capture
                .dispatch(Some(self.max_read - count), |packet: Packet<'_>| each(&frame(&packet, link)))
                .map_err(|source| LiveError::Read { interface: Arc::clone(&self.interface), source })?;
            if more == 0 {
                break;
            }
            count += more;
        }
        Ok(count)
    }

    /// The kernel's counters since the tap was opened. Read them at least every few hundred seconds: libpcap's own have
    /// 32 bits and start again.
    pub fn stats(&mut self) -> Result<LiveStats, LiveError> {
        let now = self
            .capture
            .stats()
            .map_err(|source| LiveError::Stats { interface: Arc::clone(&self.interface), source })?;
        let now = [now.received, now.dropped, now.if_dropped];
        let [received, dropped, if_dropped] = [0, 1, 2].map(|i: usize| now[i].wrapping_sub(self.last[i]));
        self.last = now;
        self.stats.received += u64::from(received);
        self.stats.kernel_dropped += u64::from(dropped);
        // The interface's own counters end with it, and are then read as nothing.
        self.stats.interface_dropped += if if_dropped <= u32::MAX / 2 { u64::from(if_dropped) } else { 0 };
        Ok(self.stats)
    }
}

/// To be polled for reading.
impl AsFd for LiveTap {
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
