//! Requests that wait for their response, and the one whose response is coming.
//!
//! Answers come in the order of the requests. At most [`MAX_OPEN`] wait: of more, the oldest are given out unanswered and
//! their answers stand alone. Where a response was lost the one that comes next answers the last request, as long as
//! requests do not overlap; where they do, nobody can say.

use std::collections::VecDeque;
use std::mem::size_of;

use weir_model::{Exchange, Http, HttpMarks, Timestamp};

use super::head::{Head, Method};
use crate::l7::exchanges::{Exchanges, OpenRequest, Times};

/// Most requests of a flow that wait.
const MAX_OPEN: usize = 64;
/// Most responses of a flow that wait for a request.
const MAX_EARLY: usize = 16;
/// A response this long before its request is one that was captured out of order.
const DISORDER_NS: i64 = 1_000_000;

/// Open requests of one flow.
#[derive(Debug)]
pub(super) struct Pairs {
    waiting: VecDeque<Waiting>,
    /// The request whose response is coming.
    current: Option<Waiting>,
    /// Responses without a request, which may have overtaken it.
    early: VecDeque<OpenRequest>,
    /// When the last response came that was given out without a request.
    last_alone: Option<Timestamp>,
    /// Bytes were missing.
    has_lost: bool,
    /// Responses that will come to requests that were given out.
    orphans: usize,
    /// How many exchanges may be given out.
    left: usize,
    /// How many requests were seen.
    asked: u64,
}

#[derive(Debug)]
struct Waiting {
    request: OpenRequest,
    method: Method,
    number: u64,
    /// Its response may have been lost.
    is_doubtful: bool,
}

/// What a response answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answered {
    /// A request that wants no body.
    Head,
    /// CONNECT, and the tunnel stands.
    Tunnel,
    /// Anything else, or nothing that was seen.
    Other,
}

impl Pairs {
    /// No requests; at most `left` exchanges will be given out.
    pub(super) const fn new(left: usize) -> Self {
        Self {
            waiting: VecDeque::new(),
            current: None,
            early: VecDeque::new(),
            last_alone: None,
            has_lost: false,
            orphans: 0,
            left,
            asked: 0,
        }
    }

    /// A request whose head came between these times.
    pub(super) fn asked(
        &mut self,
        mut request: OpenRequest,
        method: Method,
        times: (Timestamp, Timestamp),
        out: &mut Exchanges,
    ) {
        if self.waiting.len() >= MAX_OPEN
            && let Some(oldest) = self.waiting.pop_front()
        {
            self.orphans += 1;
            self.give(oldest.request, out);
        }
        request.times.asked = Some(times);
        self.asked += 1;
        if self.last_alone.is_some_and(|answered| times.0 < answered) {
            return self.give(request, out);
        }
        while self.early.front().is_some_and(|early| !self.may_answer(early, times.0)) {
            self.give_early(out);
        }
        if let Some(mut early) = self.early.pop_front_if(|early| is_overtaken(early, times.0)) {
            answer(&mut request, &mut early);
            return self.give(request, out);
        }
        let current = self.current.as_mut().filter(|current| is_overtaken(&current.request, times.0));
        if let Some(current) = current {
            answer(&mut request, &mut current.request);
            (current.request, current.number) = (request, self.asked);
            return;
        }
        self.waiting.push_back(Waiting { request, method, number: self.asked, is_doubtful: false });
    }

    /// A final response whose head came between these times.
    pub(super) fn answered(&mut self, head: &Head, times: (Timestamp, Timestamp), out: &mut Exchanges) -> Answered {
        self.finish(out);
        let mut current = self.next(out).unwrap_or_else(|| Waiting {
            request: OpenRequest::default(),
            method: Method::Other,
            number: 0,
            is_doubtful: false,
        });
        head.tell(&mut current.request.http);
        current.request.times.answered = Some(times);
        let method = current.method;
        self.current = Some(current);
        match (method, head.status()) {
            (Method::Head, _) => Answered::Head,
            (Method::Connect, Some(200..=299)) => Answered::Tunnel,
            _ => Answered::Other,
        }
    }

    /// More of a body came: of the last request, or of the response.
    pub(super) fn more(&mut self, is_request: bool, time: Timestamp) {
        if !is_request {
            if let Some(current) = &mut self.current {
                current.request.times.answer(time);
            }
            return;
        }
        let asked = self.asked;
        let last = self.waiting.back_mut().or(self.current.as_mut()).filter(|last| last.number == asked);
        if let Some(last) = last {
            last.request.times.ask(time);
        }
    }

    /// The response is over: gives out its exchange.
    pub(super) fn finish(&mut self, out: &mut Exchanges) {
        let Some(current) = self.current.take() else { return };
        if current.number > 0 {
            return self.give(current.request, out);
        }
        if self.early.len() >= MAX_EARLY {
            self.give_early(out);
        }
        self.early.push_back(current.request);
    }

    /// Bytes are missing that may hold messages of one side.
    pub(super) fn lost(&mut self, is_client: bool, out: &mut Exchanges) {
        self.has_lost = true;
        if is_client {
            return;
        }
        self.finish(out);
        if self.waiting.len() > 1 {
            return self.give_waiting(out);
        }
        self.waiting.iter_mut().for_each(|waiting| waiting.is_doubtful = true);
    }

    /// Whether no more exchanges are wanted.
    pub(super) const fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// Notes what the response that came last turned the connection into.
    pub(super) fn upgraded(&mut self, upgrade: Option<Box<str>>) {
        if let Some(current) = &mut self.current {
            current.request.http.upgrade = upgrade;
        }
    }

    /// Takes the request that the upgrade to HTTP/2 goes on with.
    pub(super) fn take_upgraded(&mut self) -> Option<OpenRequest> {
        let Waiting { mut request, .. } = self.current.take_if(|current| current.number > 0)?;
        request.times.answered = None;
        request.http = Http { status: None, upgrade: Some("h2c".into()), ..request.http };
        Some(request)
    }

    /// Drops all that is open, and all that comes: it was not HTTP.
    pub(super) fn forget(&mut self) {
        self.left = 0;
        (self.waiting, self.early, self.current) = (VecDeque::new(), VecDeque::new(), None);
    }

    /// Gives out all that is open.
    pub(super) fn close(&mut self, out: &mut Exchanges) {
        self.finish(out);
        if let Some(first) = self.waiting.front_mut().filter(|_| self.asked == 1)
            && let Some(mut early) = self.early.pop_back()
        {
            answer(&mut first.request, &mut early);
        }
        while !self.early.is_empty() {
            self.give_early(out);
        }
        self.give_waiting(out);
        self.waiting.shrink_to_fit();
        self.early.shrink_to_fit();
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let texts = |request: &OpenRequest| {
            let Http { method, host, path, upgrade, request_id, .. } = &request.http;
            let texts = [method, host, path, upgrade, request_id].into_iter().flatten().map(|text| text.len());
            texts.sum::<usize>() + request.http.marks.as_ref().map_or(0, |_| size_of::<HttpMarks>())
        };
        let open = self.waiting.iter().chain(&self.current).map(|waiting| &waiting.request).chain(&self.early);
        self.waiting.capacity() * size_of::<Waiting>()
            + self.early.capacity() * size_of::<OpenRequest>()
            + open.map(texts).sum::<usize>()
    }

    /// The request that the next response answers.
    fn next(&mut self, out: &mut Exchanges) -> Option<Waiting> {
        if self.orphans > 0 {
            self.orphans -= 1;
            return None;
        }
        let is_doubtful = self.waiting.len() > 1 && self.waiting.front().is_some_and(|first| first.is_doubtful);
        if is_doubtful && let Some(first) = self.waiting.pop_front() {
            self.give(first.request, out);
        }
        let next = self.waiting.pop_front()?;
        while !self.early.is_empty() {
            self.give_early(out);
        }
        Some(next)
    }

    /// Whether a response that came before a request in the stream's order may be its answer all the same.
    fn may_answer(&self, early: &OpenRequest, asked: Timestamp) -> bool {
        let is_first = self.asked == 1 && self.early.len() == 1 && !self.has_lost;
        let before = early.times.answered.map_or(i64::MAX, |answered| asked.since(answered.0));
        before < 0 || (is_first && before <= DISORDER_NS)
    }

    fn give_early(&mut self, out: &mut Exchanges) {
        if let Some(early) = self.early.pop_front() {
            self.last_alone = self.last_alone.max(early.times.answered.map(|answered| answered.0));
            self.give(early, out);
        }
    }

    fn give_waiting(&mut self, out: &mut Exchanges) {
        while let Some(waiting) = self.waiting.pop_front() {
            self.give(waiting.request, out);
        }
    }

    fn give(&mut self, request: OpenRequest, out: &mut Exchanges) {
        if self.left > 0
            && let Some(request) = request.times.request(Exchange::Http(request.http))
        {
            self.left -= 1;
            out.push(request);
        }
    }
}

/// Whether a response without a request came after a request of this time, which only the parser sees later.
fn is_overtaken(response: &OpenRequest, asked: Timestamp) -> bool {
    let Times { asked: None, answered: Some(answered) } = response.times else { return false };
    asked < answered.0
}

/// Completes a request with a response that came before it.
fn answer(request: &mut OpenRequest, response: &mut OpenRequest) {
    request.http.status = response.http.status;
    request.http.upgrade = response.http.upgrade.take();
    request.times.answered = response.times.answered;
}
