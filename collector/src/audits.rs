//! How connections fared beside their verdicts, counted when the first row that stands for them is settled.

use std::sync::atomic::{AtomicU64, Ordering};

use weir_model::{Audit, FlowRow, Verdict};

/// Counts since the start of the collector.
#[derive(Debug, Default)]
pub(crate) struct AuditCounts {
    /// By verdict, then by audit, in the order of their lists.
    counts: [[AtomicU64; Audit::ALL.len()]; Verdict::ALL.len()],
}

impl AuditCounts {
    /// Counts the row's connection, where it stands for one that has a verdict and begins here.
    pub(crate) fn note(&self, row: &FlowRow) {
        let is_one = row.is_primary == Some(true) && row.seen.flow.is_first;
        let (Some(judgement), Some(audit), true) = (&row.judgement, row.audit, is_one) else { return };
        for (_, _, count) in self.each().filter(|(verdict, of, _)| (*verdict, *of) == (judgement.verdict(), audit)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each verdict and audit with its count.
    pub(crate) fn all(&self) -> impl Iterator<Item = (Verdict, Audit, u64)> {
        self.each().map(|(verdict, audit, count)| (verdict, audit, count.load(Ordering::Relaxed)))
    }

    fn each(&self) -> impl Iterator<Item = (Verdict, Audit, &AtomicU64)> {
        let verdicts = Verdict::ALL.iter().zip(&self.counts);
        verdicts
            .flat_map(|(verdict, counts)| Audit::ALL.iter().zip(counts).map(|(audit, count)| (*verdict, *audit, count)))
    }
}
