//! What the `conntrack` program printed, line by line: events out, lines that are none counted and the first one named.

use std::io::{self, BufRead};

use super::Event;
use super::line::{LineError, parse};

/// Reads events of text.
///
/// A line that is no entry is no end of the text: it is counted, and [`Text::problem`] names the first one. Memory: one
/// line, of at most [`Text::MAX_LINE`] bytes.
#[derive(Debug)]
pub struct Text<R> {
    input: R,
    line: u64,
    malformed: u64,
    problem: Option<Problem>,
}

/// A line that is no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {error}")]
pub struct Problem {
    /// Which line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub error: LineError,
}

impl<R: BufRead> Text<R> {
    /// The longest line that may be an entry, in bytes. The program prints some 250.
    pub const MAX_LINE: usize = 4_096;

    /// At the beginning.
    pub const fn new(input: R) -> Self {
        Self { input, line: 0, malformed: 0, problem: None }
    }

    /// The next event; `None` at the end.
    pub fn next_event(&mut self) -> io::Result<Option<Event>> {
        loop {
            let Some(line) = self.next_line()? else { return Ok(None) };
            let read = line.and_then(|line| parse(&String::from_utf8_lossy(&line)));
            match read {
                Ok(Some(event)) => return Ok(Some(event)),
                Ok(None) => {}
                Err(error) => {
                    self.malformed += 1;
                    self.problem.get_or_insert(Problem { line: self.line, error });
                }
            }
        }
    }

    /// How many lines were no entries.
    pub const fn malformed(&self) -> u64 {
        self.malformed
    }

    /// The first of them.
    pub const fn problem(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// A whole line without its end. One that is too long is passed over.
    fn next_line(&mut self) -> io::Result<Option<Result<Vec<u8>, LineError>>> {
        let (mut line, mut is_begun, mut is_long) = (Vec::new(), false, false);
        loop {
            let chunk = self.input.fill_buf()?;
            if chunk.is_empty() {
                break;
            }
            if !is_begun {
                is_begun = true;
                self.line += 1;
            }
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let text = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            is_long |= line.len() + text.len() > Self::MAX_LINE;
            if !is_long {
                line.extend_from_slice(text);
            }
            let used = text.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        let line = if is_long { Err(LineError::TooLong(Self::MAX_LINE)) } else { Ok(line) };
        Ok(is_begun.then_some(line))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conntrack::Happened;

    const ENTRY: &str = "udp 17 30 src=10.0.0.1 dst=10.0.0.2 sport=1 dport=2 src=10.0.0.2 dst=10.0.0.1 sport=2 dport=1";

    fn read(text: &[u8], buffer: usize) -> (Vec<Event>, u64, Option<Problem>) {
        let mut text = Text::new(io::BufReader::with_capacity(buffer, text));
        let mut events = Vec::new();
        while let Some(event) = text.next_event().expect("memory can be read") {
            events.push(event);
        }
        (events, text.malformed(), text.problem().cloned())
    }

    #[test]
    fn goes_on_behind_lines_that_are_no_entries() {
        let long = "x".repeat(Text::<&[u8]>::MAX_LINE + 1);
        let text = format!("{ENTRY}\n\nnonsense\n[DESTROY] {ENTRY}\r\n{long}\n\u{0}\n{ENTRY}");
        for buffer in [1, 7, 8_192] {
            let (events, malformed, problem) = read(text.as_bytes(), buffer);
            assert_eq!(events.len(), 3, "the last line may have no end");
            assert_eq!(events[1].happened, Happened::Destroyed);
            assert_eq!(malformed, 3);
            assert_eq!(problem.expect("named").to_string(), "line 3: no protocol with its number");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_no_entry() {
        let (events, malformed, _) = read(b"\xff\xfe\nudp 17 30 src=\xff", 16);
        assert_eq!((events.len(), malformed), (0, 2));
    }
}
