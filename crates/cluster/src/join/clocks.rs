//! How far apart the clocks of two nodes are, as the packets say that both of them saw.
//!
//! The SYN of a connection whose legs are surely one (both initial sequence numbers agree) is at the opener's tap before it
//! is at the other pod's. What the second clock says more than the first is how far apart they are, and how long the packet
//! took: the least of many is nearest to the truth, and packets of the other direction bound it from the other side.

use std::collections::HashMap;
use std::sync::Arc;

use weir_model::{InitiatorBy, Leg, Protocol, Timestamp};

use super::connection::{Connection, LegSeen};

/// What was measured between two nodes.
#[derive(Clone, Copy, Debug)]
struct Measured {
    /// The least that the second node's clock was ahead, plus the packet's way.
    ahead_ns: i64,
    /// By the first node's clock.
    at: Timestamp,
}

/// Measured offsets.
///
/// Key: two nodes, in the order in which packets passed them. Cap: [`MAX_PAIRS`], then a pair that is new is not noted. A
/// measurement that is older than [`KEEP_NS`] is replaced by the next one, whatever it says: clocks are set.
#[derive(Debug, Default)]
pub(super) struct Clocks {
    measured: HashMap<Arc<str>, HashMap<Arc<str>, Measured>>,
    pairs: usize,
}

const MAX_PAIRS: usize = 100_000;
const KEEP_NS: i64 = 600_000_000_000;

impl Clocks {
    /// A leg of a connection is new: its SYN, and that of the other legs, was one packet.
    pub(super) fn learn(&mut self, leg: &LegSeen, connection: &Connection) {
        let Some(place) = place(leg) else { return };
        for other in &connection.legs {
            if other.isn != leg.isn {
                continue;
            }
            let (first, then) = match self::place(other) {
                Some(first) if first < place => (other, leg),
                Some(then) if then > place => (leg, other),
                _ => continue,
            };
            if let (Some(from), Some(to)) = (&first.key.node, &then.key.node) {
                self.passed((from, first.start_ts), (to, then.start_ts));
            }
        }
    }

    /// A packet was seen at one node, then at another, each time by its clock.
    fn passed(&mut self, (from, sent): (&Arc<str>, Timestamp), (to, came): (&Arc<str>, Timestamp)) {
        if from == to {
            return;
        }
        let now = Measured { ahead_ns: came.since(sent), at: sent };
        let known = self.measured.get_mut(from).and_then(|others| others.get_mut(to));
        if let Some(known) = known {
            if now.ahead_ns <= known.ahead_ns || now.at.since(known.at).abs() > KEEP_NS {
                *known = now;
            }
        } else if self.pairs < MAX_PAIRS {
            self.pairs += 1;
            self.measured.entry(Arc::clone(from)).or_default().insert(Arc::clone(to), now);
        }
    }

    /// What the clock of node `to` said when that of `of` said `time`. Where no packet told how far apart they are, they are
    /// taken to agree.
    pub(super) fn told(&self, time: Timestamp, of: Option<&Arc<str>>, to: &Arc<str>) -> Timestamp {
        let Some(of) = of.filter(|of| *of != to) else { return time };
        let ahead = |from: &str, to: &str| Some(self.measured.get(from)?.get(to)?.ahead_ns);
        let ahead_ns = match (ahead(of, to), ahead(to, of)) {
            (Some(there), Some(back)) => there / 2 - back / 2,
            (Some(there), None) => there,
            (None, Some(back)) => -back,
            (None, None) => 0,
        };
        time.plus_ns(ahead_ns)
    }
}

/// Where on the way a leg is, if it shows when the SYN was there and that it is surely this connection's.
fn place(leg: &LegSeen) -> Option<u8> {
    let is_sure = leg.isn.fwd.is_some() && leg.isn.rev.is_some() && leg.initiator_by == InitiatorBy::Syn;
    let place = match leg.leg? {
        Leg::Client => 0,
        Leg::Transit => 1,
        Leg::Server => 2,
    };
    (is_sure && leg.key.tuple.protocol == Protocol::TCP).then_some(place)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    /// What `b` says when `a` says 1,000 s, after packets from `a` to `b` (true) or back were seen at these times, in ns.
    fn told(packets: &[(bool, i64, i64)]) -> i64 {
        let (a, b): (Arc<str>, Arc<str>) = ("a".into(), "b".into());
        let mut clocks = Clocks::default();
        for (is_there, sent, came) in packets {
            let (from, to) = if *is_there { (&a, &b) } else { (&b, &a) };
            clocks.passed((from, Timestamp(*sent)), (to, Timestamp(*came)));
        }
        let then = Timestamp(1_000 * SECOND);
        assert_eq!(clocks.told(clocks.told(then, Some(&a), &b), Some(&b), &a), then, "there and back");
        assert_eq!(clocks.told(then, Some(&a), &a), then);
        assert_eq!(clocks.told(then, None, &b), then, "of a lone capture file nothing is known");
        clocks.told(then, Some(&a), &b).since(then)
    }

    #[test]
    fn the_quickest_packet_is_nearest_to_the_truth() {
        assert_eq!(told(&[]), 0);
        assert_eq!(
            told(&[(true, 0, 60 * SECOND + 900), (true, 5, 60 * SECOND + 105), (true, 9, 61 * SECOND)]),
            60 * SECOND + 100
        );
        assert_eq!(told(&[(false, 60 * SECOND, 300)]), 60 * SECOND - 300);
    }

    #[test]
    fn packets_of_both_directions_bound_the_offset() {
        assert_eq!(told(&[(true, 0, 60 * SECOND + 100), (false, 60 * SECOND, 300)]), 60 * SECOND - 100);
    }

    #[test]
    fn a_clock_that_was_set_is_measured_anew() {
        assert_eq!(told(&[(true, 0, 100), (true, SECOND, 31 * SECOND)]), 100, "a packet may be slow");
        assert_eq!(told(&[(true, 0, 100), (true, 700 * SECOND, 730 * SECOND)]), 30 * SECOND);
    }
}
