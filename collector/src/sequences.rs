//! Which batches the journal has: the highest sequence of each run. Part of the journal's checkpoint.

use std::collections::BTreeMap;
use std::sync::Arc;

use weir_model::RunId;

/// The highest sequence of each run that is in the journal.
///
/// Cap: [`MAX_RUNS`] runs; the longest unused is forgotten (its agent is long gone).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sequences {
    runs: BTreeMap<(Arc<str>, RunId), Highest>,
    clock: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Highest {
    sequence: u64,
    used: u64,
}

const MAX_RUNS: usize = 20_000;

/// The checkpoint's data is not what [`Sequences::to_bytes`] wrote.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the journal's checkpoint is damaged at line {line}")]
pub(crate) struct DamagedSequences {
    line: usize,
}

impl Sequences {
    /// Whether the batch is in the journal already.
    pub(crate) fn holds(&self, node: &Arc<str>, run: RunId, sequence: u64) -> bool {
        sequence <= self.highest(node, run)
    }

    /// The highest sequence of a run; 0 = none.
    pub(crate) fn highest(&self, node: &Arc<str>, run: RunId) -> u64 {
        self.runs.get(&(Arc::clone(node), run)).map_or(0, |highest| highest.sequence)
    }

    /// Notes that a batch is in the journal.
    pub(crate) fn note(&mut self, node: &Arc<str>, run: RunId, sequence: u64) {
        self.clock += 1;
        let highest = self.runs.entry((Arc::clone(node), run)).or_insert(Highest { sequence: 0, used: 0 });
        highest.sequence = highest.sequence.max(sequence);
        highest.used = self.clock;
        if self.runs.len() > MAX_RUNS
            && let Some(oldest) = self.runs.iter().min_by_key(|(_, h)| h.used).map(|(run, _)| run.clone())
        {
            self.runs.remove(&oldest);
        }
    }

    /// One line for each run: run, sequence, node.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut runs: Vec<_> = self.runs.iter().collect();
        runs.sort_by_key(|(_, highest)| highest.used);
        runs.iter().flat_map(|((node, run), h)| format!("{run} {} {node}\n", h.sequence).into_bytes()).collect()
    }

    /// Reads what [`Sequences::to_bytes`] wrote.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, DamagedSequences> {
        let mut sequences = Self::default();
        let text = std::str::from_utf8(bytes).map_err(|_| DamagedSequences { line: 0 })?;
        for (index, line) in text.lines().enumerate() {
            let damaged = DamagedSequences { line: index + 1 };
            let mut words = line.splitn(3, ' ');
            let (Some(run), Some(sequence), Some(node)) = (words.next(), words.next(), words.next()) else {
                return Err(damaged);
            };
            match (RunId::parse(run), sequence.parse()) {
                (Some(run), Ok(sequence)) => sequences.note(&Arc::from(node), run, sequence),
                _ => return Err(damaged),
            }
        }
        Ok(sequences)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_a_checkpoint() {
        let node: Arc<str> = "node a".into();
        let mut sequences = Sequences::default();
        sequences.note(&node, RunId(1), 7);
        sequences.note(&node, RunId(2), 1);
        sequences.note(&node, RunId(1), 3);
        let read = Sequences::from_bytes(&sequences.to_bytes()).expect("its own");
        assert_eq!(read.highest(&node, RunId(1)), 7);
        assert!(read.holds(&node, RunId(1), 7) && !read.holds(&node, RunId(1), 8));
        assert!(!read.holds(&"node".into(), RunId(1), 1));
    }

    #[test]
    fn damage_is_said() {
        assert_eq!(Sequences::from_bytes(b"x 1 node\n"), Err(DamagedSequences { line: 1 }));
        assert!(Sequences::from_bytes(&[0xff]).is_err());
    }
}
