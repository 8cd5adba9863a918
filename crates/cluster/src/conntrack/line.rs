//! One line of `conntrack -E` or `conntrack -L`, in the forms of `-o timestamp`, `-o id` and `-o extended`.
//!
//! A line has a time in brackets, what happened, protocol name and number, a time-out, a state, and then two tuples of
//! `key=value`, the second of which begins with another `src=`. What this does not need is skipped, whatever it is.

use std::net::IpAddr;
use std::str::FromStr;

use weir_model::{Protocol, Timestamp, Tuple};

use super::{Event, Happened};

/// Why a line is no entry of connection tracking.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// There is no protocol's name with its number behind it.
    #[error("no protocol with its number")]
    NoProtocol,
    /// The addresses of a tuple are missing.
    #[error("no {0} in the {1} tuple")]
    Missing(&'static str, &'static str),
    /// A value is not what its key asks for.
    #[error("{key}={value} has no valid value")]
    Value {
        /// The key.
        key: &'static str,
        /// What was there.
        value: String,
    },
    /// The two tuples are of different versions of IP.
    #[error("addresses of IPv4 and IPv6 in one entry")]
    MixedFamilies,
    /// The line is longer than any entry.
    #[error("longer than {0} bytes")]
    TooLong(usize),
}

/// Reads a line; `None` for an empty one.
pub(super) fn parse(line: &str) -> Result<Option<Event>, LineError> {
    let mut rest = line.trim();
    if rest.is_empty() {
        return Ok(None);
    }
    let (mut at, mut happened) = (None, Happened::There);
    while let Some((word, behind)) = bracketed(rest) {
        match word {
            "NEW" => happened = Happened::New,
            "DESTROY" => happened = Happened::Destroyed,
            time if at.is_none() => at = Timestamp::parse(time).ok(),
            _ => {}
        }
        rest = behind.trim_start();
    }
    let protocol = protocol(rest)?;
    let mut tuples = [Half::default(), Half::default()];
    let (mut begun, mut zone, mut id) = (0, None, None);
    for (key, value) in rest.split_ascii_whitespace().filter_map(|word| word.split_once('=')) {
        if key == "src" {
            begun += 1;
        }
        let Some(half) = tuples.get_mut(usize::max(begun, 1) - 1) else { break };
        match key {
            "src" => half.src = Some(read("src", value)?),
            "dst" => half.dst = Some(read("dst", value)?),
            "sport" => half.sport = read("sport", value)?,
            "dport" => half.dport = read("dport", value)?,
            "zone" | "zone-orig" | "zone-reply" => zone = zone.or(Some(read("zone", value)?)),
            // ICMP has an id in each tuple; the entry's own comes last.
            "id" => id = u32::from_str(value).ok(),
            _ => {}
        }
    }
    let [original, reply] = tuples;
    let (original, reply) = (original.tuple(protocol, "original")?, reply.tuple(protocol, "reply")?);
    if original.src_ip.is_ipv4() != reply.src_ip.is_ipv4() {
        return Err(LineError::MixedFamilies);
    }
    let id = id.filter(|_| !protocol.is_icmp() || has_own_id(rest));
    Ok(Some(Event { happened, at, original, reply, zone, id }))
}

/// `[word] rest`.
fn bracketed(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = text.strip_prefix('[')?.split_once(']')?;
    Some((word.trim(), rest))
}

/// The number behind the protocol's name, which `-o extended` has behind the name and number of the version of IP.
fn protocol(text: &str) -> Result<Protocol, LineError> {
    let mut words = text.split_ascii_whitespace();
    if matches!(words.clone().next(), Some("ipv4" | "ipv6")) {
        words.nth(1);
    }
    let number = words.nth(1).and_then(|word| word.parse().ok());
    number.map(Protocol).ok_or(LineError::NoProtocol)
}

/// Whether an entry of ICMP has a third id, behind those of its tuples.
fn has_own_id(text: &str) -> bool {
    text.split_ascii_whitespace().filter(|word| word.starts_with("id=")).count() > 2
}

fn read<T: FromStr>(key: &'static str, value: &str) -> Result<T, LineError> {
    value.parse().map_err(|_| LineError::Value { key, value: value.chars().take(64).collect() })
}

/// One direction's addresses, as far as they were read.
#[derive(Default)]
struct Half {
    src: Option<IpAddr>,
    dst: Option<IpAddr>,
    sport: u16,
    dport: u16,
}

impl Half {
    fn tuple(self, protocol: Protocol, which: &'static str) -> Result<Tuple, LineError> {
        let src_ip = self.src.ok_or(LineError::Missing("src", which))?;
        let dst_ip = self.dst.ok_or(LineError::Missing("dst", which))?;
        if src_ip.is_ipv4() != dst_ip.is_ipv4() {
            return Err(LineError::MixedFamilies);
        }
        Ok(Tuple { protocol, src_ip, src_port: self.sport, dst_ip, dst_port: self.dport })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn event(line: &str) -> Event {
        parse(line).expect("an entry").expect("not empty")
    }

    fn tuple(protocol: Protocol, src: (&str, u16), dst: (&str, u16)) -> Tuple {
        let ip = |text: &str| text.parse().expect("an address");
        Tuple { protocol, src_ip: ip(src.0), src_port: src.1, dst_ip: ip(dst.0), dst_port: dst.1 }
    }

    #[test]
    fn reads_an_event_with_time_and_id() {
        let event = event(
            "[1795342149.126600]\t    [NEW] tcp      6 120 SYN_SENT src=10.244.1.11 dst=10.96.1.10 sport=60372 dport=80 \
             [UNREPLIED] src=10.244.2.10 dst=172.31.250.11 sport=8080 dport=23402 id=273209114",
        );
        assert_eq!((event.happened, event.id, event.zone), (Happened::New, Some(273_209_114), None));
        assert_eq!(event.at, Some(Timestamp(1_795_342_149_126_600_000)));
        assert_eq!(event.original, tuple(Protocol::TCP, ("10.244.1.11", 60_372), ("10.96.1.10", 80)));
        assert_eq!(event.reply, tuple(Protocol::TCP, ("10.244.2.10", 8_080), ("172.31.250.11", 23_402)));
    }

    #[test]
    fn reads_a_dump_with_counters_zone_and_the_version_of_ip() {
        let line = "ipv6     10 udp      17 28 src=fd00::11 dst=fd00::a sport=39142 dport=53 packets=1 bytes=83 \
                    src=fd00::13 dst=fd00::11 sport=53 dport=39142 packets=1 bytes=99 mark=0 zone=7 use=1";
        let event = event(line);
        assert_eq!((event.happened, event.at, event.zone, event.id), (Happened::There, None, Some(7), None));
        assert_eq!(event.reply, tuple(Protocol::UDP, ("fd00::13", 53), ("fd00::11", 39_142)));
    }

    #[test]
    fn icmp_has_no_ports_and_its_ids_are_not_the_entrys() {
        let line =
            "icmp     1 29 src=10.0.0.1 dst=10.0.0.2 type=8 code=0 id=77 src=10.0.0.2 dst=10.0.0.1 type=0 code=0 id=77";
        let plain = event(line);
        assert_eq!((plain.id, plain.original.src_port), (None, 0));
        assert_eq!(event(&format!("{line} mark=0 use=1 id=5")).id, Some(5));
    }

    #[test]
    fn times_of_the_kernel_and_marks_are_skipped() {
        let line = "[DESTROY] sctp     132 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 \
                    dport=1 [ASSURED] [OFFLOAD] delta-time=4 [start=Mon Feb 19 15:04:14 2024] [stop=Mon Feb 19 15:04:18 2024]";
        assert_eq!((event(line).happened, event(line).original.protocol), (Happened::Destroyed, Protocol::SCTP));
    }

    #[test]
    fn names_what_is_wrong() {
        let error = |line: &str| parse(line).expect_err("no entry").to_string();
        assert_eq!(
            error("conntrack v1.4.7 (conntrack-tools): 3 flow entries have been shown."),
            "no protocol with its number"
        );
        assert_eq!(error("tcp 6 src=10.0.0.1"), "no dst in the original tuple");
        assert_eq!(error("tcp 6 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2"), "no src in the reply tuple");
        assert_eq!(error("tcp 6 src=10.0.0 dst=10.0.0.2"), "src=10.0.0 has no valid value");
        assert_eq!(error("tcp 6 src=10.0.0.1 dst=10.0.0.2 sport=70000"), "sport=70000 has no valid value");
        assert_eq!(error("tcp 6 src=10.0.0.1 dst=::1 src=::1 dst=10.0.0.1"), "addresses of IPv4 and IPv6 in one entry");
        assert_eq!(parse(" \t"), Ok(None));
    }

    const PIECES: &[&str] =
        &["tcp", "6", "src=10.0.0.1", "dst=::1", "sport=1", "[NEW]", "[", "]", "=", "id=9", "zone=1", "[1.5]"];

    proptest! {
        #[test]
        fn nothing_panics(line in ".{0,200}") {
            let _ = parse(&line);
        }

        #[test]
        fn pieces_of_an_entry_never_panic(pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..20)) {
            let _ = parse(&pieces.join(" "));
        }
    }
}
