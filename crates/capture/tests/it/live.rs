//! A live tap on the loopback interface of a network namespace that the test makes: it needs root.

use std::net::UdpSocket;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::MetadataExt;
use std::process::Command;
use std::time::{Duration, Instant};

use weir_capture::{LiveError, LiveOptions, LiveTap};
use weir_model::LinkType;

#[expect(clippy::disallowed_methods, reason = "only CI insists on root")]
fn is_ci() -> bool {
    std::env::var("CI").as_deref() == Ok("true")
}

#[test]
fn a_live_tap_sees_what_is_sent_cut_to_its_snap_length() {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !is_root {
        assert!(!is_ci(), "live taps need root");
        eprintln!("skipped: live taps need root");
        return;
    }
    let program = std::env::current_exe().expect("this program has a path");
    let run = Command::new("unshare")
        .args([
            "--net",
            "sh",
            "-c",
            "ip link set lo up && exec \"$0\" --exact live::inside_a_namespace --ignored --nocapture",
        ])
        .arg(program)
        .output()
        .expect("unshare runs");
    let shown = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success() && shown.contains("1 passed"), "{shown}{}", String::from_utf8_lossy(&run.stderr));
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
