//! HTTP/1.x: two streams of messages in, exchanges out.
//!
//! Heads are read, bodies are passed over by their framing (RFC 9112, 6), requests and responses are paired in order.
//! Where bytes are missing the next recognisable head is looked for, and what cannot be paired for certain stands alone.

mod body;
mod head;
mod lane;
mod pairs;
mod start;

use weir_model::Timestamp;

use super::config::{L7Config, L7Level};
use super::exchanges::Exchanges;
use super::parser::{Probe, Side, StreamParser, Turn};
use body::Body;
use head::Head;
use lane::{Event, Lane};
use pairs::{Answered, Pairs};
use start::StartLine;

/// HTTP/1.x.
#[derive(Debug)]
pub(super) struct Http1 {
    config: L7Config,
    /// The side that asks, once it is known.
    client: Option<Side>,
    lanes: [Lane; 2],
    pairs: Pairs,
}

impl Http1 {
    /// What the first bytes that a side sends look like.
    pub(super) fn probe(bytes: &[u8]) -> Probe {
        start::probe(bytes)
    }

    pub(super) fn new(config: L7Config) -> Self {
        Self {
            config,
            client: None,
            lanes: [Lane::new(config), Lane::new(config)],
            pairs: Pairs::new(match config.level {
                L7Level::Full => usize::MAX,
                L7Level::Names | L7Level::Off => 1,
            }),
        }
    }

    const fn lane(&mut self, side: Side) -> &mut Lane {
        let [src, dst] = &mut self.lanes;
        match side {
            Side::Src => src,
            Side::Dst => dst,
        }
    }

    /// A head that has come; `rest` bytes stand behind it.
    fn head(&mut self, side: Side, head: Head, rest: usize, time: Timestamp, out: &mut Exchanges) -> Turn {
        let first = head.first;
        if head.is_request() {
            self.client = Some(side);
            let (body, may_change) = (head.request_body(), head.may_change_protocol());
            let (request, method) = head.into_request();
            self.lane(side).body(body);
            // What follows may be something else, and is passed over until it is known.
            if may_change {
                self.lane(side).doubt();
            }
            self.pairs.asked(request, method, (first, time), out);
            return Turn::Stay;
        }
        self.client = Some(side.other());
        if head.is_interim() {
            self.lane(side).body(Body::None);
            return Turn::Stay;
        }
        let answered = self.pairs.answered(&head, (first, time), out);
        if head.is_switch() || answered == Answered::Tunnel {
            return self.changed(head.upgrade().filter(|_| head.is_switch()), rest, out);
        }
        let body = head.response_body(answered == Answered::Head);
        self.lane(side).body(body);
        if body == Body::None || self.config.level == L7Level::Names {
            return self.finished(out);
        }
        Turn::Stay
    }

    /// The connection speaks something else from here on.
    fn changed(&mut self, upgrade: Option<Box<str>>, rest: usize, out: &mut Exchanges) -> Turn {
        if upgrade.as_deref() == Some("h2c")
            && let Some(request) = self.pairs.take_upgraded()
        {
            self.pairs.close(out);
            return Turn::Http2 { request: Box::new(request), rest };
        }
        let is_websocket = upgrade.as_deref() == Some("websocket");
        self.pairs.upgraded(upgrade);
        self.pairs.finish(out);
        self.pairs.close(out);
        if is_websocket { Turn::Done } else { Turn::Anew { rest } }
    }

    /// A response is over.
    fn finished(&mut self, out: &mut Exchanges) -> Turn {
        self.pairs.finish(out);
        if self.pairs.is_spent() { Turn::Done } else { Turn::Stay }
    }

    fn is_client(&self, side: Side) -> bool {
        self.client == Some(side)
    }

    /// What is known of a head that goes on where bytes are missing.
    fn torn(&mut self, side: Side, out: &mut Exchanges) -> Turn {
        let Some(head) = self.lane(side).tear() else { return Turn::Stay };
        let first = head.first;
        if head.is_request() {
            self.client = Some(side);
            let (request, method) = head.into_request();
            self.pairs.asked(request, method, (first, first), out);
            return Turn::Stay;
        }
        self.client = Some(side.other());
        if head.is_interim() {
            return Turn::Stay;
        }
        self.pairs.answered(&head, (first, first), out);
        self.finished(out)
    }
}

impl StreamParser for Http1 {
    fn data(&mut self, side: Side, bytes: &[u8], time: Timestamp, out: &mut Exchanges) -> Turn {
        self.lane(side).segment(bytes);
        let mut rest = bytes;
        while !rest.is_empty() {
            let is_body = self.lane(side).is_in_body();
            let wanted = self.client.map(|client| if client == side { StartLine::Request } else { StartLine::Status });
            let event = self.lane(side).take(&mut rest, time, wanted);
            if is_body {
                self.pairs.more(self.is_client(side), time);
            }
            let turn = match event {
                None => continue,
                Some(Event::Head(head)) => self.head(side, *head, rest.len(), time, out),
                Some(Event::End) if self.is_client(side) => Turn::Stay,
                Some(Event::End) => self.finished(out),
                Some(Event::Torn) => {
                    let turn = self.torn(side, out);
                    self.pairs.lost(self.is_client(side), out);
                    turn
                }
                Some(Event::Noise) => {
                    if self.lane(side.other()).is_useful() {
                        return Turn::Stay;
                    }
                    Turn::Done
                }
                // Somebody tried HTTP on it: that made no exchange.
                Some(Event::Foreign) => {
                    self.pairs.forget();
                    Turn::Done
                }
            };
            match turn {
                Turn::Stay => {}
                Turn::Done => {
                    self.close(out);
                    return turn;
                }
                Turn::Anew { .. } | Turn::Http2 { .. } => return turn,
            }
        }
        Turn::Stay
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Exchanges) -> Turn {
        let event = self.lane(side).gap(len);
        let is_client = self.is_client(side);
        let turn = match event {
            None => Turn::Stay,
            Some(Event::End) if is_client => Turn::Stay,
            Some(Event::End) => self.finished(out),
            Some(_) => {
                let turn = self.torn(side, out);
                self.pairs.lost(self.is_client(side), out);
                turn
            }
        };
        if let Turn::Done = turn {
            self.close(out);
        }
        turn
    }

    fn end(&mut self, side: Side, out: &mut Exchanges) {
        self.lane(side).end();
        if self.client.is_some() && !self.is_client(side) {
            self.pairs.finish(out);
        }
    }

    fn close(&mut self, out: &mut Exchanges) {
        for side in [Side::Src, Side::Dst] {
            self.lane(side).end();
        }
        self.pairs.finish(out);
        self.pairs.close(out);
    }

    fn memory_bytes(&self) -> usize {
        self.pairs.memory_bytes() + self.lanes.iter().map(Lane::memory_bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests;
