//! A live tap on the loopback interface of a network namespace that the test makes: it needs root.

use std::collections::HashSet;
use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use weir_capture::{ExchangeStep, LiveError, LiveOptions, LiveTap};
use weir_model::{Frame, LinkType};

#[expect(clippy::disallowed_methods, reason = "only CI insists on root")]
fn is_ci() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}

/// Runs one of the tests below in a network namespace of its own, after `set_up`.
fn in_a_namespace(test: &str, set_up: &str) {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root {
        assert!(!is_ci(), "live taps need root");
        eprintln!("skipped: live taps need root");
        return;
    }
    let program = std::env::current_exe().expect("this program has a path");
    let script = format!("ip link set lo up && {set_up} && exec \"$0\" --exact live::{test} --ignored --nocapture");
    let run = Command::new("unshare").args(["--net", "sh", "-c", &script]).arg(program).output().expect("unshare runs");
    let shown = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && shown.contains("1 passed"), "{shown}{}", String::from_utf8_lossy(&run.stderr));
}

#[test]
fn a_live_tap_sees_what_is_sent_cut_to_its_snap_length() {
    in_a_namespace("inside_a_namespace", "true");
}

#[test]
fn rings_are_exchanged_without_a_frame_missed_or_seen_twice() {
    let veth = "ip link add va type veth peer name vb && sysctl -qw net.ipv6.conf.all.disable_ipv6=1 \
        && ip addr add 10.9.0.1/24 dev va && ip neigh add 10.9.0.2 lladdr 02:00:00:00:00:02 dev va \
        && ip link set va up && ip link set vb up";
    in_a_namespace("exchanging_while_flooded", veth);
}

/// Sends numbered datagrams out of the veth until it is told to stop. Returns how many there were.
fn flood(stop: &AtomicBool) -> u64 {
    let socket = UdpSocket::bind("10.9.0.1:0").expect("a socket");
    let (mut sent, start) = (0_u64, Instant::now());
    while !stop.load(Ordering::Relaxed) && start.elapsed() < Duration::from_secs(20) {
        let mut datagram = [0; 200];
        datagram[..8].copy_from_slice(&sent.to_be_bytes());
        sent += u64::from(socket.send_to(&datagram, "10.9.0.2:9").is_ok());
    }
    sent
}

/// Ethernet, IPv4 and UDP in front of a datagram's number.
const NUMBER_AT: usize = 14 + 20 + 8;

#[test]
#[ignore = "run by a test above, in a namespace of its own"]
fn exchanging_while_flooded() {
    let options = LiveOptions { ring_bytes: 1 << 20, batch_timeout_ms: 10, ..LiveOptions::default() };
    let mut tap = LiveTap::open("va", &options).expect("the veth can be tapped");
    let stop = AtomicBool::new(false);
    let (mut seen, mut repeated, mut late, mut next) = (0_u64, 0_u64, 0_u64, 0_u64);
    let mut numbers = HashSet::new();
    let mut note = |frame: &Frame<'_>| {
        let number = u64::from_be_bytes(frame.bytes[NUMBER_AT..NUMBER_AT + 8].try_into().expect("eight bytes"));
        seen += 1;
        repeated += u64::from(!numbers.insert(number));
        late += u64::from(number < next);
        next = number + 1;
    };
    let sent = thread::scope(|threads| {
        let sender = threads.spawn(|| flood(&stop));
        for bytes in [8 << 20, 256 << 10, 2 << 20, 16 << 20, 1 << 20] {
            tap.exchange_ring(bytes).expect("another ring");
            loop {
                let until = Instant::now() + tap.exchange_pause();
                while Instant::now() < until {
                    tap.read(&mut note).expect("frames");
                }
                if tap.go_on(&mut note).expect("the exchange goes on") == ExchangeStep::Done {
                    break;
                }
            }
            assert_eq!(tap.ring_bytes(), bytes);
        }
        stop.store(true, Ordering::Relaxed);
        sender.join().expect("the sender ends")
    });
    let until = Instant::now() + tap.exchange_pause();
    while Instant::now() < until {
        tap.read(&mut note).expect("frames");
    }
    let stats = tap.stats().expect("counters");
    eprintln!("{sent} sent, {seen} seen, {repeated} repeated, {late} late, {stats:?}");
    assert!(sent > 1_000, "{sent}");
    assert_eq!(repeated, 0);
    assert_eq!(seen + stats.kernel_dropped, sent);
    assert!(late <= 5, "{late}: in order, but for the last block of each ring");
}

#[test]
#[ignore = "run by the test above, in a namespace of its own"]
fn inside_a_namespace() {
    let options = LiveOptions { snap_len: 60, ring_bytes: 4 << 20, batch_timeout_ms: 10, ..LiveOptions::default() };
    let mut tap = LiveTap::open("lo", &options).expect("the loopback interface can be tapped");
    assert_eq!((tap.link(), tap.interface().as_ref()), (LinkType::ETHERNET, "lo"));
    assert!(tap.as_fd().as_raw_fd() >= 0);
    assert_eq!(tap.read(|_| ()).expect("an idle tap can be read"), 0);
    let (from, to) = (UdpSocket::bind("127.0.0.1:0"), UdpSocket::bind("127.0.0.1:0"));
    let (from, to) = (from.expect("a socket"), to.expect("a socket"));
    let address = to.local_addr().expect("an address");
    for _ in 0..100 {
        from.send_to(&[7; 1_000], address).expect("loopback takes it");
    }
    let mut frames = Vec::new();
    let start = Instant::now();
    while frames.len() < 100 && start.elapsed() < Duration::from_secs(5) {
        tap.read(|frame| frames.push((frame.wire_len, frame.bytes.len(), frame.time))).expect("the tap can be read");
        std::thread::yield_now();
    }
    assert_eq!(frames.len(), 100);
    assert!(frames.iter().all(|(wire, kept, _)| (*wire, *kept) == (14 + 20 + 8 + 1_000, 60)), "{frames:?}");
    assert!(frames.iter().any(|(_, _, time)| time.subsec_nanos() % 1_000 != 0), "times have nanoseconds");
    let stats = tap.stats().expect("counters");
    assert_eq!((stats.received >= 100, stats.kernel_dropped, stats.interface_dropped), (true, 0, 0));
    let missing = LiveTap::open("no-such-if", &options).err();
    assert!(matches!(missing, Some(LiveError::Open { .. })));
}
