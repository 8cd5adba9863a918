//! What one flow says: finds out which protocol it speaks, then lets the parser of that protocol read.
//!
//! Both sides' first payloads are probed, also later ones for a while: a flow may have been joined half-way, and a protocol
//! may begin after another (STARTTLS). What nothing claims gets no talk.

use weir_model::Timestamp;

use super::config::L7Config;
use super::dns::{DnsDatagrams, DnsStream};
use super::dtls::Dtls;
use super::exchanges::Exchanges;
use super::http1::Http1;
use super::http2::Http2;
use super::parser::{DatagramParser, Probe, Side, StreamParser, Turn};
use super::quic::Quic;
use super::stream::{Arrival, Piece, Stream};
use super::tls::TlsStream;

/// Pieces of a stream that are probed on each side.
const STREAM_TRIES: u8 = 16;
/// So many bytes are looked at with every piece that comes.
const ALWAYS_LOOKED_AT: usize = 256;
/// Bytes of one side that are kept while it is not clear what they are.
const MAX_UNCLEAR_BYTES: usize = 16 << 10;

/// The opener's port and the other one.
type Ports = (u16, u16);

/// A parser of streams, whichever.
type AnyStream = Box<dyn StreamParser + Send>;
/// A parser of datagrams, whichever.
type AnyDatagrams = Box<dyn DatagramParser + Send>;

/// What a stream may be: how to tell, and how to read it. In the order in which they are asked.
type StreamKind = (fn(&[u8], Ports) -> Probe, MakeStream);
/// Makes a parser of streams.
type MakeStream = fn(L7Config, Ports) -> AnyStream;
/// What datagrams may be.
type DatagramKind = (fn(&[u8], Ports) -> bool, fn(L7Config, Ports) -> AnyDatagrams);

const STREAMS: [StreamKind; 4] = [
    (|bytes, _| Http2::probe(bytes), |config, _| Box::new(Http2::new(config))),
    (|bytes, _| Http1::probe(bytes), |config, _| Box::new(Http1::new(config))),
    (|bytes, _| TlsStream::probe(bytes), |config, _| Box::new(TlsStream::new(config))),
    (DnsStream::probe, |config, ports| Box::new(DnsStream::new(config, ports))),
];

const DATAGRAMS: [DatagramKind; 3] = [
    (|bytes, _| Quic::probe(bytes), |config, _| Box::new(Quic::new(config))),
    (|bytes, _| Dtls::probe(bytes), |config, _| Box::new(Dtls::new(config))),
    (DnsDatagrams::probe, |config, ports| Box::new(DnsDatagrams::new(config, ports))),
];

/// What a flow says.
pub(super) enum Talk {
    /// Over TCP.
    Stream(Box<StreamTalk>),
    /// Over UDP.
    Datagrams(DatagramTalk),
}

impl Talk {
    /// Gives out what is open.
    pub(super) fn close(&mut self, out: &mut Exchanges) {
        match self {
            Self::Stream(talk) => talk.close(out),
            Self::Datagrams(talk) => talk.close(out),
        }
    }

    /// Bytes of memory.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Self::Stream(talk) => {
                let [src, dst] = &talk.streams;
                size_of::<StreamTalk>() + src.memory_bytes() + dst.memory_bytes() + talk.reader.memory_bytes()
            }
            Self::Datagrams(talk) => size_of_val(&*talk.parser) + talk.parser.memory_bytes(),
        }
    }
}

/// Bytes that were missing in the streams of a talk.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Gaps {
    /// How many gaps.
    pub(super) count: u64,
    /// How many bytes.
    pub(super) bytes: u64,
}

/// What a TCP flow says.
pub(super) struct StreamTalk {
    streams: [Stream; 2],
    reader: Reader,
}

impl StreamTalk {
    /// Whether bytes at the beginning of a segment may be something that can be read.
    pub(super) fn is_claimed(bytes: &[u8], ports: Ports) -> bool {
        claim(bytes, ports).is_some()
    }

    pub(super) fn new(config: L7Config, ports: Ports) -> Self {
        let state = State::Unclear(Unclear::default());
        Self { streams: Default::default(), reader: Reader { config, ports, state } }
    }

    /// The sequence number of the first byte of `side`, where it is known.
    pub(super) const fn start_at(&mut self, side: Side, seq: u32) {
        self.streams[side as usize].start_at(seq);
    }

    /// Takes in a segment of `side`, and what it acknowledges; false = there is nothing more to learn.
    pub(super) fn segment(
        &mut self,
        side: Side,
        arrival: &Arrival<'_>,
        ack: Option<u32>,
        gaps: &mut Gaps,
        out: &mut Exchanges,
    ) -> bool {
        let Self { streams: [src, dst], reader } = self;
        let (sender, receiver) = if side == Side::Src { (src, dst) } else { (dst, src) };
        if let Some(ack) = ack {
            receiver.acked(ack, arrival.time, &mut |piece| reader.piece(side.other(), &piece, gaps, out));
        }
        sender.push(arrival, &mut |piece| reader.piece(side, &piece, gaps, out));
        !matches!(reader.state, State::Silent)
    }

    /// The connection was reset: neither side sends more.
    pub(super) fn reset(&mut self, gaps: &mut Gaps, out: &mut Exchanges) {
        let Self { streams, reader } = self;
        for (stream, side) in streams.iter_mut().zip([Side::Src, Side::Dst]) {
            stream.flush(&mut |piece| reader.piece(side, &piece, gaps, out));
            reader.piece(side, &Piece::End, gaps, out);
        }
    }

    fn close(&mut self, out: &mut Exchanges) {
        let mut gaps = Gaps::default();
        let Self { streams, reader } = self;
        for (stream, side) in streams.iter_mut().zip([Side::Src, Side::Dst]) {
            stream.flush(&mut |piece| reader.piece(side, &piece, &mut gaps, out));
        }
        if let State::Clear(parser) = &mut reader.state {
            parser.close(out);
        }
        reader.state = State::Silent;
    }
}

/// Reads both streams of a flow in order.
struct Reader {
    config: L7Config,
    ports: Ports,
    state: State,
}

enum State {
    /// Not known yet.
    Unclear(Unclear),
    /// Known.
    Clear(AnyStream),
    /// Nothing more to learn.
    Silent,
}

/// What came before it was known what it is.
#[derive(Default)]
struct Unclear {
    /// Bytes that may still become something, by side, and when they came.
    kept: [Vec<u8>; 2],
    since: [Timestamp; 2],
    /// How much must be kept before it is looked at again.
    enough: [usize; 2],
    /// Pieces that were looked at in vain.
    tries: [u8; 2],
}

impl Reader {
    fn piece(&mut self, side: Side, piece: &Piece<'_>, gaps: &mut Gaps, out: &mut Exchanges) {
        match piece {
            Piece::Data(bytes, time) => self.data(side, bytes, *time, out),
            Piece::Gap(len) => {
                gaps.count += 1;
                gaps.bytes += len;
                self.gap(side, *len, out);
            }
            Piece::End => {
                if let State::Clear(parser) = &mut self.state {
                    parser.end(side, out);
                }
            }
        }
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Exchanges) {
        match &mut self.state {
            State::Unclear(unclear) => unclear.kept[side as usize].clear(),
            State::Clear(parser) => {
                let turn = parser.gap(side, len, out);
                self.turn(side, &[], Timestamp(0), turn, out);
            }
            State::Silent => {}
        }
    }

    fn data(&mut self, side: Side, bytes: &[u8], time: Timestamp, out: &mut Exchanges) {
        match &mut self.state {
            State::Unclear(unclear) => match unclear.look(side, bytes, time, self.ports) {
                Look::Unclear => {}
                Look::Nothing => self.state = State::Silent,
                Look::Clear(make) => self.begin(side, bytes, time, make, out),
            },
            State::Clear(parser) => {
                let turn = parser.data(side, bytes, time, out);
                self.turn(side, bytes, time, turn, out);
            }
            State::Silent => {}
        }
    }

    /// It is clear what it is: the parser reads what came before, then what came now.
    fn begin(&mut self, side: Side, bytes: &[u8], time: Timestamp, make: MakeStream, out: &mut Exchanges) {
        let before = std::mem::replace(&mut self.state, State::Clear(make(self.config, self.ports)));
        let State::Unclear(Unclear { kept: [src, dst], since: [src_since, dst_since], .. }) = before else { return };
        let (own, other) = match side {
            Side::Src => ((src, src_since), (dst, dst_since)),
            Side::Dst => ((dst, dst_since), (src, src_since)),
        };
        if !other.0.is_empty() {
            self.data(side.other(), &other.0, other.1, out);
        }
        if !own.0.is_empty() {
            self.data(side, &own.0, own.1, out);
        }
        self.data(side, bytes, time, out);
    }

    fn turn(&mut self, side: Side, bytes: &[u8], time: Timestamp, turn: Turn, out: &mut Exchanges) {
        let rest = |rest: usize| bytes.get(bytes.len().saturating_sub(rest)..).unwrap_or_default();
        match turn {
            Turn::Stay => {}
            Turn::Done => self.state = State::Silent,
            Turn::Anew { rest: len } => {
                self.state = State::Unclear(Unclear::default());
                if len > 0 {
                    self.data(side, rest(len), time, out);
                }
            }
            Turn::Http2 { request, rest: len } => {
                self.state = State::Clear(Box::new(Http2::upgraded(self.config, *request)));
                if len > 0 {
                    self.data(side, rest(len), time, out);
                }
            }
        }
    }

    fn memory_bytes(&self) -> usize {
        match &self.state {
            State::Unclear(unclear) => unclear.kept.iter().map(Vec::capacity).sum(),
            State::Clear(parser) => size_of_val(&**parser) + parser.memory_bytes(),
            State::Silent => 0,
        }
    }
}

/// What the pieces so far are.
enum Look {
    Unclear,
    Nothing,
    Clear(MakeStream),
}

impl Unclear {
    /// Looks at the next bytes of `side` together with what was kept of it; where that is nothing, at them alone.
    fn look(&mut self, side: Side, bytes: &[u8], time: Timestamp, ports: Ports) -> Look {
        let kept = &mut self.kept[side as usize];
        let before = kept.len();
        if before > 0 {
            kept.extend_from_slice(bytes.get(..MAX_UNCLEAR_BYTES).unwrap_or(bytes));
            let enough = &mut self.enough[side as usize];
            // Every look goes over all that is kept: looking ever more rarely, the work stays linear.
            if kept.len() >= ALWAYS_LOOKED_AT && kept.len() < *enough {
                return Look::Unclear;
            }
            *enough = kept.len() + kept.len() / 4;
            match claim(kept, ports) {
                Some((Probe::Yes, make)) => {
                    kept.truncate(before);
                    return Look::Clear(make);
                }
                Some(_) if kept.len() <= MAX_UNCLEAR_BYTES => return Look::Unclear,
                _ => *kept = Vec::new(),
            }
        }
        match claim(bytes, ports) {
            Some((Probe::Yes, make)) => Look::Clear(make),
            Some(_) if bytes.len() <= MAX_UNCLEAR_BYTES => {
                *kept = bytes.to_vec();
                self.since[side as usize] = time;
                self.enough[side as usize] = 0;
                Look::Unclear
            }
            _ => {
                self.tries[side as usize] += 1;
                let is_over = self.tries.iter().any(|tries| *tries >= STREAM_TRIES);
                if is_over { Look::Nothing } else { Look::Unclear }
            }
        }
    }
}

/// The first protocol that takes these bytes for its own, or may.
fn claim(bytes: &[u8], ports: Ports) -> Option<(Probe, MakeStream)> {
    let claims = STREAMS.iter().map(|(probe, make)| (probe(bytes, ports), *make));
    claims.into_iter().find(|(claim, _)| *claim != Probe::No)
}

/// What a UDP flow says.
pub(super) struct DatagramTalk {
    parser: AnyDatagrams,
}

impl DatagramTalk {
    /// Whether a datagram is something that can be read.
    pub(super) fn is_claimed(bytes: &[u8], ports: Ports) -> bool {
        DATAGRAMS.iter().any(|(probe, _)| probe(bytes, ports))
    }

    /// The talk that begins with a datagram that is claimed.
    pub(super) fn new(config: L7Config, bytes: &[u8], ports: Ports) -> Self {
        let kind = DATAGRAMS.iter().find(|(probe, _)| probe(bytes, ports));
        let make = kind.map_or(DATAGRAMS[0].1, |(_, make)| *make);
        Self { parser: make(config, ports) }
    }

    /// Takes in a datagram; false = there is nothing more to learn.
    pub(super) fn datagram(
        &mut self,
        side: Side,
        bytes: &[u8],
        is_cut: bool,
        time: Timestamp,
        out: &mut Exchanges,
    ) -> bool {
        !matches!(self.parser.datagram(side, bytes, is_cut, time, out), Turn::Done)
    }

    fn close(&mut self, out: &mut Exchanges) {
        self.parser.close(out);
    }
}
