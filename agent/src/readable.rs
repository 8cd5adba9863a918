//! Descriptors that the runtime waits for.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Waits for something to read. The descriptor is a copy of its own, which is as ready as the first one.
#[expect(unsafe_code, reason = "the runtime needs a descriptor that stays the same for as long as it is known to it")]
pub(crate) fn readable(descriptor: &impl AsFd) -> io::Result<AsyncFd<OwnedFd>> {
    let descriptor = descriptor.as_fd().try_clone_to_owned()?;
    // SAFETY: an `OwnedFd` is one descriptor until it is dropped, and `AsyncFd` owns it.
    unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }.map_err(io::Error::from)
}
