//! Compressed files: gzip and zstd by their first bytes, several members, a cut end, what swells.

use std::io::{self, Cursor, Read, Write as _};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use weir_capture::{CaptureFile, FileError};

use crate::classic::classic;
use crate::pcapng::{interface, packet, section};
use crate::read;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("a vector takes everything");
    encoder.finish().expect("a vector takes everything")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).expect("a vector takes everything")
}

#[test]
fn a_compressed_file_reads_as_what_is_in_it() {
    let old = classic(false, 0xa1b2_c3d4, &[(1, 0, 3, b"abc"), (2, 0, 3, b"def")]);
    let new = [section(false), interface(101, 0, &[]), packet(0, 1, 3, b"abc")].concat();
    for file in [old, new] {
        let (plain, _) = read(file.clone());
        let (head, tail) = file.split_at(30);
        for packed in [gzip(&file), zstd(&file), [gzip(head), gzip(tail)].concat(), [zstd(head), zstd(tail)].concat()] {
            let (seen, error) = read(packed);
            assert!(error.is_none(), "{error:?}");
            assert_eq!(seen, plain);
        }
    }
}

#[test]
fn a_cut_compressed_file_gives_all_that_came_before() {
    let frames: Vec<_> = (0..20_000_u32).map(|i| i.wrapping_mul(0x9e37_79b1).to_le_bytes()).collect();
    let records: Vec<_> = frames.iter().map(|bytes| (1, 0, 4, &bytes[..])).collect();
    let file = classic(false, 0xa1b2_c3d4, &records);
    for packed in [gzip(&file), zstd(&file)] {
        let (seen, error) = read(packed[..packed.len() - 5].to_vec());
        assert!(!seen.is_empty());
        assert!(matches!(error, Some(FileError::Read { .. } | FileError::Truncated { .. })), "{error:?}");
    }
}

#[test]
fn compressed_noise_is_an_error_that_names_the_file() {
    for magic in [[0x1f, 0x8b, 8, 0], [0x28, 0xb5, 0x2f, 0xfd]] {
        let (seen, error) = read([&magic[..], &[0xff; 60]].concat());
        assert_eq!(seen.len(), 0);
        assert!(error.is_some_and(|error| error.to_string().contains("test.pcap")));
    }
}

#[test]
fn what_swells_is_stepped_over_and_never_held() {
    const ZEROS: usize = 256 << 20;
    let total = (ZEROS + 12) as u32;
    let front = [section(false), interface(101, 0, &[]), [0xbad_u32, total].map(u32::to_le_bytes).concat()].concat();
    let behind = [&total.to_le_bytes()[..], &packet(0, 1, 3, b"abc")].concat();
    let whole = Cursor::new(front).chain(io::repeat(0).take(ZEROS as u64)).chain(Cursor::new(behind));
    let packed = zstd::encode_all(whole, 1).expect("a vector takes everything");
    assert!(packed.len() < 1 << 20, "{} bytes", packed.len());
    let mut file = CaptureFile::from_reader(Path::new("bomb"), Cursor::new(packed)).expect("a capture");
    assert_eq!(file.next_frame().expect("a frame").map(|frame| frame.bytes.to_vec()), Some(b"abc".to_vec()));
    assert!(file.next_frame().expect("the end").is_none());
}
