//! pcapng: sections, interfaces, time stamps, the three kinds of packet block.

use weir_capture::FileError;
use weir_model::{LinkType, Timestamp};

use crate::read;

/// One block, little endian or big endian.
pub(crate) fn block(big: bool, kind: u32, body: &[u8]) -> Vec<u8> {
    let word = |value: u32| if big { value.to_be_bytes() } else { value.to_le_bytes() };
    let total = (12 + body.len().next_multiple_of(4)) as u32;
    let mut block = [word(kind), word(total)].concat();
    block.extend(body);
    block.resize(total as usize - 4, 0);
    block.extend(word(total));
    block
}

pub(crate) fn section(big: bool) -> Vec<u8> {
    let mut body =
        if big { vec![0x1a, 0x2b, 0x3c, 0x4d, 0, 1, 0, 0] } else { vec![0x4d, 0x3c, 0x2b, 0x1a, 1, 0, 0, 0] };
    body.extend([0xff; 8]);
    block(big, 0x0a0d_0d0a, &body)
}

/// An interface (little endian) with options.
pub(crate) fn interface(link: u16, snap_len: u32, options: &[u8]) -> Vec<u8> {
    let mut body = [link.to_le_bytes(), [0, 0]].concat();
    body.extend(snap_len.to_le_bytes());
    body.extend(options);
    block(false, 1, &body)
}

/// An enhanced packet block (little endian).
pub(crate) fn packet(interface: u32, ticks: u64, wire_len: u32, bytes: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for value in [interface, (ticks >> 32) as u32, ticks as u32, bytes.len() as u32, wire_len] {
        body.extend(value.to_le_bytes());
    }
    body.extend(bytes);
    block(false, 6, &body)
}

#[test]
fn interfaces_of_a_section_differ_in_link_type_and_resolution() {
    let file = [
        section(false),
        interface(1, 0, &[]),
        interface(101, 0, &[9, 0, 1, 0, 9, 0, 0, 0]),
        interface(113, 0, &[9, 0, 1, 0, 0x8a, 0, 0, 0, 14, 0, 8, 0, 100, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        interface(0, 0, &[9, 0, 1, 0, 12, 0, 0, 0]),
        packet(0, 1_500_000, 60, b"abc"),
        packet(1, 1_500_000_000, 60, b"abc"),
        packet(2, 1_536, 60, b"abc"),
        packet(3, 1_500_000_000_000, 60, b"abc"),
    ]
    .concat();
    let (seen, error) = read(file);
    assert!(error.is_none(), "{error:?}");
    let got: Vec<_> = seen.iter().map(|frame| (frame.link, frame.time.0)).collect();
    assert_eq!(
        got,
        [
            (LinkType::ETHERNET, 1_500_000_000),
            (LinkType::RAW, 1_500_000_000),
            (LinkType::LINUX_SLL, 101_500_000_000),
            (LinkType::NULL, 1_500_000_000),
        ]
    );
    assert!(seen.iter().all(|frame| frame.bytes == b"abc" && frame.wire_len == 60));
}

#[test]
fn a_new_section_has_its_own_byte_order_and_interfaces() {
    let big_interface = block(true, 1, &[0, 101, 0, 0, 0, 0, 0, 0]);
    let mut body = [[0; 4], [0, 0, 0, 0], 3_u32.to_be_bytes(), 2_u32.to_be_bytes(), 2_u32.to_be_bytes()].concat();
    body.extend(b"yz");
    let file = [
        section(false),
        interface(1, 0, &[]),
        packet(0, 1, 1, b"a"),
        section(true),
        big_interface,
        block(true, 6, &body),
        block(true, 0x0bad, &[1; 9]),
    ]
    .concat();
    let (seen, error) = read(file);
    assert!(error.is_none(), "{error:?}");
    assert_eq!((seen.len(), seen[1].link, &seen[1].bytes[..]), (2, LinkType::RAW, &b"yz"[..]));
    assert_eq!(seen[1].time, Timestamp(3_000));
}

#[test]
fn simple_and_obsolete_packets_are_read() {
    let simple = block(false, 3, &[&100_u32.to_le_bytes()[..], b"abcd"].concat());
    let mut body = [0, 0, 0, 0].to_vec();
    for value in [0, 5, 2, 9_u32] {
        body.extend(value.to_le_bytes());
    }
    body.extend(b"hi");
    let file = [section(false), interface(101, 3, &[]), block(false, 2, &body), simple].concat();
    let (seen, error) = read(file);
    assert!(error.is_none(), "{error:?}");
    assert_eq!((seen[0].wire_len, &seen[0].bytes[..], seen[0].time), (9, &b"hi"[..], Timestamp(5_000)));
    assert_eq!((seen[1].wire_len, &seen[1].bytes[..], seen[1].time), (100, &b"abc"[..], Timestamp(5_000)));
}

#[test]
fn blocks_without_packets_are_stepped_over_whatever_their_length() {
    let mut file = [section(false), interface(101, 0, &[])].concat();
    // Names, statistics, secrets, two custom ones, and one of nobody.
    for kind in [4, 5, 10, 0xbad, 0x4000_0bad, 0x7777] {
        file.extend(block(false, kind, &[1; 9]));
    }
    file.extend(block(false, 0xbad, &vec![9; 17 << 20]));
    file.extend(packet(0, 1, 3, b"abc"));
    let mut wrong_end = block(false, 0xbad, &[1; 9]);
    wrong_end[20] += 4;
    file.extend(wrong_end);
    let (seen, error) = read(file);
    assert_eq!(seen.len(), 1);
    assert!(matches!(error, Some(FileError::Damaged { .. })), "{error:?}");
}

#[test]
fn versions_of_a_section_other_than_the_known_are_refused() {
    for (minor, is_known) in [(0, true), (1, false), (2, true)] {
        let mut file = [section(false), interface(101, 0, &[]), packet(0, 1, 3, b"abc")].concat();
        file[14] = minor;
        assert_eq!(read(file).1.is_none(), is_known, "1.{minor}");
    }
}

#[test]
fn damage_is_named_after_what_came_before() {
    let good = [section(false), interface(101, 0, &[]), packet(0, 1, 3, b"abc")].concat();
    let at = good.len() as u64;
    let mut lengths_differ = packet(0, 1, 3, b"abc");
    lengths_differ[32] += 4;
    let mut runs_over = packet(0, 1, 3, b"abc");
    runs_over[20] = 200;
    let short_simple = block(false, 3, &[&100_u32.to_le_bytes()[..], b"abcd"].concat());
    let long = packet(0, 1, 3, &vec![1; (256 << 10) + 1]);
    for bad in [packet(7, 1, 3, b"abc"), lengths_differ, runs_over, short_simple, long, block(false, 6, &[])] {
        let (seen, error) = read([good.clone(), bad].concat());
        assert_eq!(seen.len(), 1);
        assert!(matches!(error, Some(FileError::Damaged { offset, .. }) if offset == at), "{error:?}");
    }
    let (seen, error) = read([good.clone(), packet(0, 1, 3, b"abc")[..30].to_vec()].concat());
    assert_eq!(seen.len(), 1);
    assert!(
        matches!(error, Some(FileError::Truncated { offset, needed: 36, present: 30, .. }) if offset == at),
        "{error:?}"
    );
}
