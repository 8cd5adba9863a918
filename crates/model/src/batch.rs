//! What an agent sends: flows with their names, coverage and losses, numbered within one run.

use std::fmt;
use std::sync::Arc;

use crate::flow::names;
use crate::{AttributedFlow, AttributedRequest, PodRef, PolicyLog, TapRole, Timestamp, Translation};

/// One start of an agent's program: a random 128-bit id. Sequences and flow ids count within it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u128);

impl RunId {
    /// Reads the 32 hexadecimal digits of [`RunId`]'s `Display`.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32).then(|| u128::from_str_radix(text, 16).ok().map(Self)).flatten()
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// All that one node reports at once.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The node's name.
    pub node: Arc<str>,
    /// The run of the agent.
    pub run: RunId,
    /// Counts up from 1 within the run.
    pub sequence: u64,
    /// Reports of flows.
    pub flows: Vec<AttributedFlow>,
    /// Requests.
    pub requests: Vec<AttributedRequest>,
    /// Taps that are watching, were closed, or could not be opened.
    pub coverage: Vec<Coverage>,
    /// What was not seen or not kept.
    pub losses: Vec<Loss>,
    /// What the node\'s packet filter logged.
    pub policy_logs: Vec<PolicyLog>,
    /// How the node rewrites connections, as far as that is new.
    pub translations: Vec<Translation>,
    /// How the agent's inputs beside its taps stand, those that have news.
    pub inputs: Vec<Input>,
}

/// How an input of an agent beside its taps stands: what else the node's kernel could tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Input {
    /// Which: conntrack, nflog-1 (a group of the packet filter's log).
    pub name: Arc<str>,
    /// Since when it has stood so.
    pub since: Timestamp,
    /// Why it is not heard, and what is lost by that; `None` = it is heard.
    pub problem: Option<Arc<str>>,
}

/// A span of packet time in which a tap was watching, or in which a pod had no tap.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Coverage {
    /// Interface name; `None` where there is no tap.
    pub interface: Option<Arc<str>>,
    /// What the tap watches.
    pub role: TapRole,
    /// The pod, where it is known.
    pub pod: Option<PodRef>,
    /// From when.
    pub from_ts: Timestamp,
    /// Until when; `None` = still watching when the batch was made (such an entry is not stored).
    pub to_ts: Option<Timestamp>,
    /// Why the pod has no tap; `None` for a tap.
    pub reason: Option<Arc<str>>,
}

/// Where something was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LossStage {
    /// The kernel dropped frames because the tap's ring was full.
    Kernel,
    /// The network card dropped frames.
    Interface,
    /// A capture file ended in the middle of a record or could not be read on.
    File,
    /// Closed flows found no room in the queue between capture and sending.
    Queue,
    /// The kernel dropped news of connection tracking that were not read in time; how many is not known.
    Conntrack,
    /// The kernel dropped records of the packet filter's log that were not read in time; how many is not known.
    Nflog,
    /// Unacked batches were over their cap in memory.
    Unacked,
    /// Unacked batches were over their cap on disk, or could not be read from there.
    Spool,
    /// A batch that the collector can never take.
    Wire,
    /// A slow reader of a live tail missed rows (never stored).
    Tail,
}

names!(LossStage {
    Kernel = "kernel", Interface = "interface", File = "file", Queue = "queue", Conntrack = "conntrack",
    Nflog = "nflog", Unacked = "unacked", Spool = "spool", Wire = "wire", Tail = "tail",
});

/// Something not seen or not kept, counted where it happened. A count of `None` is not known at that stage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Loss {
    /// The stage.
    pub stage: LossStage,
    /// The tap, where it happened at one.
    pub interface: Option<Arc<str>>,
    /// Start of the span (packet time).
    pub from_ts: Timestamp,
    /// End of the span (packet time).
    pub to_ts: Timestamp,
    /// Packets lost.
    pub packets: Option<u64>,
    /// IP bytes lost.
    pub bytes: Option<u64>,
    /// Rows lost.
    pub rows: Option<u64>,
}

impl Loss {
    /// Adds another loss of the same stage and tap. A count that one of them does not know is not known of both.
    pub fn add(&mut self, more: &Self) {
        let sum = |a: Option<u64>, b: Option<u64>| Some(a?.saturating_add(b?));
        self.from_ts = self.from_ts.min(more.from_ts);
        self.to_ts = self.to_ts.max(more.to_ts);
        self.packets = sum(self.packets, more.packets);
        self.bytes = sum(self.bytes, more.bytes);
        self.rows = sum(self.rows, more.rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_ids_print_and_read_back() {
        let run = RunId(0xabc);
        assert_eq!(RunId::parse(&run.to_string()), Some(run));
        assert_eq!(RunId::parse("abc"), None);
        assert_eq!(RunId::parse(&"g".repeat(32)), None);
    }
}
