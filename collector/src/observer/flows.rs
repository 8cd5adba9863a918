//! Flows: stored ones in packet time, then new ones as they arrive.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{StreamExt as _, stream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use weir_model::tables::FLOWS;
use weir_model::{FlowRow, Record, Timestamp, Value};
use weir_proto::v1::get_flows_response::Answer;
use weir_proto::{flow_from_record, v1};

use super::asked::Asked;
use super::{Answers, ObserverService, missed, refused};
use crate::hub::{News, Subject};

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
        let news = if asked.follow { Some(self.subscribe(Subject::Flows).await?) } else { None };
        let stored = if asked.history { self.stored_flows(&asked).await? } else { Vec::new() };
        let told: HashSet<RowKey> = if asked.follow { stored.iter().map(key).collect() } else { HashSet::new() };
        let history = stream::iter(stored).map(|record| Ok(answer(Answer::Flow(Box::new(flow_from_record(&record))))));
        let Some(news) = news else { return Ok(Box::pin(history)) };
        let follow = ReceiverStream::new(news)
            .filter_map(move |news| std::future::ready(tell(news, &asked, &told).map(Ok)))
            .take_until(self.stop.clone().cancelled_owned());
        Ok(Box::pin(history.chain(follow)))
    }

    async fn stored_flows(&self, asked: &Asked) -> Result<Vec<Record>, Status> {
        self.refresh().await?;
        let sql = asked.to_sql(asked.range.to_sql());
        let rows = self.lake.flows(Some(&sql), asked.order(), self.limits).await.map_err(refused)?;
        Ok(asked.chosen(rows))
    }
}

fn answer(answer: Answer) -> v1::GetFlowsResponse {
    v1::GetFlowsResponse { answer: Some(answer) }
}

fn tell(news: News, asked: &Asked, told: &HashSet<RowKey>) -> Option<v1::GetFlowsResponse> {
    let row = |row: &Arc<FlowRow>| wants(asked, row).then(|| FLOWS.record(row));
    match news {
        News::Row(seen) => {
            let record = row(&seen).filter(|record| told.is_empty() || !told.contains(&key(record)))?;
            Some(answer(Answer::Flow(Box::new(flow_from_record(&record)))))
        }
        News::Started(seen) => Some(answer(Answer::Started(Box::new(flow_from_record(&row(&seen)?))))),
        News::Request(_) => None,
        News::Node(status) => Some(answer(Answer::Node(*status))),
        News::Missed(rows) => Some(answer(Answer::Loss(missed(rows)))),
    }
}

fn wants(asked: &Asked, row: &FlowRow) -> bool {
    let flow = &row.seen.flow;
    (asked.all_legs || row.is_primary == Some(true))
        && asked.range.overlaps(flow.first_ts, flow.last_ts)
        && asked.filter.matches_row(row)
}
