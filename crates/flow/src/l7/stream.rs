//! One direction of a TCP connection, put in order: segments in, pieces of the stream out, each byte once.
//!
//! What is in order passes through without being copied. A segment behind a hole is held until the hole is filled, the
//! receiver has acknowledged what is missing (then the tap missed it), or too much is held; then the hole is a gap.

use weir_model::Timestamp;

/// The most bytes that wait behind a hole; about two of the largest offloaded segments.
const MAX_HELD_BYTES: usize = 128 << 10;
/// The most segments that wait behind a hole.
const MAX_HELD: usize = 64;
/// A hole that the receiver has acknowledged may still be filled by a segment that the capture delivers late.
const LATE_NS: i64 = 20_000_000;

/// A segment as it arrives.
#[derive(Clone, Copy)]
pub(super) struct Arrival<'a> {
    /// The sequence number of the first byte.
    pub(super) seq: u32,
    /// The bytes that were captured.
    pub(super) bytes: &'a [u8],
    /// How many there were on the wire.
    pub(super) wire: u32,
    /// It is the last one (FIN).
    pub(super) is_last: bool,
    /// Packet time.
    pub(super) time: Timestamp,
}

/// A piece of the stream in order.
pub(super) enum Piece<'a> {
    /// The next bytes.
    Data(&'a [u8], Timestamp),
    /// So many bytes are missing.
    Gap(u64),
    /// Nothing more will come.
    End,
}

/// The direction.
#[derive(Default)]
pub(super) struct Stream {
    /// The sequence number of the next byte; `None` before the first.
    next: Option<u32>,
    /// Segments behind a hole, in order.
    held: Vec<Held>,
    held_bytes: usize,
    /// Since when the receiver has acknowledged what is missing.
    acked_since: Option<Timestamp>,
    end: End,
}

/// What is known of the stream's end.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum End {
    #[default]
    Unknown,
    /// The sequence number behind the last byte.
    Before(u32),
    /// It was given out.
    Given,
}

struct Held {
    seq: u32,
    bytes: Box<[u8]>,
    wire: u32,
    time: Timestamp,
}

impl Stream {
    /// Says which byte comes first, where that is not known yet.
    pub(super) const fn start_at(&mut self, seq: u32) {
        if self.next.is_none() {
            self.next = Some(seq);
        }
    }

    /// Takes in a segment and gives out what is in order by now.
    pub(super) fn push(&mut self, segment: &Arrival<'_>, give: &mut impl FnMut(Piece<'_>)) {
        if segment.is_last && self.end == End::Unknown {
            self.end = End::Before(segment.seq.wrapping_add(segment.wire));
        }
        let next = *self.next.get_or_insert(segment.seq);
        if segment.wire > 0 {
            match ahead(next, segment.seq) {
                0.. if self.held.is_empty() && segment.seq == next => self.give(segment, give),
                1.. => self.hold(segment),
                _ => self.give(segment, give),
            }
            self.give_held(give);
            while self.held.len() > MAX_HELD || self.held_bytes > MAX_HELD_BYTES {
                self.skip_hole(give);
            }
        }
        self.skip_missed(segment.time, give);
        self.finish_at_end(give);
    }

    /// The receiver has everything before `ack`.
    pub(super) fn acked(&mut self, ack: u32, time: Timestamp, give: &mut impl FnMut(Piece<'_>)) {
        let Some(first) = self.held.first() else { return };
        if ahead(first.seq, ack) >= 0 && self.acked_since.is_none() {
            self.acked_since = Some(time);
        }
        self.skip_missed(time, give);
        self.finish_at_end(give);
    }

    /// Gives out everything that is held, holes as gaps.
    pub(super) fn flush(&mut self, give: &mut impl FnMut(Piece<'_>)) {
        while !self.held.is_empty() {
            self.skip_hole(give);
        }
    }

    /// Bytes of memory beside its own size.
    pub(super) fn memory_bytes(&self) -> usize {
        self.held_bytes + self.held.capacity() * size_of::<Held>()
    }

    /// Gives out what is new of a segment that begins at `next` or before it.
    fn give(&mut self, segment: &Arrival<'_>, give: &mut impl FnMut(Piece<'_>)) {
        let Some(next) = self.next else { return };
        let old = next.wrapping_sub(segment.seq);
        let Some(fresh) = segment.wire.checked_sub(old).filter(|fresh| *fresh > 0) else { return };
        self.next = Some(next.wrapping_add(fresh));
        let bytes = segment.bytes.get(old as usize..).unwrap_or_default();
        if !bytes.is_empty() {
            give(Piece::Data(bytes, segment.time));
        }
        let cut = u64::from(fresh) - (bytes.len() as u64).min(u64::from(fresh));
        if cut > 0 {
            give(Piece::Gap(cut));
        }
    }

    fn hold(&mut self, segment: &Arrival<'_>) {
        let at = self.held.partition_point(|held| ahead(held.seq, segment.seq) > 0);
        if self.held.get(at).is_some_and(|held| held.seq == segment.seq && held.wire >= segment.wire) {
            return;
        }
        self.held_bytes += segment.bytes.len();
        let bytes = segment.bytes.into();
        self.held.insert(at, Held { seq: segment.seq, bytes, wire: segment.wire, time: segment.time });
    }

    /// Gives out held segments that are in order.
    fn give_held(&mut self, give: &mut impl FnMut(Piece<'_>)) {
        while let (Some(first), Some(next)) = (self.held.first(), self.next) {
            if ahead(next, first.seq) > 0 {
                return;
            }
            let Held { seq, bytes, wire, time } = self.held.remove(0);
            self.held_bytes -= bytes.len();
            self.acked_since = None;
            self.give(&Arrival { seq, bytes: &bytes, wire, is_last: false, time }, give);
        }
        if self.held.capacity() > MAX_HELD / 4 {
            self.held = Vec::new();
        }
    }

    /// Takes the first hole for a gap.
    fn skip_hole(&mut self, give: &mut impl FnMut(Piece<'_>)) {
        if let (Some(first), Some(next)) = (self.held.first(), self.next) {
            let missing = first.seq.wrapping_sub(next);
            self.next = Some(first.seq);
            give(Piece::Gap(u64::from(missing)));
        }
        self.give_held(give);
    }

    /// Skips a hole that was acknowledged a while ago.
    fn skip_missed(&mut self, now: Timestamp, give: &mut impl FnMut(Piece<'_>)) {
        if self.acked_since.is_some_and(|since| now.since(since) >= LATE_NS) {
            self.skip_hole(give);
        }
    }

    fn finish_at_end(&mut self, give: &mut impl FnMut(Piece<'_>)) {
        if self.next.is_some_and(|next| self.end == End::Before(next)) {
            self.end = End::Given;
            give(Piece::End);
        }
    }
}

/// How far `to` is ahead of `from` in sequence space.
const fn ahead(from: u32, to: u32) -> i32 {
    to.wrapping_sub(from) as i32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The stream as text: bytes, `<n>` for gaps, `.` for the end.
    #[derive(Default)]
    struct Heard(String);

    impl Heard {
        fn take(&mut self, piece: &Piece<'_>) {
            let text = match piece {
                Piece::Data(bytes, _) => String::from_utf8_lossy(bytes).into_owned(),
                Piece::Gap(len) => format!("<{len}>"),
                Piece::End => ".".to_owned(),
            };
            self.0.push_str(&text);
        }
    }

    fn segment(seq: u32, text: &str, millis: i64) -> Arrival<'_> {
        let time = Timestamp(millis * 1_000_000);
        Arrival { seq, bytes: text.as_bytes(), wire: text.len() as u32, is_last: false, time }
    }

    fn heard(segments: &[Arrival<'_>]) -> String {
        let (mut stream, mut heard) = (Stream::default(), Heard::default());
        for segment in segments {
            stream.push(segment, &mut |piece| heard.take(&piece));
        }
        stream.flush(&mut |piece| heard.take(&piece));
        heard.0
    }

    #[test]
    fn segments_are_put_in_order_and_repeated_ones_left_out() {
        assert_eq!(
            heard(&[segment(1, "ab", 0), segment(5, "ef", 1), segment(3, "cd", 2), segment(1, "abcd", 3)]),
            "abcdef"
        );
        assert_eq!(heard(&[segment(1, "abc", 0), segment(2, "bcde", 1)]), "abcde");
    }

    #[test]
    fn sequence_numbers_go_round() {
        assert_eq!(heard(&[segment(u32::MAX, "ab", 0), segment(3, "ef", 0), segment(1, "cd", 0)]), "abcdef");
    }

    #[test]
    fn what_never_comes_is_a_gap_at_the_end_or_when_too_much_is_held() {
        assert_eq!(heard(&[segment(1, "ab", 0), segment(5, "ef", 0)]), "ab<2>ef");
        let mut stream = Stream::default();
        let mut gaps = 0;
        let mut take = |piece: Piece<'_>| gaps += u32::from(matches!(piece, Piece::Gap(_)));
        stream.push(&segment(0, "a", 0), &mut take);
        for at in 0..100 {
            stream.push(&segment(10 + at * 2, "x", 0), &mut take);
        }
        assert!(stream.held.len() <= MAX_HELD);
        assert!(gaps > 30);
    }

    #[test]
    fn a_hole_that_the_receiver_acknowledged_is_a_gap_soon() {
        let (mut stream, mut heard) = (Stream::default(), Heard::default());
        stream.push(&segment(1, "ab", 0), &mut |piece| heard.take(&piece));
        stream.push(&segment(5, "ef", 1), &mut |piece| heard.take(&piece));
        stream.acked(3, Timestamp(2_000_000), &mut |piece| heard.take(&piece));
        stream.acked(7, Timestamp(3_000_000), &mut |piece| heard.take(&piece));
        assert_eq!(heard.0, "ab");
        stream.acked(7, Timestamp(30_000_000), &mut |piece| heard.take(&piece));
        assert_eq!(heard.0, "ab<2>ef");
    }

    #[test]
    fn bytes_that_the_snap_length_cut_are_a_gap() {
        let cut = Arrival { wire: 10, ..segment(1, "ab", 0) };
        assert_eq!(heard(&[cut, segment(11, "c", 0)]), "ab<8>c");
        assert_eq!(
            heard(&[segment(1, "ab", 0), Arrival { wire: 4, ..segment(5, "ef", 0) }, segment(3, "cd", 0)]),
            "abcdef<2>"
        );
    }

    #[test]
    fn the_end_comes_once_and_in_its_place() {
        let last = Arrival { is_last: true, ..segment(3, "cd", 0) };
        assert_eq!(heard(&[last, last]), "cd.");
        assert_eq!(heard(&[segment(1, "a", 0), last, segment(2, "b", 0), last]), "abcd.");
    }

    proptest! {
        #[test]
        fn any_order_of_overlapping_segments_gives_the_stream(
            cuts in proptest::collection::vec((0_usize..60, 1_usize..12), 1..40),
            start in any::<u32>(),
        ) {
            let whole: Vec<u8> = (0..72).map(|at| b'A' + (at % 50)).collect();
            let (mut stream, mut got) = (Stream::default(), Vec::new());
            stream.start_at(start);
            let mut give = |piece: Piece<'_>| match piece {
                Piece::Data(bytes, _) => got.extend_from_slice(bytes),
                Piece::Gap(len) => got.extend(std::iter::repeat_n(0, len as usize)),
                Piece::End => {}
            };
            for (from, len) in cuts {
                let bytes = &whole[from..from + len];
                let wire = len as u32;
                let seq = start.wrapping_add(from as u32);
                stream.push(&Arrival { seq, bytes, wire, is_last: false, time: Timestamp(0) }, &mut give);
            }
            stream.flush(&mut give);
            prop_assert!(stream.held.is_empty() && stream.held_bytes == 0);
            for (at, byte) in got.iter().enumerate() {
                prop_assert!(*byte == 0 || *byte == whole[at]);
            }
        }
    }
}
