//! The public captures with their expected results, scored by the scorer that comes with them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use weir_capture::CaptureFile;
use weir_flow::{IdleTimes, Tracker, TrackerConfig};
use weir_model::{EndReason, Flow, Timestamp};

/// The examples' folder; `None` = absent, which only passes outside CI.
#[expect(clippy::disallowed_methods, reason = "a test finds its examples by the environment")]
pub(crate) fn examples() -> Option<PathBuf> {
    let default = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/examples");
    let folder = std::env::var_os("WEIR_EXAMPLES").map_or(default, PathBuf::from);
    if folder.is_dir() {
        return Some(folder);
    }
    assert!(std::env::var("CI").as_deref() != Ok("true"), "no examples at {}", folder.display());
    eprintln!("skipped: no examples at {} (set WEIR_EXAMPLES)", folder.display());
    None
}

/// All flows of a file with one report each, the number of frames, and the error at the end if there was one.
pub(crate) fn replay(path: &Path, config: TrackerConfig) -> (Vec<Flow>, Tracker, Option<String>) {
    let (mut tracker, mut flows) = (Tracker::new(config), Vec::new());
    let error = match CaptureFile::open(path) {
        Err(error) => Some(error.to_string()),
        Ok(mut file) => loop {
            match file.next_frame() {
                Ok(Some(frame)) => tracker.observe(&frame, &mut flows),
                Ok(None) => break None,
                Err(error) => break Some(error.to_string()),
            }
        },
    };
    tracker.finish(EndReason::CaptureEnd, &mut flows);
    (flows, tracker, error)
}

/// A configuration that makes one report of each flow.
pub(crate) fn totals() -> TrackerConfig {
    TrackerConfig { window_ns: None, idle: IdleTimes::never(), ..TrackerConfig::default() }
}

fn line(file: &str, flow: &Flow) -> Value {
    let (t, c) = (&flow.tuple, &flow.counters);
    let mut line = json!({
        "file": file, "src_ip": t.src_ip.to_string(), "src_port": t.src_port,
        "dst_ip": t.dst_ip.to_string(), "dst_port": t.dst_port, "protocol": t.protocol.0,
        "packets_fwd": c.fwd.packets, "packets_rev": c.rev.packets,
        "bytes_fwd": c.fwd.bytes, "bytes_rev": c.rev.bytes,
        "first_ts": seconds(flow.first_ts), "last_ts": seconds(flow.last_ts),
        "vlan": flow.vlan,
        "tunnel": flow.tunnel.iter().map(|t| json!({"type": t.kind.name(), "id": t.id})).collect::<Vec<_>>(),
        "icmp": flow.icmp.iter().map(|i| json!({"type": i.kind, "code": i.code})).collect::<Vec<_>>(),
    });
    if let (Some(tcp), Some(line)) = (&flow.tcp, line.as_object_mut()) {
        line.insert("tcp_flags_fwd".into(), json!(tcp.flags.fwd.0));
        line.insert("tcp_flags_rev".into(), json!(tcp.flags.rev.0));
        line.insert("handshake_rtt_us".into(), json!(tcp.handshake_rtt_us));
        line.insert("retransmits_fwd".into(), json!(tcp.retransmits.fwd));
        line.insert("retransmits_rev".into(), json!(tcp.retransmits.rev));
    }
    line
}

fn seconds(time: Timestamp) -> String {
    time.to_string()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the captures' folder can be listed");
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".expected.json").map(str::to_owned))
        .collect();
    names.sort();
    names
}

#[test]
fn flows_of_the_public_captures_are_as_expected() {
    let Some(examples) = examples() else { return };
    let captures = examples.join("captures");
    let mut lines = String::new();
    for name in names(&captures) {
        let (flows, tracker, error) = replay(&captures.join(&name), totals());
        for flow in &flows {
            writeln!(lines, "{}", line(&name, flow)).expect("a string takes everything");
        }
        let run = json!({"file": name, "run": {
            "exit": i32::from(error.is_some()), "signal": null, "timeout": false, "packets_read": tracker.counts().frames,
        }});
        writeln!(lines, "{run}").expect("a string takes everything");
    }
    let folder = tempfile::tempdir().expect("a temporary folder");
    let input = folder.path().join("flows.jsonl");
    fs::write(&input, lines).expect("the flows can be written");
    let run = Command::new("python3")
        .arg(examples.join("compare_captures.py"))
        .args(["--captures".as_ref(), captures.as_os_str()])
        .args(["--details", "--bytes", "ip"])
        .arg(&input)
        .output()
        .expect("python3 runs the scorer");
    let shown = String::from_utf8_lossy(&run.stdout);
    println!("{shown}{}", String::from_utf8_lossy(&run.stderr));
    for (tier, least) in [("core", 0.99), ("stretch", 0.9), ("robustness", 0.99)] {
        let total =
            shown.lines().find_map(|line| line.strip_prefix(&format!("TOTAL {tier}"))?.split_whitespace().next());
        let score: f64 = total.and_then(|score| score.parse().ok()).expect("the scorer gives a total for each tier");
        assert!(score >= least, "{tier}: {score}, expected at least {least}");
    }
}
