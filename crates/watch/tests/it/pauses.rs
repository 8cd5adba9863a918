//! When a server is asked again, on a clock that the test moves.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use kube::Client;
use kube::client::Body;
use tokio::time::Instant;
use tower::service_fn;
use weir_watch::State;
use weir_watch::kube::KubeOptions;

use crate::world::World;

type Asked = Arc<Mutex<Vec<(Instant, String)>>>;

/// A client whose every request is noted and answered alike.
fn answering(status: u16, retry_after: Option<u64>) -> (Client, Asked) {
    let asked = Asked::default();
    let noted = Arc::clone(&asked);
    let service = service_fn(move |request: Request<Body>| {
        noted.lock().expect("no test panics with it").push((Instant::now(), request.uri().to_string()));
        let mut answer = Response::builder().status(status);
        if let Some(seconds) = retry_after {
            answer = answer.header("retry-after", seconds);
        }
        std::future::ready(Ok::<_, Infallible>(answer.body(Body::empty()).expect("an answer")))
    });
    (Client::new(service, "default"), asked)
}

/// The pauses between the first requests.
async fn pauses(asked: &Asked, count: usize) -> Vec<Duration> {
    while asked.lock().expect("no test panics with it").len() <= count {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let asked = asked.lock().expect("no test panics with it");
    asked.windows(2).take(count).map(|pair| pair[1].0 - pair[0].0).collect()
}

#[tokio::test(start_paused = true)]
async fn pauses_grow_to_half_a_minute_and_differ() {
    let (client, asked) = answering(500, None);
    let world = World::of(client, &["pods"], KubeOptions::default());
    let pauses = pauses(&asked, 12).await;
    for (number, pause) in pauses.iter().enumerate() {
        let full = Duration::from_millis(500).saturating_mul(1 << number).min(Duration::from_secs(30));
        assert!(*pause >= full / 2 && *pause <= full + Duration::from_millis(1), "{number}: {pause:?} of {full:?}");
    }
    let late: std::collections::BTreeSet<_> = pauses[7..].iter().collect();
    assert!(late.len() > 1, "agents must not ask together: {pauses:?}");
    assert_eq!(world.known("pods").state, State::Incomplete);
    assert_eq!(world.known("pods").age(Instant::now()), None, "nothing was ever heard");
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_server_asks_for_is_kept() {
    let (client, asked) = answering(429, Some(7));
    let _world = World::of(client, &["pods"], KubeOptions::default());
    let pauses = pauses(&asked, 3).await;
    assert!(pauses.iter().all(|pause| *pause >= Duration::from_secs(7)), "{pauses:?}");
}

#[tokio::test(start_paused = true)]
async fn a_kind_that_is_not_there_is_asked_for_every_half_minute() {
    let (client, asked) = answering(404, None);
    let world = World::of(client, &["gateways"], KubeOptions::default());
    let pauses = pauses(&asked, 5).await;
    assert!(pauses.iter().all(|pause| (15..=31).contains(&pause.as_secs())), "{pauses:?}");
    assert_eq!(world.known("gateways").state, State::Absent);
}

#[tokio::test(start_paused = true)]
async fn knowledge_grows_old_while_the_server_is_away() {
    let server_is_up = Arc::new(Mutex::new(true));
    let up = Arc::clone(&server_is_up);
    let service = service_fn(move |request: Request<Body>| {
        let up = *up.lock().expect("no test panics with it");
        let page = "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"5\"},\"items\":[]}";
        let (status, body) = match (up, request.uri().query().unwrap_or_default().contains("watch")) {
            (true, false) => (200, page),
            (true, true) => (200, ""),
            (false, _) => (503, ""),
        };
        let body = Body::from(body.as_bytes().to_vec());
        std::future::ready(Ok::<_, Infallible>(Response::builder().status(status).body(body).expect("an answer")))
    });
    let mut world = World::of(Client::new(service, "default"), &["pods"], KubeOptions::default());
    world.until(".Pod").await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    let age = || world.feed.knowledge.age(Instant::now()).expect("heard of");
    assert!(age() <= Duration::from_secs(31), "each watch that opens is a word: {:?}", age());
    *server_is_up.lock().expect("no test panics with it") = false;
    tokio::time::sleep(Duration::from_mins(10)).await;
    assert!(age() >= Duration::from_secs(570), "{:?}", age());
    let known = world.known("pods");
    assert_eq!(known.state, State::Stale);
    assert!(known.error.is_some_and(|error| error.ends_with("503 Service Unavailable")));
}
