//! Classic pcap: byte orders, precisions, damage.

use weir_capture::FileError;
use weir_model::{LinkType, Timestamp};

use crate::read;

fn word(big: bool, value: u32) -> [u8; 4] {
    if big { value.to_be_bytes() } else { value.to_le_bytes() }
}

/// The header of a file of link type 101.
fn header(big: bool, magic: u32, minor: u8) -> Vec<u8> {
    let mut file = word(big, magic).to_vec();
    file.extend(if big { [0, 2, 0, minor] } else { [2, 0, minor, 0] });
    for value in [0, 0, 65_535, 101] {
        file.extend(word(big, value));
    }
    file
}

/// A file of link type 101 with one record for each `(seconds, fraction, wire length, bytes)`.
pub(crate) fn classic(big: bool, magic: u32, records: &[(u32, u32, u32, &[u8])]) -> Vec<u8> {
    let mut file = header(big, magic, 4);
    for (seconds, fraction, wire_len, bytes) in records {
        for value in [*seconds, *fraction, bytes.len() as u32, *wire_len] {
            file.extend(word(big, value));
        }
        file.extend(*bytes);
    }
    file
}

#[test]
fn both_byte_orders_and_precisions_give_the_same_times() {
    for big in [false, true] {
        for (magic, fraction) in [(0xa1b2_c3d4, 500_000), (0xa1b2_3c4d, 500_000_000)] {
            let (seen, error) = read(classic(big, magic, &[(7, fraction, 90, b"abc"), (8, 0, 2, b"de")]));
            assert!(error.is_none(), "{error:?}");
            assert_eq!(seen[0].time, Timestamp(7_500_000_000));
            assert_eq!((seen[0].wire_len, seen[0].link, &seen[0].bytes[..]), (90, LinkType::RAW, &b"abc"[..]));
            assert_eq!((seen[1].wire_len, seen.len()), (2, 2));
        }
    }
}

#[test]
fn a_cut_record_is_an_error_after_all_that_came_before() {
    let whole = classic(false, 0xa1b2_c3d4, &[(1, 0, 3, b"abc"), (2, 0, 3, b"def")]);
    for len in 24 + 19 + 1..whole.len() {
        let (seen, error) = read(whole[..len].to_vec());
        assert_eq!(seen.len(), 1, "{len} bytes");
        let Some(FileError::Truncated { offset, present, .. }) = error else { panic!("{error:?}") };
        assert_eq!((offset, present), (43, len as u64 - 43));
    }
}

#[test]
fn a_length_that_lies_is_damage_and_allocates_nothing() {
    let mut file = classic(false, 0xa1b2_c3d4, &[(1, 0, 3, b"abc")]);
    file.extend([0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]);
    let (seen, error) = read(file);
    assert_eq!(seen.len(), 1);
    assert!(matches!(error, Some(FileError::Damaged { offset: 43, .. })), "{error:?}");
}

#[test]
fn records_larger_than_the_window_are_read_whole() {
    let long = vec![7; 256 << 10];
    let (seen, error) = read(classic(false, 0xa1b2_c3d4, &[(1, 0, 3, b"abc"), (2, 0, 0, &long), (3, 0, 1, b"z")]));
    assert!(error.is_none(), "{error:?}");
    assert_eq!((seen[1].bytes.len(), seen[1].wire_len), (long.len(), long.len() as u32));
    assert_eq!(seen[2].bytes, b"z");
}

#[test]
fn a_frame_longer_than_any_frame_is_damage() {
    let long = vec![7; (256 << 10) + 1];
    let (seen, error) = read(classic(false, 0xa1b2_c3d4, &[(1, 0, 3, b"abc"), (2, 0, 0, &long), (3, 0, 1, b"z")]));
    assert_eq!(seen.len(), 1);
    assert!(matches!(error, Some(FileError::Damaged { offset: 43, .. })), "{error:?}");
}

#[test]
fn old_versions_have_their_lengths_the_other_way_round() {
    for (minor, lengths) in [(2, [9, 3]), (3, [9, 3]), (3, [3, 9]), (4, [3, 9])] {
        let mut file = header(false, 0xa1b2_c3d4, minor);
        for value in [1, 0, lengths[0], lengths[1]] {
            file.extend(word(false, value));
        }
        file.extend(b"abc");
        let (seen, error) = read(file);
        assert!(error.is_none(), "2.{minor}: {error:?}");
        assert_eq!((seen[0].wire_len, &seen[0].bytes[..]), (9, &b"abc"[..]), "2.{minor} {lengths:?}");
    }
    let unknown = header(false, 0xa1b2_c3d4, 5);
    assert!(matches!(read(unknown).1, Some(FileError::Version { major: 2, minor: 5, .. })));
}

#[test]
fn records_of_the_patched_format_are_eight_bytes_longer() {
    for big in [false, true] {
        let mut file = header(big, 0xa1b2_cd34, 4);
        for text in [b"abc", b"def"] {
            for value in [1, 5, 3, 60] {
                file.extend(word(big, value));
            }
            file.extend([0, 0, 0, 2, 0, 8, 4, 0]);
            file.extend(text);
        }
        let (seen, error) = read(file);
        assert!(error.is_none(), "{error:?}");
        assert_eq!((seen.len(), &seen[1].bytes[..], seen[1].time), (2, &b"def"[..], Timestamp(1_000_005_000)));
    }
}

#[test]
fn other_files_are_refused_by_name() {
    let (_, error) = read(b"#!/bin/sh\n".to_vec());
    assert_eq!(error.expect("an error").to_string(), "test.pcap: not a pcap or pcapng file (begins with 23212f62)");
    assert!(matches!(read(vec![0xa1]).1, Some(FileError::Truncated { offset: 0, .. })));
    let empty = read(Vec::new()).1.map(|error| error.to_string());
    assert_eq!(empty.as_deref(), Some("test.pcap is empty: not a pcap or pcapng file"));
}
