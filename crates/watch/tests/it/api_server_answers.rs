//! How the small API server answers one request.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use futures::channel::mpsc;
use futures::{SinkExt as _, StreamExt as _};
use http::{Request, Response};
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use serde_json::{Value, json};

use crate::api_server::{Fault, Operation, Shared};

type Chunk = Result<Frame<Bytes>, std::io::Error>;
type Body = StreamBody<futures::stream::BoxStream<'static, Chunk>>;

pub(crate) async fn answer(shared: Arc<Shared>, request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let query: HashMap<String, String> = request
        .uri()
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.to_owned(), value.replace("%3D", "=").replace("%2F", "/")))
        .collect();
    let plural = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
    let operation = if query.contains_key("watch") { Operation::Watch } else { Operation::List };
    let fault = {
        let mut state = shared.state();
        state.requests.push(request.uri().to_string());
        if state.absent.contains(&plural) {
            return Ok(refusal(404, None));
        }
        state.faults.get_mut(&operation).and_then(std::collections::VecDeque::pop_front)
    };
    match fault {
        Some(Fault::Status(code, retry_after)) => return Ok(refusal(code, retry_after)),
        Some(Fault::Html) => return Ok(whole("<html>Please log in</html>\n")),
        Some(Fault::OtherJson) => return Ok(whole("{\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\"}}\n")),
        Some(Fault::Silence) => return std::future::pending().await,
        Some(Fault::EndAtOnce) => return Ok(whole("")),
        Some(Fault::Lines(lines)) => return Ok(whole(&(lines.join("\n") + "\n"))),
        Some(Fault::ErrorEvent(code)) => return Ok(whole(&error_event(code))),
        Some(Fault::CutAfter(_) | Fault::Trickle) | None => {}
    }
    Ok(match operation {
        Operation::List => list(&shared, &plural, &query, fault.as_ref()),
        Operation::Watch => stream(shared, plural, &query, fault),
    })
}

fn status(code: u16) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": format!("said {code}"), "code": code})
        .to_string()
}

fn error_event(code: u16) -> String {
    format!("{{\"type\":\"ERROR\",\"object\":{}}}\n", status(code))
}

fn refusal(code: u16, retry_after: Option<u64>) -> Response<Body> {
    let mut response = whole(&status(code));
    *response.status_mut() = http::StatusCode::from_u16(code).expect("a status");
    if let Some(seconds) = retry_after {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

fn whole(text: &str) -> Response<Body> {
    let chunk: Chunk = Ok(Frame::data(Bytes::from(text.to_owned())));
    Response::new(StreamBody::new(futures::stream::iter([chunk]).boxed()))
}

fn broken() -> Chunk {
    Err(std::io::Error::other("broken off on purpose"))
}

fn list(shared: &Shared, plural: &str, query: &HashMap<String, String>, fault: Option<&Fault>) -> Response<Body> {
    let mut state = shared.state();
    let limit: usize = query.get("limit").and_then(|limit| limit.parse().ok()).unwrap_or(usize::MAX);
    let (revision, mut items) = if let Some(token) = query.get("continue") {
        let Some(rest) = state.continued.remove(token) else { return refusal(410, None) };
        rest
    } else {
        let objects = state.objects.iter().filter(|((kind, ..), _)| kind == plural);
        (state.revision, objects.map(|(_, object)| object.clone()).collect())
    };
    let rest = items.split_off(limit.min(items.len()));
    let token = if rest.is_empty() { String::new() } else { format!("{plural}/{revision}/{}==", rest.len()) };
    if !rest.is_empty() {
        state.continued.insert(token.clone(), (revision, rest));
    }
    for item in &mut items {
        let fields = item.as_object_mut().expect("an object");
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    let page = json!({
        "kind": "ThingList", "apiVersion": "v1",
        "metadata": {"resourceVersion": revision.to_string(), "continue": token},
        "items": if items.is_empty() { Value::Null } else { json!(items) },
    })
    .to_string();
    match fault {
        Some(Fault::CutAfter(bytes)) => {
            let start: Chunk = Ok(Frame::data(Bytes::from(page[..(*bytes).min(page.len())].to_owned())));
            Response::new(StreamBody::new(futures::stream::iter([start, broken()]).boxed()))
        }
        _ => whole(&page),
    }
}

fn stream(
    shared: Arc<Shared>,
    plural: String,
    query: &HashMap<String, String>,
    fault: Option<Fault>,
) -> Response<Body> {
    let from: u64 = query.get("resourceVersion").and_then(|from| from.parse().ok()).unwrap_or_default();
    let number = {
        let mut state = shared.state();
        if from < state.compacted {
            return if state.gone_as_status { refusal(410, None) } else { whole(&error_event(410)) };
        }
        state.opened_streams += 1;
        state.opened_streams
    };
    let (out, chunks) = mpsc::channel(0);
    tokio::spawn(send(shared, plural, from, number, fault, out));
    Response::new(StreamBody::new(chunks.boxed()))
}

/// Sends everything behind a revision as it happens, until the stream is to end or nobody reads it.
async fn send(
    shared: Arc<Shared>,
    plural: String,
    mut from: u64,
    number: u64,
    fault: Option<Fault>,
    mut out: mpsc::Sender<Chunk>,
) {
    let mut changed = shared.changed.subscribe();
    loop {
        let (lines, end): (Vec<String>, bool) = {
            let state = shared.state();
            let news = state.log.iter().filter(|(revision, kind, _)| *revision > from && *kind == plural);
            let lines = news.map(|(_, _, event)| format!("{event}\n")).collect();
            from = state.revision;
            (lines, state.closed_streams >= number)
        };
        for line in lines {
            let sent = match fault {
                Some(Fault::CutAfter(bytes)) => {
                    let start = line[..bytes.min(line.len())].to_owned();
                    // Both results say only whether the other side still reads.
                    drop(out.send(Ok(Frame::data(start.into()))).await);
                    drop(out.send(broken()).await);
                    return;
                }
                Some(Fault::Trickle) => {
                    let bytes = line.into_bytes();
                    let mut bytes = futures::stream::iter(
                        bytes.chunks(1).map(|b| Ok(Frame::data(Bytes::copy_from_slice(b)))).collect::<Vec<_>>(),
                    )
                    .map(Ok);
                    out.send_all(&mut bytes).await
                }
                _ => out.send(Ok(Frame::data(line.into()))).await,
            };
            if sent.is_err() {
                return;
            }
        }
        if end || changed.changed().await.is_err() {
            return;
        }
    }
}
