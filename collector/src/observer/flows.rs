//! Flows: stored ones in packet time, then new ones as they arrive.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use tokio::sync::{mpsc, oneshot};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use weir_model::filter::{Filter, TimeRange};
use weir_model::tables::FLOWS;
use weir_model::{FlowRow, LossStage, Record, Timestamp, Value};
use weir_proto::v1::get_flows_response::Answer;
use weir_proto::{flow_from_record, time_from_wire, v1};
use weir_store::Order;

use super::{Answers, ObserverService, refused, stopping};
use crate::hub::News;
use crate::settler::Task;

/// The most stored rows that one answer holds unless the caller asks for another number.
const DEFAULT_ROWS: usize = 1_000_000;

/// What a caller wants.
pub(super) struct Asked {
    filter: Filter,
    range: TimeRange,
    order: Order,
    history: bool,
    follow: bool,
    all_legs: bool,
}

impl Asked {
    pub(super) fn read(request: &v1::GetFlowsRequest) -> Result<Self, Status> {
        let filter: Filter =
            request.filter.parse().map_err(|error| Status::invalid_argument(format!("filter: {error}")))?;
        let order = match (request.first, request.last) {
            (Some(_), Some(_)) => return Err(Status::invalid_argument("first and last exclude each other")),
            (Some(first), None) => Order::First(usize::try_from(first).unwrap_or(usize::MAX)),
            (None, Some(last)) => Order::Last(usize::try_from(last).unwrap_or(usize::MAX)),
            (None, None) => Order::First(DEFAULT_ROWS),
        };
        let limited = request.first.is_some() || request.last.is_some() || request.since.is_some();
        Ok(Self {
            filter,
            range: TimeRange {
                since: request.since.as_ref().map(time_from_wire),
                until: request.until.as_ref().map(time_from_wire),
            },
            order,
            history: limited || !request.follow,
            follow: request.follow,
            all_legs: request.all_legs,
        })
    }

    /// The same question in SQL; a superset where the filter says more than SQL can.
    fn to_sql(&self) -> String {
        let mut terms = vec![self.range.to_sql()];
        if !self.all_legs {
            terms.push("is_primary".to_owned());
        }
        if !self.filter.is_empty() {
            terms.push(format!("({})", self.filter.to_sql()));
        }
        terms.join(" AND ")
    }

    fn wants(&self, row: &FlowRow) -> bool {
        let flow = &row.seen.flow;
        (self.all_legs || row.is_primary == Some(true))
            && self.range.overlaps(flow.first_ts, flow.last_ts)
            && self.filter.matches_row(row)
    }
}

/// What tells a stored row from the same row in the tail.
type RowKey = (Option<String>, Option<i64>, Option<i64>);

fn key(record: &Record) -> RowKey {
    let micros = |value: &Value<'_>| value.as_time().map(Timestamp::as_micros);
    let node = record.get("node").as_text().map(ToOwned::to_owned);
    (node, record.get("flow_id").as_int(), micros(record.get("first_ts")))
}

impl ObserverService {
    pub(super) async fn flows(&self, asked: Asked) -> Result<Answers<v1::GetFlowsResponse>, Status> {
        // The tail begins before history is read, so nothing falls between; what is in both is told once.
        let news = if asked.follow { Some(self.subscribe().await?) } else { None };
        let stored = if asked.history { self.stored(&asked).await? } else { Vec::new() };
        let told: HashSet<RowKey> = if asked.follow { stored.iter().map(key).collect() } else { HashSet::new() };
        let history = stream::iter(stored).map(|record| Ok(answer(Answer::Flow(Box::new(flow_from_record(&record))))));
        let Some(news) = news else { return Ok(Box::pin(history)) };
        let follow = ReceiverStream::new(news)
            .filter_map(move |news| std::future::ready(tell(news, &asked, &told).map(Ok)))
            .take_until(self.stop.clone().cancelled_owned());
        Ok(Box::pin(history.chain(follow)))
    }

    async fn subscribe(&self) -> Result<mpsc::Receiver<News>, Status> {
        let (reply, told) = oneshot::channel();
        self.settler.send(Task::Subscribe(reply)).await.map_err(|_| stopping())?;
        told.await.map_err(|_| stopping())
    }

    async fn stored(&self, asked: &Asked) -> Result<Vec<Record>, Status> {
        self.refresh().await?;
        // Where SQL says less than the filter, rows are chosen after they are read.
        let order = match asked.order {
            order if asked.filter.is_exact_in_sql() => order,
            Order::First(_) => Order::First(DEFAULT_ROWS),
            Order::Last(_) => Order::Last(DEFAULT_ROWS),
        };
        let mut rows = self.lake.flows(Some(&asked.to_sql()), order, self.limits).await.map_err(refused)?;
        rows.retain(|row| asked.filter.matches(row));
        match asked.order {
            Order::First(keep) => rows.truncate(keep),
            Order::Last(keep) => drop(rows.drain(..rows.len().saturating_sub(keep))),
        }
        Ok(rows)
    }
}

fn answer(answer: Answer) -> v1::GetFlowsResponse {
    v1::GetFlowsResponse { answer: Some(answer) }
}

fn tell(news: News, asked: &Asked, told: &HashSet<RowKey>) -> Option<v1::GetFlowsResponse> {
    let row = |row: &Arc<FlowRow>| asked.wants(row).then(|| FLOWS.record(row));
    match news {
        News::Row(seen) => {
            let record = row(&seen).filter(|record| told.is_empty() || !told.contains(&key(record)))?;
            Some(answer(Answer::Flow(Box::new(flow_from_record(&record)))))
        }
        News::Started(seen) => Some(answer(Answer::Started(Box::new(flow_from_record(&row(&seen)?))))),
        News::Node(status) => Some(answer(Answer::Node(*status))),
        News::Missed(rows) => Some(answer(Answer::Loss(v1::NodeLoss {
            node: None,
            loss: Some(v1::Loss { stage: LossStage::Tail.name().to_owned(), rows: Some(rows), ..v1::Loss::default() }),
        }))),
    }
}
