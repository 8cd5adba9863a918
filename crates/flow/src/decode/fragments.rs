//! Which ports the first fragment of a datagram had, so that the later ones can join its flow.
//!
//! Keyed by addresses, protocol and identification; 256 places, the newest datagram wins a place; good for 30 seconds
//! of packet time (RFC 791 and 8200 give a datagram no more than that or 60). Later fragments that come before
//! their first one, or after another datagram took the place, go to the flow of these hosts with ports 0.

use weir_model::{Protocol, Timestamp};

use crate::packet::Address;

const PLACES: usize = 256;
const LIFETIME_NS: i64 = 30_000_000_000;

/// What the fragments of one datagram have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Datagram {
    pub(super) source: Address,
    pub(super) destination: Address,
    pub(super) protocol: Protocol,
    pub(super) id: u32,
}

#[derive(Clone, Copy)]
struct Known {
    datagram: Datagram,
    ports: (u16, u16),
    time: Timestamp,
}

/// The cache. Takes no memory before the first fragment.
#[derive(Default)]
pub(super) struct Fragments {
    places: Vec<Option<Known>>,
}

impl Fragments {
    /// Remembers the ports of a first fragment.
    pub(super) fn remember(&mut self, datagram: Datagram, ports: (u16, u16), time: Timestamp) {
        if self.places.is_empty() {
            self.places = vec![None; PLACES];
        }
        if let Some(place) = self.places.get_mut(place(&datagram)) {
            *place = Some(Known { datagram, ports, time });
        }
    }

    /// The ports of a later fragment's datagram, source first.
    pub(super) fn ports(&self, datagram: &Datagram, time: Timestamp) -> Option<(u16, u16)> {
        let known = self.places.get(place(datagram))?.as_ref()?;
        let fresh = time.since(known.time).saturating_abs() <= LIFETIME_NS;
        (known.datagram == *datagram && fresh).then_some(known.ports)
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.places.capacity() * size_of::<Option<Known>>()
    }
}

fn place(datagram: &Datagram) -> usize {
    (datagram.id.wrapping_mul(0x9e37_79b1) >> 24) as usize
}
