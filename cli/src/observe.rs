//! `weir observe`: flows from the collector, stored and live.

use anyhow::{Context as _, Result};
use weir_model::Timestamp;
use weir_proto::v1::get_flows_response::Answer;
use weir_proto::v1::node_status::State;
use weir_proto::{record_from_flow, time_to_wire, v1};
use weir_service::clock::{Clock as _, SystemClock};
use weir_service::exit::Usage;

use crate::args::ObserveArgs;
use crate::output::{FlowPrinter, printer};
use crate::progress::spinner;
use crate::server::{connect, refused};

/// Rows that are shown where nothing else is asked for.
const DEFAULT_LAST: u64 = 20;

/// Prints flows until there are no more, or for good with `--follow`.
pub(crate) async fn observe(server: &str, args: &ObserveArgs) -> Result<()> {
    let request = request(args)?;
    let waiting = (!args.follow).then(|| spinner("asking the collector"));
    let mut client = connect(server).await?;
    let mut answers = client.get_flows(request).await.map_err(|status| refused(&status))?.into_inner();
    drop(waiting);
    let mut printer = printer(args.output, args.follow);
    let mut missed = 0;
    while let Some(answer) = answers.message().await.map_err(|status| refused(&status))? {
        if let Some(answer) = answer.answer {
            missed += show(answer, &mut *printer)?;
        }
        if args.follow {
            printer.flush()?;
        }
    }
    printer.flush().context("writing to stdout")?;
    if missed > 0 {
        eprintln!("incomplete: {missed} rows came faster than they were read");
    }
    Ok(())
}

fn request(args: &ObserveArgs) -> Result<v1::GetFlowsRequest> {
    let range = args.time.range(Timestamp(SystemClock.now_ns())).map_err(|error| Usage(error.to_string()))?;
    let unlimited = args.time.first.is_none() && range.since.is_none() && range.until.is_none();
    let default_last = (unlimited && !args.follow).then_some(DEFAULT_LAST);
    Ok(v1::GetFlowsRequest {
        filter: args.filter.filter().to_string(),
        since: range.since.map(time_to_wire),
        until: range.until.map(time_to_wire),
        first: args.time.first,
        last: args.time.last.or(default_last),
        follow: args.follow,
        all_legs: args.legs,
    })
}

/// Shows one answer; returns how many rows it says were missed.
fn show(answer: Answer, printer: &mut dyn FlowPrinter) -> Result<u64> {
    match answer {
        Answer::Flow(flow) => printer.print(&record_from_flow(*flow).context("reading an answer")?)?,
        Answer::Started(flow) => printer.started(&record_from_flow(*flow).context("reading an answer")?)?,
        Answer::Node(status) => {
            let state = match status.state() {
                State::Connected => "connected",
                State::Silent => "silent",
                State::Gone => "gone: what it had not sent is missing",
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
