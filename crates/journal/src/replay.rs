//! Reading entries back, across segments. Borrows the journal, so nothing is trimmed meanwhile.

use crate::entry::{Found, Reader};
use crate::segment::Segment;
use crate::{JournalError, Position};

/// Entries in order; ends after the first error. Made by [`crate::Journal::entries_after`].
pub struct Entries<'a> {
    segments: std::slice::Iter<'a, Segment>,
    open: Option<(&'a Segment, Reader)>,
    after: u64,
    failed: bool,
}

impl<'a> Entries<'a> {
    /// The entries of `segments` (ascending, without gaps) behind `after`.
    pub(crate) fn new(segments: &'a [Segment], after: Position) -> Self {
        let skip = segments.partition_point(|segment| segment.next <= after.0.saturating_add(1));
        Self { segments: segments.get(skip..).unwrap_or_default().iter(), open: None, after: after.0, failed: false }
    }

    fn read(&mut self) -> Result<Option<(Position, Vec<u8>)>, JournalError> {
        loop {
            let (segment, reader) = if let Some(open) = &mut self.open {
                open
            } else {
                let Some(segment) = self.segments.next() else { return Ok(None) };
                let reader = segment.reader(self.after.saturating_add(1))?;
                self.open.insert((segment, reader))
            };
            let (position, mut payload) = (reader.position, Vec::new());
            match reader.read(&mut payload).map_err(JournalError::io("read", &segment.path))? {
                Found::Entry if position > self.after => return Ok(Some((Position(position), payload))),
                Found::Entry => {}
                Found::End => self.open = None,
                Found::Bad => {
                    return Err(JournalError::Damaged { path: segment.path.clone(), offset: reader.offset });
                }
            }
        }
    }
}

impl Iterator for Entries<'_> {
    type Item = Result<(Position, Vec<u8>), JournalError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let read = self.read();
        self.failed = read.is_err();
        read.transpose()
    }
}
