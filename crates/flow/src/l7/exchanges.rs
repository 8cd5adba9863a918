//! Exchanges on their way from a parser to the flow they belong to.

use weir_model::{Exchange, Http, Request, Timestamp};

/// Where parsers put what they found. Emptied after every packet.
#[derive(Debug, Default)]
pub(super) struct Exchanges {
    found: Vec<Request>,
}

impl Exchanges {
    /// Adds an exchange.
    pub(super) fn push(&mut self, request: Request) {
        self.found.push(request);
    }

    /// Takes out what was found.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = Request> {
        self.found.drain(..)
    }
}

/// The times of an exchange as they become known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Times {
    /// First and last byte of the request.
    pub(super) asked: Option<(Timestamp, Timestamp)>,
    /// First and last byte of the answer.
    pub(super) answered: Option<(Timestamp, Timestamp)>,
}

impl Times {
    /// More of the request came.
    pub(super) fn ask(&mut self, time: Timestamp) {
        self.asked = Some(extended(self.asked, time));
    }

    /// More of the answer came.
    pub(super) fn answer(&mut self, time: Timestamp) {
        self.answered = Some(extended(self.answered, time));
    }

    /// The exchange with these times; `None` = nothing of it was seen.
    pub(super) fn request(self, exchange: Exchange) -> Option<Request> {
        let ts = self.asked.or(self.answered)?.0;
        let between = self.asked.zip(self.answered);
        let micros =
            |from: Timestamp, to: Timestamp| u32::try_from((to.since(from) / 1_000).max(0)).unwrap_or(u32::MAX);
        Some(Request {
            ts,
            first_byte_us: between.map(|(asked, answered)| micros(asked.1, answered.0)),
            latency_us: between.map(|(asked, answered)| micros(asked.0, answered.1)),
            exchange,
        })
    }
}

fn extended(span: Option<(Timestamp, Timestamp)>, time: Timestamp) -> (Timestamp, Timestamp) {
    span.map_or((time, time), |(first, last)| (first.min(time), last.max(time)))
}

/// An HTTP request whose answer has not come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct OpenRequest {
    /// What is known of it.
    pub(super) http: Http,
    /// When it came.
    pub(super) times: Times,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_byte_counts_from_the_end_of_the_request_and_latency_from_its_start() {
        let mut times = Times::default();
        assert_eq!(times.request(Exchange::Http(Http::default())), None);
        times.ask(Timestamp(1_000_000));
        times.ask(Timestamp(3_000_000));
        let asked = times.request(Exchange::Http(Http::default())).expect("seen");
        assert_eq!((asked.ts, asked.first_byte_us, asked.latency_us), (Timestamp(1_000_000), None, None));
        times.answer(Timestamp(7_000_000));
        times.answer(Timestamp(9_000_000));
        let both = times.request(Exchange::Http(Http::default())).expect("seen");
        assert_eq!((both.ts, both.first_byte_us, both.latency_us), (Timestamp(1_000_000), Some(4_000), Some(8_000)));
    }

    #[test]
    fn an_answer_before_its_request_took_no_time() {
        let mut times = Times::default();
        times.answer(Timestamp(2_000_000));
        times.ask(Timestamp(5_000_000));
        let request = times.request(Exchange::Http(Http::default())).expect("seen");
        assert_eq!((request.ts, request.first_byte_us), (Timestamp(5_000_000), Some(0)));
    }
}
