//! Questions to the kernel over rtnetlink, one at a time: a message out, all its answers in, or an error in time.

use std::io;
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::datagram::{DATAGRAM_BYTES, split};

/// How long one question may take. The kernel answers within the system call; this only bounds what cannot be.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often a list is asked for again that changed while it was read.
const ATTEMPTS: usize = 4;

/// Why the kernel could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// No socket.
    #[error("cannot open a netlink socket")]
    Open(#[source] io::Error),
    /// There is no interface of this name.
    #[error("no interface is called {0}")]
    NoInterface(String),
    /// The question could not be sent, or was answered with an error.
    #[error("the kernel did not tell {asked}")]
    Refused {
        /// What was asked for.
        asked: &'static str,
        /// What it said.
        source: io::Error,
    },
}

/// A socket to the kernel's routing side, of the network namespace it was opened in.
pub(in crate::taps) struct Netlink {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Opens a socket that has requests checked strictly: without, old kernels pass over what they do not know, and a
    /// question about another namespace is answered for this one.
    pub(in crate::taps) fn open() -> Result<Self, NetlinkError> {
        let open = || {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            socket.set_non_blocking(true)?;
            socket.set_netlink_get_strict_chk(true)?;
            Ok(socket)
        };
        open().map(|socket| Self { socket, sequence: 0 }).map_err(NetlinkError::Open)
    }

    /// Asks for one object.
    pub(super) fn one(&mut self, message: RouteNetlinkMessage) -> io::Result<Option<RouteNetlinkMessage>> {
        Ok(self.ask(message, NLM_F_REQUEST)?.objects.into_iter().next())
    }

    /// Asks for a list. An object that cannot be read is left out.
    pub(super) fn list(
        &mut self,
        message: &RouteNetlinkMessage,
        asked: &'static str,
    ) -> Result<Vec<RouteNetlinkMessage>, NetlinkError> {
        let refused = |source| NetlinkError::Refused { asked, source };
        for _ in 0..ATTEMPTS {
            let answers = self.ask(message.clone(), NLM_F_REQUEST | NLM_F_DUMP).map_err(refused)?;
            if !answers.interrupted {
                return Ok(answers.objects);
            }
        }
        Err(refused(io::Error::other("the list kept changing while it was read")))
    }

    fn ask(&mut self, message: RouteNetlinkMessage, flags: u16) -> io::Result<Answers> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut question = NetlinkMessage::new(header, NetlinkPayload::from(message));
        question.finalize();
        let mut bytes = vec![0; question.buffer_len()];
        question.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        let deadline = Instant::now() + PATIENCE;
        let is_list = flags & NLM_F_DUMP != 0;
        let mut answers = Answers { objects: Vec::new(), interrupted: false, is_list, ended: false };
        let mut datagram = Vec::with_capacity(DATAGRAM_BYTES);
        while !answers.ended {
            self.wait(deadline)?;
            datagram.clear();
            match self.socket.recv(&mut datagram, 0) {
                Ok(_) => answers.read(&datagram, self.sequence)?,
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(answers)
    }

    /// Waits for an answer, no longer than until `deadline`.
    fn wait(&self, deadline: Instant) -> io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        let left = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
        // An interrupted wait only means that the read finds nothing.
        let _ = poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&left));
        Ok(())
    }
}

/// What came back so far.
struct Answers {
    objects: Vec<RouteNetlinkMessage>,
    /// The list changed while the kernel wrote it.
    interrupted: bool,
    is_list: bool,
    ended: bool,
}

impl Answers {
    /// Reads the messages of one datagram that answer question number `sequence`.
    fn read(&mut self, datagram: &[u8], sequence: u32) -> io::Result<()> {
        for message in split(datagram).filter(|message| message.sequence_number() == sequence) {
            self.interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
            self.take(message.into_inner())?;
        }
        Ok(())
    }

    fn take(&mut self, message: &[u8]) -> io::Result<()> {
        self.ended |= !self.is_list;
        let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(message) else { return Ok(()) };
        match message.payload {
            NetlinkPayload::InnerMessage(object) => self.objects.push(object),
            NetlinkPayload::Error(error) => {
                self.ended = true;
                if error.code.is_some() {
                    return Err(error.to_io());
                }
            }
            NetlinkPayload::Done(done) => {
                self.ended = true;
                if done.code < 0 {
                    return Err(io::Error::from_raw_os_error(-done.code));
                }
            }
            NetlinkPayload::Overrun(_) => return Err(io::Error::other("answers were lost")),
            _ => {}
        }
        Ok(())
    }
}
