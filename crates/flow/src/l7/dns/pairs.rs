//! Queries that wait for their response.
//!
//! Key: id, question and side that asks. At most [`MAX_OPEN`]: then the oldest is given out unanswered, as is a query that
//! was asked last more than [`PATIENCE_NS`] ago. A repeated query is the same exchange.

use std::collections::VecDeque;
use std::mem::size_of;

use weir_model::{Dns, DnsKind, Exchange, Timestamp};

use super::message::{Message, Question};
use crate::l7::exchanges::{Exchanges, Times};
use crate::l7::parser::Side;

/// Most open queries of a flow.
const MAX_OPEN: usize = 128;
/// Resolvers stop asking long before.
const PATIENCE_NS: i64 = 30_000_000_000;
/// Transfers of zones, which take many messages (RFC 5936).
const TRANSFERS: [u16; 2] = [251, 252];

/// Open queries of one flow.
#[derive(Debug)]
pub(super) struct Pairs {
    kind: DnsKind,
    open: VecDeque<Query>,
    name_bytes: usize,
    /// The id of the transfer whose first message came last.
    transfer: Option<u16>,
}

#[derive(Debug)]
struct Query {
    id: u16,
    side: Side,
    question: Question,
    times: Times,
}

impl Query {
    fn name_bytes(&self) -> usize {
        self.question.name.len()
    }
}

impl Pairs {
    pub(super) const fn new(kind: DnsKind) -> Self {
        Self { kind, open: VecDeque::new(), name_bytes: 0, transfer: None }
    }

    /// A message from `side`, the first and last byte of which came at `times`.
    pub(super) fn message(&mut self, side: Side, message: Message, times: (Timestamp, Timestamp), out: &mut Exchanges) {
        self.expire(times.0, out);
        if message.response.is_some() {
            self.response(side, message, times, out);
        } else {
            self.query(side, message, times, out);
        }
    }

    /// Gives out all open queries, unanswered.
    pub(super) fn close(&mut self, out: &mut Exchanges) {
        for query in self.open.drain(..) {
            give(query.times, dns(self.kind, Some(query.question)), out);
        }
        self.open.shrink_to_fit();
        self.name_bytes = 0;
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.open.capacity() * size_of::<Query>() + self.name_bytes
    }

    fn query(&mut self, side: Side, message: Message, times: (Timestamp, Timestamp), out: &mut Exchanges) {
        // Without a question, cut or missing, a query says nothing.
        let Some(question) = message.question else { return };
        let repeats = |query: &&mut Query| query.id == message.id && query.side == side && query.question == question;
        if let Some(query) = self.open.iter_mut().find(repeats) {
            query.times.ask(times.0);
            query.times.ask(times.1);
            return;
        }
        if self.open.len() >= MAX_OPEN {
            self.give_oldest(out);
        }
        let asked = Times { asked: Some(times), answered: None };
        let query = Query { id: message.id, side, question, times: asked };
        self.name_bytes += query.name_bytes();
        if self.open.is_empty() {
            self.open.reserve_exact(1);
        }
        self.open.push_back(query);
    }

    fn response(&mut self, side: Side, message: Message, times: (Timestamp, Timestamp), out: &mut Exchanges) {
        let answers = |query: &Query| {
            query.id == message.id
                && query.side == side.other()
                && (message.question.is_none() || message.question.as_ref() == Some(&query.question))
        };
        let query = self.open.iter().position(answers).and_then(|at| self.open.remove(at));
        self.name_bytes -= query.as_ref().map_or(0, Query::name_bytes);
        // Most flows ask once, and stay for long.
        if self.open.is_empty() {
            self.open = VecDeque::new();
        }
        if query.is_none() && self.transfer == Some(message.id) {
            return;
        }
        let (asked, question) = query.map_or((Times::default(), None), |query| (query.times, Some(query.question)));
        let question = message.question.or(question);
        let is_transfer = question.as_ref().is_some_and(|question| TRANSFERS.contains(&question.qtype));
        self.transfer = is_transfer.then_some(message.id);
        let response = message.response.unwrap_or_default();
        let dns = Dns {
            rcode: Some(response.rcode),
            answers: response.answers,
            additional: response.additional,
            ttl_s: response.ttl_s,
            chain: response.chain,
            ..dns(self.kind, question)
        };
        give(Times { answered: Some(times), ..asked }, dns, out);
    }

    fn expire(&mut self, now: Timestamp, out: &mut Exchanges) {
        let is_late = |query: &Query| query.times.asked.is_some_and(|(_, last)| now.since(last) > PATIENCE_NS);
        while self.open.front().is_some_and(is_late) {
            self.give_oldest(out);
        }
    }

    fn give_oldest(&mut self, out: &mut Exchanges) {
        if let Some(query) = self.open.pop_front() {
            self.name_bytes -= query.name_bytes();
            give(query.times, dns(self.kind, Some(query.question)), out);
        }
    }
}

fn dns(kind: DnsKind, question: Option<Question>) -> Dns {
    let qtype = question.as_ref().map(|question| question.qtype);
    Dns { kind, qname: question.map(|question| question.name), qtype, ..Dns::default() }
}

fn give(times: Times, dns: Dns, out: &mut Exchanges) {
    if let Some(request) = times.request(Exchange::Dns(dns)) {
        out.push(request);
    }
}
