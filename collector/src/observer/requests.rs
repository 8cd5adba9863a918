//! Requests: stored ones in packet time, then new ones as they arrive.

use std::collections::HashSet;

use futures::{StreamExt as _, stream};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use weir_model::tables::{REQUESTS, RequestRow};
use weir_model::{Record, Value};
use weir_proto::v1::get_requests_response::Answer;
use weir_proto::{request_from_record, v1};

use super::asked::Asked;
use super::{Answers, ObserverService, missed, refused};
use crate::hub::{News, Subject};

/// What tells a stored row from the same row in the tail. Requests of one flow may begin in the same microsecond: all that
/// they say is compared too.
type RowKey = String;

fn key(record: &Record) -> RowKey {
    let stored = |value: &Value<'_>| match value {
        Value::Time(time) => time.as_micros().to_string(),
        other => format!("{other:?}"),
    };
    record.values.iter().map(stored).collect::<Vec<_>>().join(",")
}

impl ObserverService {
    pub(super) async fn requests(&self, asked: Asked) -> Result<Answers<v1::GetRequestsResponse>, Status> {
        // The tail begins before history is read, so nothing falls between; what is in both is told once.
        let news = if asked.follow { Some(self.subscribe(Subject::Requests).await?) } else { None };
        let stored = if asked.history { self.stored_requests(&asked).await? } else { Vec::new() };
        let told: HashSet<RowKey> = if asked.follow { stored.iter().map(key).collect() } else { HashSet::new() };
        let history =
            stream::iter(stored).map(|record| Ok(answer(Answer::Request(Box::new(request_from_record(&record))))));
        let Some(news) = news else { return Ok(Box::pin(history)) };
        let follow = ReceiverStream::new(news)
            .filter_map(move |news| std::future::ready(tell(news, &asked, &told).map(Ok)))
            .take_until(self.stop.clone().cancelled_owned());
        Ok(Box::pin(history.chain(follow)))
    }

    async fn stored_requests(&self, asked: &Asked) -> Result<Vec<Record>, Status> {
        self.refresh().await?;
        let sql = asked.to_sql(asked.range.to_sql_at("ts"));
        let rows = self.lake.requests(Some(&sql), asked.order(), self.limits).await.map_err(refused)?;
        Ok(asked.chosen(rows))
    }
}

fn answer(answer: Answer) -> v1::GetRequestsResponse {
    v1::GetRequestsResponse { answer: Some(answer) }
}

fn tell(news: News, asked: &Asked, told: &HashSet<RowKey>) -> Option<v1::GetRequestsResponse> {
    match news {
        News::Request(seen) => {
            let record = wants(asked, &seen).then(|| REQUESTS.record(&seen))?;
            let is_new = told.is_empty() || !told.contains(&key(&record));
            is_new.then(|| answer(Answer::Request(Box::new(request_from_record(&record)))))
        }
        News::Row(_) | News::Started(_) => None,
        News::Node(status) => Some(answer(Answer::Node(*status))),
        News::Missed(rows) => Some(answer(Answer::Loss(missed(rows)))),
    }
}

fn wants(asked: &Asked, row: &RequestRow) -> bool {
    (asked.all_legs || row.flow.is_primary == Some(true))
        && asked.range.contains(row.request.ts)
        && asked.filter.matches_request(row)
}
