//! Bytes of capture files, counted here and by nothing that is tested: Ethernet, IPv4 or IPv6, ports.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use weir_model::{Protocol, Tuple};

/// IP bytes of each tuple in classic capture files of Ethernet, both directions together.
pub(crate) fn ip_bytes(paths: &[std::path::PathBuf]) -> HashMap<Tuple, u64> {
    let mut counted = HashMap::new();
    for path in paths {
        each_frame(path, |frame| {
            if let Some((tuple, bytes)) = packet(frame) {
                *counted.entry(tuple.canonical()).or_default() += bytes;
            }
        });
    }
    counted
}

fn each_frame(path: &Path, mut each: impl FnMut(&[u8])) {
    let file = std::fs::read(path).expect("readable");
    let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().expect("four bytes"));
    assert!(matches!(number(0), 0xa1b2_c3d4 | 0xa1b2_3c4d), "{}", path.display());
    assert_eq!(number(20), 1, "Ethernet: {}", path.display());
    let mut at = 24;
    while at + 16 <= file.len() {
        let length = number(at + 8) as usize;
        each(&file[at + 16..at + 16 + length]);
        at += 16 + length;
    }
}

fn packet(frame: &[u8]) -> Option<(Tuple, u64)> {
    let short = |bytes: &[u8], at: usize| Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let ip = frame.get(14..)?;
    let (protocol, src_ip, dst_ip, bytes, header): (u8, IpAddr, IpAddr, u64, usize) = match short(frame, 12)? {
        0x0800 => {
            let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(ip.get(at..at + 4)?).ok()?).into());
            (*ip.get(9)?, address(12)?, address(16)?, short(ip, 2)?.into(), usize::from(ip.first()? & 15) * 4)
        }
        0x86dd => {
            let address = |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(ip.get(at..at + 16)?).ok()?).into());
            (*ip.get(6)?, address(8)?, address(24)?, u64::from(short(ip, 4)?) + 40, 40)
        }
        _ => return None,
    };
    let protocol = Protocol(protocol);
    if !protocol.has_ports() {
        return None;
    }
    let (src_port, dst_port) = (short(ip, header)?, short(ip, header + 2)?);
    Some((Tuple { protocol, src_ip, src_port, dst_ip, dst_port }, bytes))
}
