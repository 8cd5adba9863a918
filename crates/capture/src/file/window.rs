//! A window over a reader: bytes are asked for by number, looked at in place, then consumed.
//!
//! It grows only as bytes really arrive, so a length field that lies costs nothing.

use std::io::{self, ErrorKind, Read};

const FIRST_BYTES: usize = 256 << 10;

/// Why the bytes asked for are not there.
pub(super) enum Shortage {
    Read(io::Error),
    /// The input ends too early.
    End {
        needed: usize,
        present: usize,
    },
    /// More was asked for than the window may hold.
    TooLong,
}

/// Unread bytes of the input, from [`Window::offset`] on.
pub(super) struct Window {
    reader: Box<dyn Read + Send>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    offset: u64,
    max: usize,
}

impl Window {
    pub(super) fn new(reader: Box<dyn Read + Send>, max: usize) -> Self {
        Self { reader, buffer: vec![0; FIRST_BYTES], start: 0, end: 0, offset: 0, max }
    }

    /// Where the window begins in the input.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// What is there without reading.
    pub(super) fn bytes(&self) -> &[u8] {
        self.buffer.get(self.start..self.end).unwrap_or_default()
    }

    /// At least `needed` bytes.
    #[inline]
    pub(super) fn fill(&mut self, needed: usize) -> Result<&[u8], Shortage> {
        if self.end - self.start < needed {
            self.refill(needed)?;
        }
        Ok(self.bytes())
    }

    /// Whether the input is over. Reads on where nothing is left.
    pub(super) fn is_over(&mut self) -> Result<bool, Shortage> {
        match self.fill(1) {
            Ok(_) => Ok(false),
            Err(Shortage::End { .. }) => Ok(true),
            Err(other) => Err(other),
        }
    }

    /// Moves the window on by `count` bytes of what it holds.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.offset += count as u64;
    }

    /// Moves the window on by `count` bytes, reading as far as needed without keeping anything.
    pub(super) fn skip(&mut self, count: usize) -> Result<(), Shortage> {
        let mut left = count;
        while left > 0 {
            let present = self.end - self.start;
            if present == 0 {
                let step = left.min(FIRST_BYTES);
                self.fill(step).map_err(|shortage| match shortage {
                    Shortage::End { present, .. } => Shortage::End { needed: count, present: count - left + present },
                    other => other,
                })?;
            }
            let step = left.min(self.end - self.start);
            self.consume(step);
            left -= step;
        }
        Ok(())
    }

    #[cold]
    fn refill(&mut self, needed: usize) -> Result<(), Shortage> {
        if needed > self.max {
            return Err(Shortage::TooLong);
        }
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        while self.end < needed {
            if self.end == self.buffer.len() {
                self.buffer.resize(self.buffer.len() * 2, 0);
            }
            let room = self.buffer.get_mut(self.end..).unwrap_or_default();
            match self.reader.read(room) {
                Ok(0) => return Err(Shortage::End { needed, present: self.end }),
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Shortage::Read(error)),
            }
        }
        Ok(())
    }
}
