//! Whatever the bytes: reading ends, and never panics.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::classic::classic;
use crate::pcapng::{interface, packet, section};
use crate::read;

proptest! {
    #[test]
    fn damaged_files_end_without_a_panic(
        is_classic in any::<bool>(),
        flips in vec((0..400_usize, any::<u8>()), 0..6),
        cut in 0..400_usize,
    ) {
        let mut file = if is_classic {
            classic(false, 0xa1b2_c3d4, &[(1, 2, 3, &[1; 60]), (1, 2, 3, &[2; 70])])
        } else {
            [section(false), interface(1, 9, &[9, 0, 1, 0, 0x90, 0, 0, 0]), packet(0, 1, 3, &[1; 60]), packet(0, 1, 3, &[1; 9])].concat()
        };
        for (place, value) in flips {
            if let Some(byte) = file.get_mut(place) {
                *byte = value;
            }
        }
        file.truncate(cut);
        let (seen, _) = read(file);
        prop_assert!(seen.len() <= 3);
        prop_assert!(seen.iter().all(|frame| frame.wire_len as usize >= frame.bytes.len()));
    }
}
