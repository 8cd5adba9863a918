//! Rings of one interface that share its frames (`PACKET_FANOUT`): each frame goes to exactly one of them, and a program
//! says to which. It is exchanged between two frames, so that one ring takes over from another without a frame missed or
//! seen twice.

#![expect(unsafe_code, reason = "no crate in use here sets these options of a socket")]

use std::ffi::{c_int, c_uint};
use std::io;
use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

use libc::{BPF_K, BPF_RET, PACKET_FANOUT, PACKET_FANOUT_CBPF, PACKET_FANOUT_DATA, SOL_PACKET};

/// The kernel chooses a number that no other group of the namespace has.
const UNIQUE_ID: c_uint = libc::PACKET_FANOUT_FLAG_UNIQUEID;

/// A group of rings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fanout {
    id: u16,
}

impl Fanout {
    /// A new group with one ring. Frames that come while it is made may be missed: make it before they count.
    pub(super) fn new(ring: BorrowedFd<'_>) -> io::Result<Self> {
        set(ring, PACKET_FANOUT, &((PACKET_FANOUT_CBPF | UNIQUE_ID) << 16))?;
        Ok(Self { id: id(ring)? })
    }

    /// Another ring of the interface joins, behind those that are there. What it took before that they had too.
    pub(super) fn join(self, ring: BorrowedFd<'_>) -> io::Result<()> {
        set(ring, PACKET_FANOUT, &(PACKET_FANOUT_CBPF << 16 | c_uint::from(self.id)))
    }

    /// From the next frame on all go to the ring at this place, counted from 0, where the last one has left a place of
    /// its own free again. `ring` is any of the group.
    pub(super) fn choose(ring: BorrowedFd<'_>, place: u32) -> io::Result<()> {
        let mut program = libc::sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: place };
        let program = libc::sock_fprog { len: 1, filter: ptr::from_mut(&mut program) };
        set(ring, PACKET_FANOUT_DATA, &program)
    }
}

fn set<T>(ring: BorrowedFd<'_>, name: c_int, value: &T) -> io::Result<()> {
    let length = mem::size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `length` bytes of a value that is there, and the program behind it that the caller keeps.
    let done = unsafe { libc::setsockopt(ring.as_raw_fd(), SOL_PACKET, name, ptr::from_ref(value).cast(), length) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn id(ring: BorrowedFd<'_>) -> io::Result<u16> {
    let mut value: c_int = 0;
    let mut length = mem::size_of::<c_int>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to a value that has as many.
    let done = unsafe {
        let value = ptr::from_mut(&mut value).cast();
        libc::getsockopt(ring.as_raw_fd(), SOL_PACKET, PACKET_FANOUT, value, &raw mut length)
    };
    if done == 0 { Ok((value & 0xffff) as u16) } else { Err(io::Error::last_os_error()) }
}
