//! A socket to netfilter: requests out, answers and news in.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::datagram::{DATAGRAM_BYTES, split};

/// How long an answer may take. The kernel begins to answer within the system call; this only bounds what cannot be.
const PATIENCE: Timespec = Timespec { tv_sec: 2, tv_nsec: 0 };

/// Kinds of messages of netlink itself.
const ERROR: u16 = 2;
const DONE: u16 = 3;
const OVERRUN: u16 = 4;

/// A message without netlink's header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    /// The subsystem, then the kind within it.
    pub(super) kind: u16,
    /// Netlink's flags.
    pub(super) flags: u16,
    /// Netfilter's header of four bytes, then attributes.
    pub(super) body: &'a [u8],
}

impl<'a> Message<'a> {
    /// The attributes.
    pub(super) fn attributes(self) -> &'a [u8] {
        self.body.get(4..).unwrap_or_default()
    }
}

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) kind: u16,
    /// The version of IP; 0 = all.
    pub(super) family: u8,
    /// What it is about: a group of the log.
    pub(super) resource: u16,
    pub(super) attributes: Vec<u8>,
}

/// What a read came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// Some messages.
    Some,
    /// There are none now.
    Nothing,
    /// The kernel had no room for some.
    Lost,
}

/// A socket to netfilter, of the network namespace that it was opened in.
pub(super) struct Netfilter {
    socket: Socket,
    sequence: u32,
    datagram: Vec<u8>,
}

impl Netfilter {
    /// Opens it with so much room in the kernel for what is not read yet.
    pub(super) fn open(room_bytes: usize) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        socket.set_non_blocking(true)?;
        // More than the system's limit needs NET_ADMIN of the whole machine; less room only loses sooner.
        if make_room(&socket, room_bytes).is_err() {
            socket.set_rx_buf_sz(i32::try_from(room_bytes).unwrap_or(i32::MAX))?;
        }
        Ok(Self { socket, sequence: 0, datagram: Vec::with_capacity(DATAGRAM_BYTES) })
    }

    /// Hears of a group of netlink from now on.
    pub(super) fn join(&self, group: u32) -> io::Result<()> {
        self.socket.add_membership(group)
    }

    /// Asks for a list; each of its messages goes to `each`. Nothing else may be told on this socket.
    pub(super) fn list(&mut self, request: &Request, each: impl FnMut(Message<'_>)) -> io::Result<()> {
        self.send(request, NLM_F_REQUEST | NLM_F_DUMP)?;
        self.answers(each)
    }

    /// Asks for something to be done, and waits for the word that it is. What is told meanwhile is dropped.
    pub(super) fn order(&mut self, request: &Request) -> io::Result<()> {
        self.send(request, NLM_F_REQUEST | NLM_F_ACK)?;
        self.answers(|_| {})
    }

    /// Gives what one datagram tells to `each`. Never waits.
    pub(super) fn read(&mut self, mut each: impl FnMut(Message<'_>)) -> io::Result<Read> {
        self.datagram.clear();
        match self.socket.recv(&mut self.datagram, 0) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Read::Nothing),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Read::Some),
            Err(error) if Errno::from_io_error(&error) == Some(Errno::NOBUFS) => return Ok(Read::Lost),
            Err(error) => return Err(error),
        }
        for message in split(&self.datagram).filter_map(|message| Said::of(message.into_inner())) {
            match message {
                Said::Message(message) => each(message),
                Said::Overrun => return Ok(Read::Lost),
                Said::Done(..) => {}
            }
        }
        Ok(Read::Some)
    }

    fn send(&mut self, request: &Request, flags: u16) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = Vec::with_capacity(20 + request.attributes.len());
        bytes.extend_from_slice(&(20 + request.attributes.len() as u32).to_ne_bytes());
        bytes.extend_from_slice(&request.kind.to_ne_bytes());
        bytes.extend_from_slice(&flags.to_ne_bytes());
        bytes.extend_from_slice(&self.sequence.to_ne_bytes());
        bytes.extend_from_slice(&[0; 4]);
        // struct nfgenmsg: family, version 0, resource.
        bytes.extend_from_slice(&[request.family, 0]);
        bytes.extend_from_slice(&request.resource.to_be_bytes());
        bytes.extend_from_slice(&request.attributes);
        self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0).map(drop)
    }

    /// Reads up to the end of the answer to what was asked last.
    fn answers(&mut self, mut each: impl FnMut(Message<'_>)) -> io::Result<()> {
        loop {
            self.datagram.clear();
            match self.socket.recv(&mut self.datagram, 0) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.wait()?;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            for message in split(&self.datagram).filter_map(|message| Said::of(message.into_inner())) {
                match message {
                    Said::Message(message) => each(message),
                    Said::Done(code, sequence) if sequence == self.sequence => {
                        return if code == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(-code)) };
                    }
                    Said::Done(..) => {}
                    Said::Overrun => return Err(io::Error::other("answers were lost")),
                }
            }
        }
    }

    fn wait(&self) -> io::Result<()> {
        match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&PATIENCE)) {
            Ok(0) => Err(io::ErrorKind::TimedOut.into()),
            // An interrupted wait only means that the next read finds nothing.
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

impl AsFd for Netfilter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// One message of a datagram.
enum Said<'a> {
    Message(Message<'a>),
    /// The end of an answer: 0, or what went wrong; and the number of the request.
    Done(i32, u32),
    Overrun,
}

impl<'a> Said<'a> {
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let (head, body) = bytes.split_at_checked(16)?;
        let [_, _, _, _, kind_0, kind_1, flags_0, flags_1, s_0, s_1, s_2, s_3, ..] = *head else { return None };
        let kind = u16::from_ne_bytes([kind_0, kind_1]);
        let sequence = u32::from_ne_bytes([s_0, s_1, s_2, s_3]);
        match kind {
            ERROR | DONE => {
                let code = body.get(..4).and_then(|code| code.try_into().ok()).map_or(0, i32::from_ne_bytes);
                Some(Self::Done(code, sequence))
            }
            OVERRUN => Some(Self::Overrun),
            _ => {
                let flags = u16::from_ne_bytes([flags_0, flags_1]);
                Some(Self::Message(Message { kind, flags, body }))
            }
        }
    }
}

/// Sets the room for what is not read yet, beyond the system's limit.
#[expect(unsafe_code, reason = "no crate that is used here sets this option")]
fn make_room(socket: &Socket, bytes: usize) -> io::Result<()> {
    let bytes = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    let size = size_of::<libc::c_int>() as libc::socklen_t;
    let (level, option) = (libc::SOL_SOCKET, libc::SO_RCVBUFFORCE);
    // SAFETY: the descriptor is open for as long as `socket` is, and the kernel reads `size` bytes of `bytes`.
    let set = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const bytes).cast(), size) };
    if set == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
