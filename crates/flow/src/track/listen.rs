//! What flows say above the transport layer: payload goes to a flow's talk, and what that finds goes out.

use weir_model::{Protocol, Report};

use super::Tracker;
use crate::l7::{Heard, Seat};
use crate::packet::{Detail, Packet};
use crate::sink::FlowSink;

impl Tracker {
    /// Lets the flow at `place` hear `packet`, whose captured payload is `payload`.
    #[inline]
    pub(super) fn listen(
        &mut self,
        place: u32,
        packet: &Packet,
        detail: &Detail,
        payload: &[u8],
        sink: &mut impl FlowSink,
    ) {
        let seat = self.table.slots[place].seat;
        let matters = seat.is_taken() || (seat != Seat::SILENT && !payload.is_empty());
        if matters && self.talks.is_on() {
            self.hear(place, packet, detail, payload, sink);
        }
    }

    fn hear(&mut self, place: u32, packet: &Packet, detail: &Detail, payload: &[u8], sink: &mut impl FlowSink) {
        let entry = &self.table.slots[place];
        let speakers = &entry.speakers;
        let (lower, upper) = (speakers.lower_port, speakers.upper_port);
        let ports = if entry.opener_is_lower() { (lower, upper) } else { (upper, lower) };
        let segment = match (speakers.protocol, detail) {
            (Protocol::TCP, Detail::Tcp(segment)) => Some(segment),
            (Protocol::UDP, Detail::None) if !payload.is_empty() => None,
            _ => return,
        };
        let heard = Heard {
            from_opener: entry.is_from_opener(packet),
            ports,
            time: packet.time,
            payload,
            wire: packet.payload_bytes,
            segment,
            is_first: entry.seat == Seat::NEW,
            isn: entry.tcp.isn(),
        };
        self.table.slots[place].seat = self.talks.hear(entry.seat, place, &heard);
        self.give_requests(place, sink);
        while let Some(victim) = self.talks.victim() {
            self.close_talk(victim, sink);
        }
    }

    /// Ends what the flow at `place` says: what is open in it goes out.
    pub(super) fn close_talk(&mut self, place: u32, sink: &mut impl FlowSink) {
        let seat = std::mem::replace(&mut self.table.slots[place].seat, Seat::SILENT);
        if seat.is_taken() {
            self.talks.close(seat);
            self.give_requests(place, sink);
        }
    }

    fn give_requests(&mut self, place: u32, sink: &mut impl FlowSink) {
        for request in self.talks.found() {
            let ts = request.ts;
            let reporter =
                super::Reporter { run: self.config.run, rows: &self.rows, paths: &self.paths, kinds: &self.kinds };
            let flow = reporter.report(&self.table.slots[place], Report::Start, None);
            if sink.request(flow, request).is_err() {
                self.counts.lost.add_row(ts, ts);
            }
        }
        self.counts.l7 = *self.talks.counts();
    }
}
