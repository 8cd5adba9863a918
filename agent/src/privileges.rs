//! What the agent may do to its node: the first thing that its program does is to give up everything but two capabilities.
//!
//! It starts as root, or as anyone else with ambient capabilities. Afterwards the process, its threads and whatever it may
//! ever execute have `NET_RAW` (capture) and `NET_ADMIN` (which veth is whose, connection tracking, the packet filter's
//! log), as far as they were there, and no other. Root without capabilities is still the owner of root's files, and no more.

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

/// What an agent needs to watch its node.
pub(crate) const NEEDED: CapabilitySet = CapabilitySet::NET_RAW.union(CapabilitySet::NET_ADMIN);

/// Gives up what is not needed, for good. Must be called before the first thread is started: threads inherit it.
pub fn give_up() -> io::Result<()> {
    let held = capabilities(None)?.permitted;
    if held.contains(CapabilitySet::SETPCAP) {
        bound()?;
    }
    match clear_ambient_capability_set() {
        // Before Linux 4.3 there is no such set.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(error.into()),
    }
    let kept = held & NEEDED;
    set_capabilities(None, CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() })?;
    set_no_new_privs(true)?;
    Ok(())
}

/// Takes everything else out of what may ever be had again. Numbers that this kernel does not know are not there.
fn bound() -> io::Result<()> {
    for capability in CapabilitySet::all().iter().filter(|capability| !NEEDED.contains(*capability)) {
        if capability_is_in_bounding_set(capability).unwrap_or(false) {
            remove_capability_from_bounding_set(capability)?;
        }
    }
    Ok(())
}
