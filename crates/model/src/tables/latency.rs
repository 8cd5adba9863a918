//! The `latency` table.

use std::sync::Arc;

use super::party::OfFlow;
use crate::flow::names;
use crate::{FlowRow, Timestamp};

/// What a histogram measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// From a TCP SYN to its SYN+ACK.
    Handshake,
    /// From a DNS query to the end of its answer.
    Dns,
    /// From the end of an HTTP request to the first byte of its response.
    FirstByte,
    /// From a TLS client hello to the server's.
    TlsHello,
}

names!(Measure { Handshake = "handshake", Dns = "dns", FirstByte = "first-byte", TlsHello = "tls-hello" });

/// One row of `latency`.
#[derive(Clone, Debug)]
pub struct LatencyRow {
    /// A row of one of the flows measured, for what the edge has in common: who talked, through what, at which leg.
    pub flow: FlowRow,
    /// What was measured.
    pub measure: Measure,
    /// Start of the window.
    pub window_start: Timestamp,
    /// The values.
    pub histogram: Histogram,
}

/// Measured values, in microseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Histogram {
    /// How many.
    pub count: u64,
    /// Their sum.
    pub sum_us: u64,
    /// The smallest.
    pub min_us: u64,
    /// The largest.
    pub max_us: u64,
    /// All of them: an `HdrHistogram` in its V2 form.
    pub v2: Arc<[u8]>,
}

impl OfFlow for LatencyRow {
    fn flow_row(&self) -> &FlowRow {
        &self.flow
    }
}

/// Calls `$with! { name: type, group, documentation, value; ... }` with the columns of `latency` in order.
macro_rules! latency_columns {
    ($with:ident $($prefix:tt)*) => { $crate::edge_columns! { $with [$($prefix)*
        measure: Text, Identity, "What was measured: handshake (SYN to SYN+ACK), dns (query to answer), first-byte (end of an HTTP request to the first byte of its response), tls-hello (client hello to server hello).",
            |r| r.measure.name().into();
        leg: Text, Identity, "Where: client (veth of the opener's pod), server (veth of the other pod), transit. Never merge histograms of different legs. Null = nothing says.",
            |r| r.flow.seen.leg.map(|leg| leg.name()).into();
        is_primary: Bool, Identity, "The legs measured stand for their connections: each exchange is in one histogram where it is true. Null = undecided.",
            |r| r.flow.is_primary.into();

        cluster: Text, Tap, "Name of the cluster, as configured at the collector. Null = none configured.",
            |r| r.flow.cluster.as_ref().into();
        node: Text, Tap, "Node whose agent measured.",
            |r| r.flow.node.as_ref().into();

        window_start: Time, Time, "Start of the window of packet time in which the exchanges began.",
            |r| r.window_start.into();

        protocol: Text, Network, "IP protocol: tcp, udp.",
            |r| $crate::tables::protocol(r.flow.seen.flow.tuple.protocol);
        dst_port: Int32, Network, "The other side's port as the tap saw it.",
            |r| $crate::tables::port(r.flow.seen.flow.tuple.protocol, r.flow.seen.flow.tuple.dst_port);

        count: Int64, Latency, "How many values there are.",
            |r| r.histogram.count.into();
        sum_us: Int64, Latency, "Sum of the values, in microseconds.",
            |r| r.histogram.sum_us.into();
        min_us: Int64, Latency, "Smallest value, in microseconds.",
            |r| r.histogram.min_us.into();
        max_us: Int64, Latency, "Largest value, in microseconds.",
            |r| r.histogram.max_us.into();
        histogram: Bytes, Latency, "All values, in microseconds, two significant digits: an HdrHistogram in its V2 form, to be merged with others of the same leg without error.",
            |r| $crate::Value::Bytes(std::borrow::Cow::Borrowed(&r.histogram.v2));
        ] [] [] } };
}

use super::define_table;
latency_columns!(define_table LATENCY: LatencyRow, "latency",
    "Latencies of one edge at one leg in one window: from whom, through which Service, to whom. There may be several rows of one edge and window.";);

impl LatencyRow {
    /// The columns that are the same in all rows that may be merged: all but those of the values.
    pub fn is_key(name: &str) -> bool {
        !matches!(name, "count" | "sum_us" | "min_us" | "max_us" | "histogram")
    }
}
