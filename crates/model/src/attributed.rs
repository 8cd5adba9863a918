//! A flow with what one tap and one snapshot of the cluster can say about it.

use std::sync::Arc;

use crate::flow::names;
use crate::{Endpoint, Flow, PodRef, Request, Service};

/// What kind of interface a tap watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TapRole {
    /// The host end of a pod's veth.
    Pod,
    /// A node's uplink.
    Uplink,
    /// Something else, or not known.
    Other,
}

names!(TapRole { Pod = "pod", Uplink = "uplink", Other = "other" });

/// Where frames were seen. Shared behind `Arc` by all flows of the tap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tap {
    /// Interface name, or the capture file's name without folder and ending.
    pub interface: Arc<str>,
    /// What it watches.
    pub role: TapRole,
    /// The pod behind it, for [`TapRole::Pod`] where it is known.
    pub pod: Option<PodRef>,
    /// One packet in how many was counted; 1 = every one.
    pub sampling: u32,
}

/// The part a tap plays in a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Leg {
    /// The veth of the opener's pod.
    Client,
    /// The veth of the other side's pod.
    Server,
    /// An uplink, or anything else.
    Transit,
}

names!(Leg { Client = "client", Server = "server", Transit = "transit" });

/// A flow's report with its endpoints and Service: all that an agent can say alone.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributedFlow {
    /// The report.
    pub flow: Flow,
    /// The tap that saw it.
    pub tap: Arc<Tap>,
    /// The tap's part; `None` where nothing says (a lone capture file).
    pub leg: Option<Leg>,
    /// The opener.
    pub src: Arc<Endpoint>,
    /// The other side.
    pub dst: Arc<Endpoint>,
    /// The Service used; `None` where no Service has anything to do with it.
    pub service: Option<Arc<Service>>,
}

/// A request with its flow.
#[derive(Clone, Debug, PartialEq)]
pub struct AttributedRequest {
    /// The flow as it stood when the request was over ([`crate::Report::Start`]); the requests of one flow in a batch
    /// share it.
    pub flow: Arc<AttributedFlow>,
    /// The request.
    pub request: Request,
}
