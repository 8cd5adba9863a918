//! A live tap: one interface in, frames out, over libpcap's memory-mapped ring.
//!
//! The handle never blocks: poll its descriptor ([`LiveTap`] is [`AsFd`]), then [`LiveTap::read`]. The kernel fills a block of the ring and hands
//! it over whole (`immediate_mode`, one wake-up a packet, costs four times the CPU). A kernel filter drops what is not
//! IP or ARP and cuts frames at the snap length, so that 64 KiB offload frames are never copied in full.

mod fanout;
mod ring;

use std::io;
use std::mem;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use weir_model::{Frame, LinkType};

use fanout::Fanout;
use ring::{ALL, Ring, RingError};

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
    /// The kernel does not let another ring take over.
    #[error("cannot exchange the ring of the tap on {interface}")]
    Exchange {
        /// The interface.
        interface: Arc<str>,
        /// What the kernel says.
        source: io::Error,
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
    options: LiveOptions,
    ring: Ring,
    /// `None` where the kernel has no such groups: then the ring stays as it is.
    group: Option<Fanout>,
    exchange: Exchange,
    /// What was counted of rings that are closed.
    closed: LiveStats,
    /// How much of the ring was full at the last reading.
    filled: usize,
}

/// How far the exchange of a ring for another one has come.
enum Exchange {
    None,
    /// The other ring is open and in the group; until it was, it took frames that the ring took too.
    Opened(Box<Ring>),
    /// The other ring is the tap's now; this one has its last frames.
    Emptying(Box<Ring>),
}

/// What an exchange of rings needs next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExchangeStep {
    /// The tap has another descriptor to be polled. Go on after [`LiveTap::exchange_pause`].
    Polled,
    /// There is nothing more to do.
    Done,
}

impl LiveTap {
    /// Opens a tap on `interface` of this network namespace. Needs `CAP_NET_RAW`.
    pub fn open(interface: &str, options: &LiveOptions) -> Result<Self, LiveError> {
        let name: Arc<str> = Arc::from(interface);
        let ring = open(&name, options, options.ring_bytes)?;
        let group = Fanout::new(ring.as_fd()).ok();
        let (options, exchange) = (options.clone(), Exchange::None);
        Ok(Self { interface: name, options, ring, group, exchange, closed: LiveStats::default(), filled: 0 })
    }

    /// The interface's name.
    pub const fn interface(&self) -> &Arc<str> {
        &self.interface
    }

    /// What every frame of this tap begins with.
    pub const fn link(&self) -> LinkType {
        self.ring.link()
    }

    /// Bytes of the kernel's ring.
    pub const fn ring_bytes(&self) -> usize {
        self.ring.bytes()
    }

    /// Bytes of the ring that the last [`LiveTap::read`] found full, roughly.
    pub const fn filled_bytes(&self) -> usize {
        self.filled
    }

    /// Gives `each` the frames that are there now, at most [`LiveOptions::max_read`] of them, and returns how many.
    /// Never waits. 0 = nothing is there.
    pub fn read(&mut self, mut each: impl FnMut(&Frame<'_>)) -> Result<usize, LiveError> {
        let max = self.options.max_read.clamp(1, ALL);
        let failed = |source| LiveError::Read { interface: Arc::clone(&self.interface), source };
        let mut count = 0;
        if let Exchange::Emptying(former) = &mut self.exchange {
            (count, _) = former.read(max, &mut each).map_err(failed)?;
        }
        if count < max {
            let (more, filled) = self.ring.read(max - count, each).map_err(failed)?;
            (count, self.filled) = (count + more, filled);
        }
        Ok(count)
    }

    /// The kernel's counters since the tap was opened. Read them at least every few hundred seconds: libpcap's own have
    /// 32 bits and start again.
    pub fn stats(&mut self) -> Result<LiveStats, LiveError> {
        let failed = |source| LiveError::Stats { interface: Arc::clone(&self.interface), source };
        let mut stats = self.closed + self.ring.stats().map_err(failed)?;
        if let Exchange::Emptying(former) = &mut self.exchange {
            stats = stats + former.stats().map_err(failed)?;
        }
        Ok(stats)
    }

    /// Begins to exchange the ring for one of another size; no frame is missed or seen twice by it. Those in the last block of
    /// the former ring come late, by up to the pause: waiting for them would fill the other one. Call
    /// [`LiveTap::go_on`] after [`LiveTap::exchange_pause`], and so on until it is done. While an exchange is under way nothing
    /// is begun.
    pub fn exchange_ring(&mut self, bytes: usize) -> Result<(), LiveError> {
        if !matches!(self.exchange, Exchange::None) {
            return Ok(());
        }
        let failed = |source| LiveError::Exchange { interface: Arc::clone(&self.interface), source };
        let group = self.group.ok_or_else(|| failed(io::ErrorKind::Unsupported.into()))?;
        Fanout::choose(self.ring.as_fd(), 0).map_err(failed)?;
        let other = open(&self.interface, &self.options, bytes)?;
        group.join(other.as_fd()).map_err(failed)?;
        self.exchange = Exchange::Opened(Box::new(other));
        Ok(())
    }

    /// How long the kernel may keep a block that is not full, and some more.
    pub fn exchange_pause(&self) -> Duration {
        Duration::from_millis(u64::from(self.options.batch_timeout_ms) + 20)
    }

    /// Goes on with an exchange.
    pub fn go_on(&mut self, each: impl FnMut(&Frame<'_>)) -> Result<ExchangeStep, LiveError> {
        match mem::replace(&mut self.exchange, Exchange::None) {
            Exchange::None => Ok(ExchangeStep::Done),
            Exchange::Opened(mut other) => {
                let unread = |source| LiveError::Read { interface: Arc::clone(&self.interface), source };
                other.clear().map_err(unread)?;
                let failed = |source| LiveError::Exchange { interface: Arc::clone(&self.interface), source };
                Fanout::choose(self.ring.as_fd(), 1).map_err(failed)?;
                self.exchange = Exchange::Emptying(Box::new(mem::replace(&mut self.ring, *other)));
                Ok(ExchangeStep::Polled)
            }
            Exchange::Emptying(mut former) => {
                let unread = |source| LiveError::Read { interface: Arc::clone(&self.interface), source };
                let failed = |source| LiveError::Stats { interface: Arc::clone(&self.interface), source };
                former.read(ALL, each).map_err(unread)?;
                self.closed = self.closed + former.stats().map_err(failed)?;
                Ok(ExchangeStep::Done)
            }
        }
    }
}

fn open(interface: &Arc<str>, options: &LiveOptions, bytes: usize) -> Result<Ring, LiveError> {
    Ring::open(interface, options, bytes).map_err(|error| {
        let interface = Arc::clone(interface);
        match error {
            RingError::Open(source) => LiveError::Open { interface, source },
            RingError::Filter(source) => LiveError::Filter { interface, source },
        }
    })
}

impl std::ops::Add for LiveStats {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            received: self.received + other.received,
            kernel_dropped: self.kernel_dropped + other.kernel_dropped,
            interface_dropped: self.interface_dropped + other.interface_dropped,
        }
    }
}

/// To be polled for reading.
impl AsFd for LiveTap {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}
