//! DNS messages (RFC 1035, 4): bytes in, the first question and what answers it out.
//!
//! A message that is cut or goes wrong half-way gives what stands before that place. Records are walked once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::name::{self, Name};

/// Most texts that are kept of a section.
const MAX_ANSWERS: usize = 64;

const HEADER_BYTES: usize = 12;
const A: u16 = 1;
const NS: u16 = 2;
const CNAME: u16 = 5;
const PTR: u16 = 12;
const MX: u16 = 15;
const AAAA: u16 = 28;
const SRV: u16 = 33;
const DNAME: u16 = 39;
const OPT: u16 = 41;

/// What is kept of a message.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) id: u16,
    pub(super) question: Option<Question>,
    /// `None` = it is a query.
    pub(super) response: Option<Response>,
}

/// What a message asks.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: Box<str>,
    pub(super) qtype: u16,
}

/// What a response says.
#[derive(Debug, Default)]
pub(super) struct Response {
    pub(super) rcode: u16,
    pub(super) answers: Vec<Box<str>>,
    pub(super) additional: Vec<Box<str>>,
    pub(super) ttl_s: Option<u32>,
    /// As [`weir_model::Dns::chain`].
    pub(super) chain: u64,
}

/// The header's fields.
#[derive(Clone, Copy)]
struct Header {
    id: u16,
    flags: u16,
    counts: [u16; 4],
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let field = |at| u16_at(bytes, at);
        Some(Self { id: field(0)?, flags: field(2)?, counts: [field(4)?, field(6)?, field(8)?, field(10)?] })
    }

    const fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }

    const fn opcode(self) -> u16 {
        self.flags >> 11 & 0xf
    }

    /// Whether such a message may exist: a known operation, counts that a message has room for.
    fn is_sane(self) -> bool {
        let [questions, records @ ..] = self.counts;
        let is_empty = questions == 0 && records == [0; 3];
        let records: u32 = records.into_iter().map(u32::from).sum();
        // Query, inverse query, status, notify, update.
        matches!(self.opcode(), 0..=2 | 4 | 5)
            && questions <= 256
            && records <= 6_000
            && (self.is_response() || !is_empty)
    }

    /// Whether it is a plain query or response with one question.
    fn is_strict(self) -> bool {
        let [questions, answers, authority, additional] = self.counts;
        // For a query: no AA, TC, RA, Z or rcode; for a response: no Z.
        let wrong = if self.is_response() { 0x0040 } else { 0x06cf };
        let has_room = self.is_response() || (answers == 0 && authority == 0 && additional <= 2);
        self.is_sane() && self.opcode() == 0 && self.flags & wrong == 0 && questions == 1 && has_room
    }
}

/// Whether this may start with a message.
pub(super) fn is_header(bytes: &[u8]) -> bool {
    Header::read(bytes).is_some_and(Header::is_sane)
}

/// Whether this starts with the header of a message that anyone sends to a resolver or gets back.
pub(super) fn is_strict_header(bytes: &[u8]) -> bool {
    Header::read(bytes).is_some_and(Header::is_strict)
}

/// Whether this is one whole such message and nothing else.
pub(super) fn is_strict(bytes: &[u8]) -> bool {
    strict(bytes).is_some()
}

fn strict(bytes: &[u8]) -> Option<()> {
    let header = Header::read(bytes).filter(|header| header.is_strict())?;
    let (name, at) = Name::read(bytes, HEADER_BYTES)?;
    let (qtype, class) = (u16_at(bytes, at)?, u16_at(bytes, at + 2)?);
    // The types that exist, about; the classes are IN, CH and ANY.
    if !name.is_plain() || !matches!(qtype, 1..=260 | 32_768 | 32_769) || !matches!(class, 1 | 3 | 255) {
        return None;
    }
    let [_, records @ ..] = header.counts;
    let records = records.into_iter().map(u32::from).sum::<u32>();
    let end = (0..records).try_fold(at + 4, |at, _| Record::read(bytes, at).map(|record| record.behind))?;
    (end == bytes.len()).then_some(())
}

impl Message {
    /// Reads a message; `is_cut` = its end is missing. `None` = it is none.
    pub(super) fn read(bytes: &[u8], is_cut: bool) -> Option<Self> {
        let header = Header::read(bytes).filter(|header| header.is_sane())?;
        let mut message = Self { id: header.id, ..Self::default() };
        if header.is_response() {
            message.response = Some(Response { rcode: header.flags & 0xf, ..Response::default() });
        }
        let mut at = HEADER_BYTES;
        for number in 0..header.counts[0] {
            let question = if number == 0 { question(bytes, at) } else { None };
            let behind = match question {
                Some((question, behind)) => {
                    message.question = Some(question);
                    Some(behind)
                }
                None if number == 0 => None,
                None => name::skip(bytes, at).map(|at| at + 4),
            };
            match behind {
                Some(behind) => at = behind,
                None if number == 0 && !is_cut => return None,
                None => return Some(message),
            }
        }
        if let Some(response) = &mut message.response {
            response.records(bytes, at, header);
        }
        Some(message)
    }
}

fn question(bytes: &[u8], at: usize) -> Option<(Question, usize)> {
    let (name, at) = Name::read(bytes, at)?;
    let qtype = u16_at(bytes, at)?;
    Some((Question { name: name.text(), qtype }, at + 4))
}

impl Response {
    fn records(&mut self, bytes: &[u8], mut at: usize, header: Header) -> Option<()> {
        let [_, answers, authority, additional] = header.counts;
        // The sections of an update are no answers (RFC 2136, 2).
        let is_update = header.opcode() == 5;
        let question = Name::read(bytes, HEADER_BYTES).filter(|_| header.counts[0] > 0);
        let mut asked = question.map(|(name, _)| name);
        for number in 0..u32::from(answers) + u32::from(authority) + u32::from(additional) {
            let owner = at;
            let record = Record::read(bytes, at)?;
            at = record.behind;
            if record.kind == OPT {
                self.rcode |= (record.ttl_s >> 24 << 4) as u16;
            } else if is_update {
            } else if number < u32::from(answers) {
                // The top bit means zero (RFC 2181, 8).
                let ttl_s = if record.ttl_s >> 31 == 1 { 0 } else { record.ttl_s };
                self.ttl_s = Some(self.ttl_s.map_or(ttl_s, |least| least.min(ttl_s)));
                let text = record.address(bytes).or_else(|| record.name(bytes));
                if asked.is_some_and(|name| name.is_at(bytes, owner)) {
                    asked = self.follow(&record, text.as_deref(), bytes).or(asked);
                }
                keep(&mut self.answers, text);
            } else {
                keep(&mut self.additional, record.address(bytes));
            }
        }
        Some(())
    }

    /// Takes in a record of the name that is asked for: one of its addresses, or the name to ask for instead, which comes
    /// back. Aliases count in the order in which they lead to one another, as stub resolvers take them.
    fn follow<'a>(&mut self, record: &Record, text: Option<&str>, bytes: &'a [u8]) -> Option<Name<'a>> {
        let (leads, alias) = match record.kind {
            A | AAAA => (text.is_some(), None),
            // An alias that reads like an address would be taken for one.
            CNAME => (text.is_some_and(|text| text.parse::<IpAddr>().is_err()), record.target(bytes)),
            _ => return None,
        };
        if leads && self.answers.len() < MAX_ANSWERS {
            self.chain |= 1 << self.answers.len();
        }
        alias.map(|(name, _)| name)
    }
}

fn keep(texts: &mut Vec<Box<str>>, text: Option<Box<str>>) {
    if texts.len() < MAX_ANSWERS {
        texts.extend(text);
    }
}

/// A resource record whose data is there.
struct Record {
    kind: u16,
    ttl_s: u32,
    data: usize,
    behind: usize,
}

impl Record {
    fn read(bytes: &[u8], at: usize) -> Option<Self> {
        let at = name::skip(bytes, at)?;
        let ttl_s = u32::from(u16_at(bytes, at + 4)?) << 16 | u32::from(u16_at(bytes, at + 6)?);
        let data = at + 10;
        let behind = data + usize::from(u16_at(bytes, at + 8)?);
        (behind <= bytes.len()).then_some(Self { kind: u16_at(bytes, at)?, ttl_s, data, behind })
    }

    /// The address that it holds, as text.
    fn address(&self, bytes: &[u8]) -> Option<Box<str>> {
        let data = bytes.get(self.data..self.behind)?;
        match self.kind {
            A => Some(Ipv4Addr::from(<[u8; 4]>::try_from(data).ok()?).to_string().into()),
            AAAA => Some(Ipv6Addr::from(<[u8; 16]>::try_from(data).ok()?).to_string().into()),
            _ => None,
        }
    }

    /// The name that it holds, as text.
    fn name(&self, bytes: &[u8]) -> Option<Box<str>> {
        self.target(bytes).map(|(name, _)| name.text())
    }

    /// The name that it holds, and where the bytes behind it start.
    fn target<'a>(&self, bytes: &'a [u8]) -> Option<(Name<'a>, usize)> {
        let at = match self.kind {
            NS | CNAME | PTR | DNAME => self.data,
            MX => self.data + 2,
            SRV => self.data + 6,
            _ => return None,
        };
        Name::read(bytes, at).filter(|(_, behind)| *behind <= self.behind)
    }
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|raw| u16::from_be_bytes(*raw))
}
