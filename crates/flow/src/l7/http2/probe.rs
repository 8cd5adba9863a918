//! Whether bytes are HTTP/2: a client's preface, a server's first frame, or, for connections that are older than the tap,
//! frames that follow each other, one of which has headers that no other protocol has there.
//!
//! Without a preface this is strict: a flow that is taken for HTTP/2 and is not would give exchanges that never were.

use super::frames::{HEAD_BYTES, Head, Kind, PREFACE, flag};
use super::hpack::{Decoder, Name};
use super::message;
use crate::l7::parser::Probe;

/// What is not known to be HTTP/2 by this many bytes is not.
pub(super) const PROBE_BYTES: usize = 64;
/// This much of the preface says it all: `PRI * HTTP/2.0`.
const PREFACE_LINE_BYTES: usize = 14;
/// Larger frames must be allowed first (RFC 9113, 4.2), and seldom are.
const MAX_FRAME_BYTES: u32 = 16_384;
/// A second head that is cut must go as far as its flags.
const MIN_HEAD_BYTES: usize = 5;
/// A block that is cut must say this many things that are right.
const MIN_PSEUDO_FIELDS: usize = 2;

/// What the first bytes that a side sends look like.
pub(super) fn probe(bytes: &[u8]) -> Probe {
    let start = bytes.get(..PREFACE.len()).unwrap_or(bytes);
    if !PREFACE.starts_with(start) {
        return frames(bytes);
    }
    if start.len() < PREFACE_LINE_BYTES { Probe::Maybe } else { Probe::Yes }
}

/// Whether bytes are frames from the first one on.
pub(super) fn frames(bytes: &[u8]) -> Probe {
    let bytes = bytes.get(..PROBE_BYTES).unwrap_or(bytes);
    let undecided = if bytes.len() < PROBE_BYTES { Probe::Maybe } else { Probe::No };
    let (mut rest, mut is_proven) = (bytes, false);
    loop {
        let Some((head, behind)) = rest.split_first_chunk::<HEAD_BYTES>() else {
            let is_enough = is_proven && rest.len() >= MIN_HEAD_BYTES && bytes.len() == PROBE_BYTES;
            return match could_be_head(rest) {
                true if is_enough => Probe::Yes,
                true => undecided,
                false => Probe::No,
            };
        };
        if !could_be_head(head) || !is_sane(Head::new(*head)) {
            return Probe::No;
        }
        if is_proven {
            return Probe::Yes;
        }
        let head = Head::new(*head);
        let (payload, next) = behind.split_at_checked(head.len as usize).unwrap_or((behind, &[]));
        let is_whole = payload.len() == head.len as usize;
        match evidence(head, payload, is_whole, bytes.len() == PROBE_BYTES) {
            Evidence::Enough => return Probe::Yes,
            Evidence::Contrary => return Probe::No,
            Evidence::WithNext => is_proven = true,
            Evidence::None => {}
        }
        if !is_whole {
            return undecided;
        }
        rest = next;
    }
}

/// What a frame proves.
enum Evidence {
    Enough,
    /// Enough, if a frame follows.
    WithNext,
    None,
    Contrary,
}

fn evidence(head: Head, payload: &[u8], is_whole: bool, is_all: bool) -> Evidence {
    match head.kind {
        Kind::Settings if head.flags == 0 => settings(payload, is_whole),
        Kind::Headers => headers(head, payload, is_whole, is_all),
        Kind::WindowUpdate => match payload {
            [first, ..] if first & 0x80 != 0 => Evidence::Contrary,
            [0, 0, 0, 0, ..] => Evidence::Contrary,
            _ => Evidence::None,
        },
        _ => Evidence::None,
    }
}

/// SETTINGS, each of which must be known and within its bounds (RFC 9113, 6.5.2).
fn settings(payload: &[u8], is_whole: bool) -> Evidence {
    let (settings, _) = payload.as_chunks::<6>();
    let is_known = |[i0, i1, v0, v1, v2, v3]: &[u8; 6]| {
        let value = u32::from_be_bytes([*v0, *v1, *v2, *v3]);
        match u16::from_be_bytes([*i0, *i1]) {
            // HEADER_TABLE_SIZE, MAX_CONCURRENT_STREAMS, MAX_HEADER_LIST_SIZE.
            1 | 3 | 6 => true,
            // ENABLE_PUSH, ENABLE_CONNECT_PROTOCOL, NO_RFC7540_PRIORITIES, gRPC's binary metadata.
            2 | 8 | 9 | 0xfe03 => value <= 1,
            // INITIAL_WINDOW_SIZE.
            4 => value < 1 << 31,
            // MAX_FRAME_SIZE.
            5 => (1 << 14..1 << 24).contains(&value),
            _ => false,
        }
    };
    match settings {
        settings if !settings.iter().all(is_known) => Evidence::Contrary,
        // Zeros with a four among them are no proof yet.
        [] if is_whole => Evidence::WithNext,
        [_, ..] if is_whole => Evidence::Enough,
        [_, _, ..] => Evidence::Enough,
        _ => Evidence::None,
    }
}

/// HEADERS must start with pseudo-header fields of the static table that have values which they can have. There may be
/// unknown ones among them.
fn headers(head: Head, payload: &[u8], is_whole: bool, is_all: bool) -> Evidence {
    let block = if is_whole {
        head.fragment(payload).and_then(|fragment| payload.get(fragment.start..fragment.end))
    } else {
        let start = usize::from(head.has(flag::PADDED)) + if head.has(flag::PRIORITY) { 5 } else { 0 };
        Some(payload.get(start..).unwrap_or_default())
    };
    let Some(block) = block else { return Evidence::Contrary };
    let mut pseudo = Pseudo::default();
    let read = Decoder::new().decode(block, |name, value| pseudo.count(name, value));
    let is_strong = pseudo.known >= MIN_PSEUDO_FIELDS;
    match (is_whole, read.is_ok()) {
        _ if pseudo.is_contrary => Evidence::Contrary,
        (true, true) if is_strong && !pseudo.starts_unknown && head.has(flag::END_STREAM) => Evidence::Enough,
        (true, true) if is_strong || (pseudo.known > 0 && !pseudo.starts_unknown) => Evidence::WithNext,
        (true, _) => Evidence::Contrary,
        (false, _) if is_strong && is_all => Evidence::Enough,
        (false, _) => Evidence::None,
    }
}

/// The pseudo-header fields of a block.
#[derive(Default)]
struct Pseudo {
    /// Those before all other fields that are known to be right.
    known: usize,
    /// The first field is unknown.
    starts_unknown: bool,
    /// One is wrong, or there is none where one must be.
    is_contrary: bool,
    fields: usize,
    is_over: bool,
}

impl Pseudo {
    fn count(&mut self, name: Name, value: Option<&[u8]>) {
        let is_right = value.and_then(|value| is_pseudo(name, value));
        if self.fields == 0 {
            self.starts_unknown = name == Name::Unknown;
            self.is_contrary = is_right.is_none() && !self.starts_unknown;
        }
        self.fields += 1;
        self.is_contrary |= is_right == Some(false);
        self.is_over |= is_right.is_none() && name != Name::Unknown;
        self.known += usize::from(is_right == Some(true) && !self.is_over);
    }
}

/// Whether a pseudo-header field has a value that it can have; `None` = it is none.
fn is_pseudo(name: Name, value: &[u8]) -> Option<bool> {
    Some(match name {
        Name::Method => (3..=16).contains(&value.len()) && value.iter().all(u8::is_ascii_uppercase),
        Name::Scheme => matches!(value, b"http" | b"https"),
        Name::Path => matches!(value, [b'/', ..] | b"*") && value.iter().all(u8::is_ascii_graphic),
        Name::Authority => value.iter().all(u8::is_ascii_graphic),
        Name::Status => message::status(value).is_some(),
        _ => return None,
    })
}

/// Whether the bytes of a head that are there can be one: small, of a known type, with flags that it can have.
fn could_be_head(head: &[u8]) -> bool {
    let flags = |kind| match kind {
        0 => flag::END_STREAM | flag::PADDED,
        1 => flag::END_STREAM | flag::END_HEADERS | flag::PADDED | flag::PRIORITY,
        4 | 6 => flag::ACK,
        5 => flag::END_HEADERS | flag::PADDED,
        9 => flag::END_HEADERS,
        _ => 0,
    };
    let byte = |place: usize| head.get(place).copied().unwrap_or(0);
    let len = u32::from_be_bytes([0, byte(0), byte(1), byte(2)]);
    len <= MAX_FRAME_BYTES && byte(3) <= 9 && byte(4) & !flags(byte(3)) == 0 && byte(5) & 0x80 == 0
}

/// Whether length and stream are what frames of this kind have (RFC 9113, 6).
fn is_sane(head: Head) -> bool {
    let is_of_client = head.stream % 2 == 1;
    let (has_len, has_stream) = match head.kind {
        Kind::Data => (true, is_of_client),
        Kind::Headers => (head.len > 0 && head.has(flag::END_HEADERS), is_of_client),
        Kind::Priority => (head.len == 5, head.stream > 0),
        Kind::Reset => (head.len == 4, head.stream > 0),
        Kind::Settings => (head.len.is_multiple_of(6) && (!head.has(flag::ACK) || head.len == 0), head.stream == 0),
        Kind::Ping => (head.len == 8, head.stream == 0),
        Kind::GoAway => (head.len >= 8, head.stream == 0),
        Kind::WindowUpdate => (head.len == 4, true),
        Kind::PushPromise | Kind::Continuation | Kind::Other => (false, false),
    };
    has_len && has_stream
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        [&[0, 0, payload.len() as u8, kind, flags, 0, 0, 0, stream], payload].concat()
    }

    /// The shortest front of `bytes` that is decided, and how.
    fn decided(bytes: &[u8]) -> Option<(usize, bool)> {
        (0..=bytes.len()).find_map(|len| match probe(&bytes[..len]) {
            Probe::Maybe => None,
            Probe::Yes => Some((len, true)),
            Probe::No => Some((len, false)),
        })
    }

    #[test]
    fn a_preface_is_known_by_its_line() {
        assert_eq!(decided(PREFACE), Some((14, true)));
        assert_eq!(decided(b"PRIVMSG"), Some((4, false)));
        assert_eq!(decided(b"PRI * HTTP/1.1"), Some((12, false)));
    }

    #[test]
    fn a_server_starts_with_settings_that_exist() {
        let streams = [0, 3, 0, 0, 0, 100];
        assert_eq!(decided(&frame(4, 0, 0, &streams)), Some((15, true)));
        assert_eq!(decided(&frame(4, 0, 0, &[0, 7, 0, 0, 0, 1])), Some((15, false)));
        assert_eq!(decided(&frame(4, 0, 0, &[0, 5, 0, 0, 0, 1])), Some((15, false)));
        assert_eq!(decided(&frame(4, 0, 1, &streams)), Some((9, false)));
        assert_eq!(decided(&frame(4, 0, 0, &streams[..5])), Some((9, false)));
        let empty = frame(4, 0, 0, &[]);
        assert_eq!(decided(&empty), None);
        assert_eq!(decided(&[empty, frame(4, 1, 0, &[])].concat()), Some((18, true)));
    }

    #[test]
    fn a_connection_that_goes_on_is_known_by_its_headers() {
        // POST, http, and a path and an authority that nobody saw.
        let call = frame(1, 4, 7, &[0x83, 0x86, 0xc5, 0xc4]);
        let message = frame(0, 1, 7, &[0, 0, 0, 0, 2, 8, 1]);
        assert_eq!(decided(&call), None);
        assert_eq!(decided(&[&call[..], &message].concat()), Some((22, true)));
        let reordered = frame(1, 5, 7, &[0xc5, 0xc4, 0x83, 0x86]);
        assert_eq!(decided(&reordered), None);
        assert_eq!(decided(&[&reordered[..], &message].concat()), Some((22, true)));
        let window = frame(8, 0, 0, &[0, 0, 0, 5]);
        let answer = [window, frame(1, 4, 7, &[0x88, 0xc0]), message].concat();
        assert_eq!(decided(&answer), Some((33, true)));
        assert_eq!(decided(&frame(1, 5, 7, &[0x82, 0x86, 0xc5, 0x84])), Some((13, true)));
    }

    #[test]
    fn a_long_block_is_known_by_its_front() {
        let path = [&[0x83, 0x86, 0x44, 90][..], &[b'/'; 90]].concat();
        assert_eq!(decided(&frame(1, 4, 7, &path)), Some((64, true)));
        let answer = frame(1, 4, 7, &[&[0x88, 0xc1, 0x44, 45][..], &[b'/'; 45]].concat());
        assert_eq!(decided(&[&answer[..], &frame(8, 0, 0, &[0, 0, 0, 1])].concat()), Some((64, true)));
        assert_eq!(decided(&[&answer[..], b"other"].concat()), Some((59, false)));
        let other = [&[0x83, 0x40, 90][..], &[b'x'; 91]].concat();
        assert_eq!(decided(&frame(1, 4, 7, &other)), Some((64, false)));
    }

    #[test]
    fn others_are_not_taken_for_it() {
        let kafka = b"\x00\x00\x00\x25\x00\x12\x00\x03\x00\x00\x00\x01\x00\x07console";
        let thrift = b"\x00\x00\x00\x1c\x80\x01\x00\x01\x00\x00\x00\x04ping";
        for bytes in [
            &b"GET / HTTP/1.1\r\n\r\n"[..],
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            kafka,
            thrift,
            &[0; 64],
            &[0, 0, 1, 1, 4, 0, 0, 0, 1, 0, 0, 0, 1, 1, 4, 0, 0, 0, 1, 0],
            &frame(1, 4, 7, &[0xc5, 0x83]),
            &frame(1, 4, 7, &[0x90, 0x83, 0x86]),
            &[frame(1, 4, 7, &[0xc5, 0x83, 0x86]), vec![0xff; 9]].concat(),
        ] {
            assert_eq!(decided(bytes).map(|(_, is_http2)| is_http2), Some(false), "{bytes:?}");
        }
    }
}
