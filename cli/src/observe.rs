//! `weir observe`: flows or requests from the collector, stored and live.

use anyhow::{Context as _, Result};
use tonic::Streaming;
use weir_model::{Record, Timestamp};
use weir_proto::v1::node_status::State;
use weir_proto::v1::{get_flows_response, get_requests_response};
use weir_proto::{record_from_flow, record_from_request, time_to_wire, v1};
use weir_service::clock::{Clock as _, SystemClock};
use weir_service::exit::Usage;

use crate::args::ObserveArgs;
use crate::filter_args::Rows;
use crate::missing::Missing;
use crate::output::{FlowPrinter, printer};
use crate::progress::spinner;
use crate::server::{Contact, connect, refused};

/// Rows that are shown where nothing else is asked for.
const DEFAULT_LAST: u64 = 20;

/// One piece of an answer.
enum Answer {
    Row(Record),
    /// A flow that has just begun.
    Started(Record),
    Node(v1::NodeStatus),
    Loss(v1::NodeLoss),
}

/// Prints rows until there are no more, or for good with `--follow`.
pub(crate) async fn observe(server: &Contact, args: &ObserveArgs) -> Result<()> {
    let rows = args.filter.rows(args.requests)?;
    if args.filter.level().is_some() {
        return Err(Usage("--l7: how much is read is said to the agent (weir-agent --l7)".to_owned()).into());
    }
    let asked = Asked::new(args)?;
    let waiting = (!args.follow).then(|| spinner("asking the collector"));
    let mut client = connect(server).await?;
    let printer = printer(args.output, rows, args.follow);
    let range = asked.since.map(|since| (since, asked.until.unwrap_or(Timestamp(SystemClock.now_ns()))));
    let span = match rows {
        Rows::Flows => {
            let answers = client.get_flows(asked.flows()).await.map_err(|status| refused(&status))?;
            drop(waiting);
            show_all(answers.into_inner(), of_flows, printer, args.follow).await?
        }
        Rows::Requests => {
            let answers = client.get_requests(asked.requests()).await.map_err(|status| refused(&status))?;
            drop(waiting);
            show_all(answers.into_inner(), of_requests, printer, args.follow).await?
        }
    };
    if let Some((from, to)) = range.or(span).filter(|_| !args.follow) {
        Missing::read(server, None, from, to).await?.tell();
    }
    Ok(())
}

/// What the collector is asked.
struct Asked {
    filter: String,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    first: Option<u64>,
    last: Option<u64>,
    follow: bool,
    all_legs: bool,
}

impl Asked {
    fn new(args: &ObserveArgs) -> Result<Self, Usage> {
        let range = args.time.range(Timestamp(SystemClock.now_ns())).map_err(|error| Usage(error.to_string()))?;
        let unlimited = args.time.first.is_none() && range.since.is_none() && range.until.is_none();
        let default_last = (unlimited && !args.follow).then_some(DEFAULT_LAST);
        Ok(Self {
            filter: args.filter.filter().to_string(),
            since: range.since,
            until: range.until,
            first: args.time.first,
            last: args.time.last.or(default_last),
            follow: args.follow,
            all_legs: args.legs,
        })
    }

    fn flows(self) -> v1::GetFlowsRequest {
        let Self { filter, since, until, first, last, follow, all_legs } = self;
        let (since, until) = (since.map(time_to_wire), until.map(time_to_wire));
        v1::GetFlowsRequest { filter, since, until, first, last, follow, all_legs }
    }

    fn requests(self) -> v1::GetRequestsRequest {
        let Self { filter, since, until, first, last, follow, all_legs } = self;
        let (since, until) = (since.map(time_to_wire), until.map(time_to_wire));
        v1::GetRequestsRequest { filter, since, until, first, last, follow, all_legs }
    }
}

fn of_flows(message: v1::GetFlowsResponse) -> Result<Option<Answer>> {
    use get_flows_response::Answer as Wire;
    let answer = match message.answer {
        Some(Wire::Flow(flow)) => Answer::Row(record_from_flow(*flow)?),
        Some(Wire::Started(flow)) => Answer::Started(record_from_flow(*flow)?),
        Some(Wire::Node(status)) => Answer::Node(status),
        Some(Wire::Loss(lost)) => Answer::Loss(lost),
        None => return Ok(None),
    };
    Ok(Some(answer))
}

fn of_requests(message: v1::GetRequestsResponse) -> Result<Option<Answer>> {
    use get_requests_response::Answer as Wire;
    let answer = match message.answer {
        Some(Wire::Request(request)) => Answer::Row(record_from_request(*request)?),
        Some(Wire::Node(status)) => Answer::Node(status),
        Some(Wire::Loss(lost)) => Answer::Loss(lost),
        None => return Ok(None),
    };
    Ok(Some(answer))
}

/// Returns the span of time that the rows tell of.
async fn show_all<M>(
    mut answers: Streaming<M>,
    read: fn(M) -> Result<Option<Answer>>,
    mut printer: Box<dyn FlowPrinter>,
    follow: bool,
) -> Result<Option<(Timestamp, Timestamp)>> {
    let (mut missed, mut span) = (0, None);
    while let Some(message) = answers.message().await.map_err(|status| refused(&status))? {
        if let Some(answer) = read(message).context("reading an answer")? {
            span = wider(span, &answer);
            missed += show(answer, &mut *printer)?;
        }
        if follow {
            printer.flush()?;
        }
    }
    printer.flush().context("writing to stdout")?;
    if missed > 0 {
        eprintln!("incomplete: {missed} rows came faster than they were read");
    }
    Ok(span)
}

/// The span of time that the rows so far tell of, and this answer.
fn wider(span: Option<(Timestamp, Timestamp)>, answer: &Answer) -> Option<(Timestamp, Timestamp)> {
    let Answer::Row(row) = answer else { return span };
    let time = |columns: [&str; 2]| columns.into_iter().find_map(|column| row.get(column).as_time());
    let Some((from, to)) = time(["first_ts", "ts"]).zip(time(["last_ts", "ts"])) else { return span };
    Some(span.map_or((from, to), |(first, last)| (first.min(from), last.max(to))))
}

/// Shows one answer; returns how many rows it says were missed.
fn show(answer: Answer, printer: &mut dyn FlowPrinter) -> Result<u64> {
    match answer {
        Answer::Row(row) => printer.print(&row)?,
        Answer::Started(row) => printer.started(&row)?,
        Answer::Node(status) => {
            let state = match status.state() {
                State::Connected => "connected",
                State::Silent => "silent",
                State::Gone => "gone: what it had not sent is missing",
                State::Absent => "no agent: what happened there is missing",
                State::Unspecified => "unknown",
            };
            eprintln!("node {}: {state}", status.node);
        }
        Answer::Loss(lost) => {
            let rows = lost.loss.and_then(|loss| loss.rows).unwrap_or_default();
            eprintln!("warning: {rows} rows missed here: they came faster than they were read");
            return Ok(rows);
        }
    }
    Ok(0)
}
