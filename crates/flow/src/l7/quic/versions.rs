//! The versions of QUIC whose Initial packets can be opened, and in what they differ.

/// What a version of QUIC has of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Version {
    /// Of the Initial secrets (RFC 9001, 5.2).
    pub(super) salt: [u8; 20],
    /// The labels of key, initialization vector and header protection key (RFC 9001, 5.1).
    pub(super) labels: [&'static [u8]; 3],
    /// The types of long packets, by their two bits (RFC 9000, 17.2).
    packets: [PacketType; 4],
}

/// The type of a packet with a long header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PacketType {
    Initial,
    ZeroRtt,
    Handshake,
    Retry,
}

use PacketType::{Handshake, Initial, Retry, ZeroRtt};

impl Version {
    /// The version with this number; `None` = not known.
    pub(super) const fn of(number: u32) -> Option<&'static Self> {
        Some(match number {
            // RFC 9000; its last drafts; how Facebook numbers it.
            0x0000_0001 | 0xff00_0021..=0xff00_0022 | 0xface_b003..=0xface_b004 => &V1,
            // RFC 9369, and its drafts.
            0x6b33_43cf => &V2,
            0x709a_50c4 => &V2_DRAFT,
            // Drafts 29 to 32.
            0xff00_001d..=0xff00_0020 => &DRAFT_29,
            // Drafts 23 to 28, and Facebook's versions of them.
            0xff00_0017..=0xff00_001c | 0xface_b002 | 0xface_b00e => &DRAFT_23,
            // Drafts 21 and 22, and Facebook's version of them.
            0xff00_0015..=0xff00_0016 | 0xface_b001 => &DRAFT_21,
            // Google's T050 and T051.
            0x5430_3530 => &T050,
            0x5430_3531 => &T051,
            // What provokes a negotiation of versions (RFC 9000, 15) is protected as those drafts are.
            number if number & 0x0f0f_0f0f == 0x0a0a_0a0a => &DRAFT_29,
            _ => return None,
        })
    }

    /// The type of a packet with this first byte.
    pub(super) const fn packet_type(&self, first: u8) -> PacketType {
        let [zero, one, two, three] = self.packets;
        match first >> 4 & 3 {
            0 => zero,
            1 => one,
            2 => two,
            _ => three,
        }
    }

    const fn v2(salt: [u8; 20]) -> Self {
        let labels: [&[u8]; 3] = [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"];
        Self { salt, labels, packets: [Retry, Initial, ZeroRtt, Handshake] }
    }

    const fn v1(salt: [u8; 20]) -> Self {
        Self { salt, labels: [b"quic key", b"quic iv", b"quic hp"], packets: [Initial, ZeroRtt, Handshake, Retry] }
    }
}

static V1: Version = Version::v1([
    0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c, 0xad, 0xcc, 0xbb, 0x7f,
    0x0a,
]);

static V2: Version = Version::v2([
    0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d, 0xcb, 0xf9, 0xbd, 0x2e,
    0xd9,
]);

static V2_DRAFT: Version = Version::v2([
    0xa7, 0x07, 0xc2, 0x03, 0xa5, 0x9b, 0x47, 0x18, 0x4a, 0x1d, 0x62, 0xca, 0x57, 0x04, 0x06, 0xea, 0x7a, 0xe3, 0xe5,
    0xd3,
]);

static DRAFT_29: Version = Version::v1([
    0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11, 0xe0, 0x43, 0x90, 0xa8,
    0x99,
]);

static DRAFT_23: Version = Version::v1([
    0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63, 0x65, 0xbe, 0xf9, 0xf5,
    0x02,
]);

static DRAFT_21: Version = Version::v1([
    0x7f, 0xbc, 0xdb, 0x0e, 0x7c, 0x66, 0xbb, 0xe9, 0x19, 0x3a, 0x96, 0xcd, 0x21, 0x51, 0x9e, 0xbd, 0x7a, 0x02, 0x64,
    0x4a,
]);

static T050: Version = Version::v1([
    0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36, 0x7c, 0x60, 0x48, 0x83,
    0x10,
]);

static T051: Version = Version::v1([
    0x7a, 0x4e, 0xde, 0xf4, 0xe7, 0xcc, 0xee, 0x5f, 0xa4, 0x50, 0x6c, 0x19, 0x12, 0x4f, 0xc8, 0xcc, 0xda, 0x6e, 0x03,
    0x3d,
]);
