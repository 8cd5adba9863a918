//! The recordings, and what their pods resolved: every Service and every name as the truth says, none that it does not.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;
use weir_capture::CaptureFile;
use weir_cluster::{Resolved, ResolvedLimits, Snapshot, SnapshotOptions, attribute, manifests};
use weir_flow::{FlowSink, NoRoom, Tracker, TrackerConfig};
use weir_model::{AttributedFlow, EndReason, EndpointKind, Flow, PodRef, Request, ServiceMethod, Tap, TapRole};

fn recordings(mode: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/lab-capture").join(mode)
}

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

/// Names what a tap reports, as it reports it.
struct Naming<'a> {
    snapshot: &'a Snapshot,
    resolved: &'a mut Resolved,
    tap: Arc<Tap>,
    flows: Vec<AttributedFlow>,
}

impl FlowSink for Naming<'_> {
    fn offer(&mut self, flow: Flow) -> Result<(), Flow> {
        let seen = attribute(self.snapshot, &self.tap, flow);
        self.flows.push(self.resolved.name(self.snapshot, seen));
        Ok(())
    }

    fn request(&mut self, flow: Flow, request: Request) -> Result<(), NoRoom> {
        self.resolved.learn(&attribute(self.snapshot, &self.tap, flow), &request);
        Ok(())
    }
}

/// What all taps of a mode saw, scenario after scenario.
struct Replayed {
    flows: Vec<AttributedFlow>,
    events: Vec<Value>,
}

fn replay(mode: &str) -> Replayed {
    let loaded = manifests::load(&recordings(mode).join("manifests")).unwrap_or_else(|error| panic!("{error}"));
    let snapshot = Snapshot::build(&loaded.objects, &SnapshotOptions::default());
    let topology = json(&recordings(mode).join("topology.json"));
    let mut truths: Vec<(PathBuf, Value)> = fs::read_dir(recordings(mode))
        .expect("recordings")
        .map(|entry| entry.expect("an entry").path())
        .filter(|folder| folder.join("truth.json").is_file())
        .map(|folder| (folder.clone(), json(&folder.join("truth.json"))))
        .collect();
    let start = |truth: &Value| truth["events"][0]["ts_start"].as_f64().expect("a time");
    truths.sort_by(|a, b| start(&a.1).total_cmp(&start(&b.1)));
    let mut resolved = Resolved::new(ResolvedLimits::default());
    let mut replayed = Replayed { flows: Vec::new(), events: Vec::new() };
    for (folder, truth) in truths {
        replayed.events.extend(truth["events"].as_array().expect("events").iter().cloned());
        for file in fs::read_dir(folder).expect("a folder") {
            let path = file.expect("an entry").path();
            if let Some(tap) = tap_of(&path, &topology) {
                let mut naming =
                    Naming { snapshot: &snapshot, resolved: &mut resolved, tap: Arc::new(tap), flows: Vec::new() };
                run(&path, &mut naming);
                replayed.flows.append(&mut naming.flows);
            }
        }
    }
    replayed
}

/// The tap that a file is of: a pod's veth, or a node's uplink.
fn tap_of(path: &Path, topology: &Value) -> Option<Tap> {
    let name = path.file_name()?.to_str()?.strip_suffix(".pcap")?;
    let (node, vantage) = name.split_once('.').filter(|(node, _)| node.starts_with("node-"))?;
    let interface = Arc::from(format!("{node}.{vantage}"));
    if vantage == "eth0" {
        return Some(Tap { interface, role: TapRole::Uplink, pod: None, sampling: 1 });
    }
    let pod = &topology["pods"][vantage.strip_prefix("veth-")?];
    let pod = PodRef { namespace: pod["ns"].as_str()?.into(), name: pod["name"].as_str()?.into() };
    Some(Tap { interface, role: TapRole::Pod, pod: Some(pod), sampling: 1 })
}

fn run(path: &Path, naming: &mut Naming<'_>) {
    let mut file = CaptureFile::open(path).expect("a capture");
    let mut tracker = Tracker::new(TrackerConfig::default());
    while let Some(frame) = file.next_frame().expect("a whole capture") {
        tracker.observe(&frame, naming);
    }
    tracker.finish(EndReason::CaptureEnd, naming);
}

fn socket(value: &Value) -> Option<(IpAddr, u16)> {
    Some((value["ip"].as_str()?.parse().ok()?, u16::try_from(value["port"].as_u64()?).ok()?))
}

/// The flow of an event at its client's own veth.
fn client_leg<'a>(flows: &'a [AttributedFlow], event: &Value) -> Option<&'a AttributedFlow> {
    let (src, dst) = (socket(&event["client"])?, socket(&event["dst"])?);
    let pod = event["client"]["pod"].as_str()?;
    flows.iter().find(|seen| {
        let tuple = seen.flow.tuple;
        (tuple.src_ip, tuple.src_port) == src
            && (tuple.dst_ip, tuple.dst_port) == dst
            && seen.tap.pod.as_ref().is_some_and(|own| own.to_string() == pod)
    })
}

#[test]
fn every_event_has_the_service_and_the_name_that_its_pod_was_led_by() {
    let (mut checked, mut led) = (0, 0);
    for mode in ["routed", "bridge", "vxlan"] {
        let Replayed { flows, events } = replay(mode);
        for event in events.iter().filter(|event| event["client"]["pod"].is_string()) {
            let seen = client_leg(&flows, event).unwrap_or_else(|| panic!("{mode}: not seen: {event}"));
            let service = seen.service.as_ref().and_then(|service| service.used.as_ref());
            let told = service.map(|used| format!("{}/{}", used.namespace, used.name));
            assert_eq!(told.as_deref(), event["service"].as_str(), "{mode}: {event}");
            let by_name = matches!(event["via"].as_str(), Some("Headless" | "ExternalName"));
            let method = seen.service.as_ref().and_then(|service| service.method);
            assert_eq!(method == Some(ServiceMethod::Dns), by_name, "{mode}: {event}");
            let name = (event["via"] == "ExternalName").then_some("legacy.shop.svc.cluster.local");
            assert_eq!(seen.dst.dns_name.as_deref(), name, "{mode}: {event}");
            checked += 1;
            led += usize::from(by_name);
        }
        let named = flows.iter().filter(|seen| seen.dst.dns_name.is_some() || seen.src.dns_name.is_some());
        for seen in named {
            assert_eq!(
                (seen.dst.kind, &*seen.tap.interface),
                (EndpointKind::External, "node-a.veth-client"),
                "{seen:?}"
            );
        }
    }
    assert!(checked >= 60 && led == 3, "{checked} events, {led} led by a name");
}
