//! A live interface as a tap: what the operator said of it in, and what the node says where he did not, out comes the tap.

use std::sync::Arc;

use rustix::thread::{CapabilitySet, capabilities};
use tracing::warn;
use weir_capture::LiveOptions;
use weir_cluster::Snapshot;
use weir_model::{PodRef, Tap, TapRole, Timestamp};
use weir_service::clock::Clock;

use super::netns::{NetlinkError, Owner, owner_of};
use super::{TapSource, TapSpec};
use crate::live::{Capture, LiveSource, Rings};

/// Whether this thread may open live taps.
pub(crate) fn may_capture() -> bool {
    capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::NET_RAW))
}

/// Opens a tap on each interface that is asked for by name. All that cannot be opened are reported.
pub(crate) fn open_interfaces(
    specs: &[TapSpec],
    snapshot: &Snapshot,
    node: &str,
    (options, rings): (&LiveOptions, &Arc<Rings>),
    clock: &Arc<dyn Clock>,
) -> Result<Vec<LiveSource>, Vec<String>> {
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    for spec in specs {
        let TapSource::Interface(name) = &spec.source else { continue };
        let tap = Arc::new(live_tap(name, spec, snapshot, node));
        match Capture::open(name, options, rings) {
            Ok(capture) => sources.push(LiveSource { capture, tap, since: Timestamp(clock.now_ns()) }),
            Err(error) => problems.push(format!("{:#}", anyhow::Error::new(error))),
        }
    }
    if problems.is_empty() { Ok(sources) } else { Err(problems) }
}

/// Says what `interface` is and whose. A role or pod in `spec` counts before anything that is found out; what cannot be
/// found out is a warning, and the pod is then unknown.
pub fn live_tap(interface: &str, spec: &TapSpec, snapshot: &Snapshot, node: &str) -> Tap {
    let (role, pod) = match (spec.role, &spec.pod) {
        (Some(role), Some(pod)) => (role, Some(pod.clone())),
        (None, Some(pod)) => (TapRole::Pod, Some(pod.clone())),
        (Some(role @ (TapRole::Uplink | TapRole::Other)), None) => (role, None),
        (Some(TapRole::Pod), None) => (TapRole::Pod, find(interface, snapshot, node).1),
        (None, None) => find(interface, snapshot, node),
    };
    Tap { interface: Arc::from(interface), role, pod, sampling: 1 }
}

fn find(interface: &str, snapshot: &Snapshot, node: &str) -> (TapRole, Option<PodRef>) {
    match owner_of(interface, snapshot, node) {
        Ok(Owner::Node) => (TapRole::Uplink, None),
        Ok(Owner::Pod(pod)) => (TapRole::Pod, Some(pod)),
        Ok(Owner::UnknownPod(why)) => {
            warn!(interface, "the pod of this tap is unknown, and with it the leg of its flows: {why}");
            (TapRole::Pod, None)
        }
        // What is no interface, such as `any`, is nobody's; whether it can be a tap is seen when it is opened.
        Err(NetlinkError::NoInterface(_)) => (TapRole::Other, None),
        Err(error) => {
            let error = anyhow::Error::new(error);
            warn!(interface, "what this tap is cannot be found out: {error:#}");
            (TapRole::Other, None)
        }
    }
}
