//! Which rows are printed, how many of them, and how.

use std::collections::VecDeque;
use std::io;

use anyhow::{Context as _, Result};
use weir_model::filter::{Filter, TimeRange};
use weir_model::tables::{FLOWS, REQUESTS, RequestRow};
use weir_model::{FlowRow, Record, Request, Timestamp};
use weir_service::clock::{Clock as _, SystemClock};
use weir_service::exit::Usage;

use crate::args::{FlowFormat, ReadArgs};
use crate::filter_args::Rows;
use crate::output::{FlowPrinter, printer};

/// Takes rows of one table and prints those that are wanted.
pub(super) struct Chosen {
    printer: Box<dyn FlowPrinter>,
    rows: Rows,
    shows_said: bool,
    filter: Filter,
    range: TimeRange,
    first: Option<u64>,
    last: Option<usize>,
    held: VecDeque<(Record, Vec<Request>)>,
}

impl Chosen {
    pub(super) fn new(args: &ReadArgs) -> Result<Self> {
        let now = Timestamp(SystemClock.now_ns());
        let range = args.time.range(now).map_err(|error| Usage(error.to_string()))?;
        let rows = args.filter.rows(args.requests)?;
        Ok(Self {
            printer: printer(args.output, rows, false),
            rows,
            shows_said: rows == Rows::Flows && args.output == FlowFormat::Json,
            filter: args.filter.filter().clone(),
            range,
            first: args.time.first,
            last: args.time.last.map(|last| usize::try_from(last).unwrap_or(usize::MAX)),
            held: VecDeque::new(),
        })
    }

    /// Which rows are wanted.
    pub(super) const fn rows(&self) -> Rows {
        self.rows
    }

    /// Whether flows are printed with what they said.
    pub(super) const fn shows_said(&self) -> bool {
        self.shows_said
    }

    /// A row of `flows`, and what the flow said where that is shown.
    pub(super) fn offer_flow(&mut self, row: &FlowRow, said: Vec<Request>) -> io::Result<()> {
        let flow = &row.seen.flow;
        let is_wanted = self.range.overlaps(flow.first_ts, flow.last_ts) && self.filter.matches_row(row);
        if is_wanted { self.print(FLOWS.record(row), said) } else { Ok(()) }
    }

    /// A row of `requests`.
    pub(super) fn offer_request(&mut self, row: &RequestRow) -> io::Result<()> {
        let is_wanted = self.range.contains(row.request.ts) && self.filter.matches_request(row);
        if is_wanted { self.print(REQUESTS.record(row), Vec::new()) } else { Ok(()) }
    }

    /// Prints what was held back.
    pub(super) fn finish(mut self) -> Result<()> {
        for (record, said) in std::mem::take(&mut self.held) {
            self.write(&record, &said)?;
        }
        self.printer.flush().context("writing to stdout")
    }

    fn print(&mut self, record: Record, said: Vec<Request>) -> io::Result<()> {
        match (&mut self.first, self.last) {
            (Some(0), _) => Ok(()),
            (Some(left), _) => {
                *left -= 1;
                self.write(&record, &said)
            }
            (None, Some(last)) => {
                self.held.push_back((record, said));
                while self.held.len() > last {
                    self.held.pop_front();
                }
                Ok(())
            }
            (None, None) => self.write(&record, &said),
        }
    }

    fn write(&mut self, record: &Record, said: &[Request]) -> io::Result<()> {
        if self.shows_said { self.printer.print_with(record, said) } else { self.printer.print(record) }
    }
}
