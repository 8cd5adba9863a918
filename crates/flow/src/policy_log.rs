//! Records of netfilter's log: a frame in, what was logged about its packet out.
//!
//! A record is a family, a version, a group, and attributes with their lengths (`linux/netfilter/nfnetlink_log.h`). Values are
//! big endian, lengths and kinds in the byte order of the capturing host.

use std::sync::Arc;

use weir_model::{Frame, LinkType, PolicyLog, TcpFlags, Timestamp, Tuple};

use crate::counts::Skipped;
use crate::decode::Decoder;
use crate::packet::{Detail, Packet};

const NFULA_TIMESTAMP: u16 = 3;
const NFULA_PREFIX: u16 = 10;

impl Decoder {
    /// What the record in a frame says; an error where it holds no packet.
    pub fn policy_log(&mut self, frame: &Frame<'_>) -> Result<PolicyLog, Skipped> {
        if frame.link != LinkType::NFLOG {
            return Err(Skipped::UnknownLink);
        }
        let packet = self.decode(frame)?;
        let [_, _, group_0, group_1, ..] = *frame.bytes else { return Err(Skipped::Truncated) };
        let mut log = PolicyLog {
            ts: frame.time,
            tuple: tuple(&packet),
            isn: None,
            group: u16::from_be_bytes([group_0, group_1]),
            prefix: Arc::from(""),
        };
        if let Detail::Tcp(segment) = packet.detail
            && segment.flags.contains(TcpFlags::SYN)
            && !segment.flags.contains(TcpFlags::ACK)
        {
            log.isn = Some(segment.seq);
        }
        for (kind, value) in attributes(frame.bytes) {
            match kind {
                NFULA_TIMESTAMP => log.ts = timestamp(value).unwrap_or(log.ts),
                NFULA_PREFIX => {
                    let text = value.split(|byte| *byte == 0).next().unwrap_or_default();
                    log.prefix = String::from_utf8_lossy(text).into();
                }
                _ => {}
            }
        }
        Ok(log)
    }
}

fn tuple(packet: &Packet) -> Tuple {
    let speakers = &packet.speakers;
    let upward = Tuple {
        protocol: speakers.protocol,
        src_ip: speakers.lower.ip(speakers.v6),
        src_port: speakers.lower_port,
        dst_ip: speakers.upper.ip(speakers.v6),
        dst_port: speakers.upper_port,
    };
    if packet.upward { upward } else { upward.reversed() }
}

/// Seconds and microseconds, 64 bits each.
fn timestamp(value: &[u8]) -> Option<Timestamp> {
    let (seconds, micros) = (value.get(..8)?.try_into().ok()?, value.get(8..16)?.try_into().ok()?);
    let (seconds, micros) = (i64::from_be_bytes(seconds), i64::from_be_bytes(micros));
    seconds.checked_mul(1_000_000)?.checked_add(micros).map(Timestamp::from_micros)
}

/// Kinds and values up to the first attribute that cannot be whole.
fn attributes(record: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut rest = record.get(4..).unwrap_or_default();
    std::iter::from_fn(move || {
        let [len_0, len_1, kind_0, kind_1, ..] = *rest else { return None };
        let (mut len, mut kind) = (u16::from_le_bytes([len_0, len_1]), u16::from_le_bytes([kind_0, kind_1]));
        if kind.swap_bytes() < kind {
            (len, kind) = (len.swap_bytes(), kind.swap_bytes());
        }
        let len = usize::from(len);
        let value = rest.get(4..len)?;
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}
