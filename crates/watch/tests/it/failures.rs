//! A server that fails in every way: what is known is right in the end, nothing is told twice, and each failure is said.

use std::time::Duration;

use serde_json::json;
use weir_watch::State;
use weir_watch::kube::KubeOptions;

use crate::api_server::{ApiServer, Fault, Operation};
use crate::world::{World, quick};

#[tokio::test]
async fn whatever_fails_the_objects_are_right_in_the_end() {
    let faults = [
        Fault::Status(500, None),
        Fault::Status(503, Some(0)),
        Fault::Status(429, Some(0)),
        Fault::Status(401, None),
        Fault::Status(403, None),
        Fault::Status(410, None),
        Fault::Html,
        Fault::OtherJson,
        Fault::CutAfter(70),
        Fault::ErrorEvent(410),
        Fault::ErrorEvent(500),
        Fault::EndAtOnce,
    ];
    for (operation, fault) in faults.iter().flat_map(|fault| [(Operation::List, fault), (Operation::Watch, fault)]) {
        let server = ApiServer::start().await;
        for pod in 0..5 {
            server.put("pods", &format!("shop/web-{pod}"), "1");
        }
        server.next_fails(operation, fault.clone());
        let mut world = World::of(server.client(), &["pods"], quick());
        world.until(".Pod").await;
        assert_eq!(world.objects.len(), 5, "{operation:?} {fault:?}");
        server.put("pods", "shop/web-1", "2");
        server.delete("pods", "shop/web-0");
        world.until("-Pod shop/web-0").await;
        assert_eq!(world.objects.len(), 4, "{operation:?} {fault:?}");
        assert_eq!(world.objects["Pod shop/web-1"], "2");
        let known = world.knows("pods", |known| known.state == State::Current && known.error.is_none()).await;
        let in_order = operation == Operation::Watch && matches!(fault, Fault::EndAtOnce);
        assert_eq!(known.counts.failures + known.counts.expired > 0, !in_order, "{operation:?} {fault:?}");
    }
}

#[tokio::test]
async fn a_forgotten_place_is_listed_anew_and_what_is_gone_meanwhile_is_deleted() {
    for gone_as_status in [true, false] {
        let server = ApiServer::start().await;
        server.state().gone_as_status = gone_as_status;
        for name in ["shop/stays", "shop/changes", "shop/goes"] {
            server.put("pods", name, "1");
        }
        let mut world = World::of(server.client(), &["pods"], quick());
        world.until(".Pod").await;
        world.knows("pods", |known| known.counts.watches == 1).await;
        server.next_fails(Operation::Watch, Fault::Status(503, None));
        server.end_streams();
        world.knows("pods", |known| known.counts.failures == 1 || known.counts.watches == 2).await;
        server.put("pods", "shop/changes", "2");
        server.delete("pods", "shop/goes");
        server.compact();
        server.end_streams();
        let mut told = world.until("-Pod shop/goes").await;
        told.sort();
        assert_eq!(told, ["+Pod shop/changes=2", "-Pod shop/goes"], "what stayed is not told again");
    }
}

#[tokio::test]
async fn a_list_whose_place_is_forgotten_between_pages_starts_again() {
    let server = ApiServer::start().await;
    for pod in 0..7 {
        server.put("pods", &format!("shop/web-{pod}"), "1");
    }
    let mut world = World::of(server.client(), &["pods"], quick());
    world.until("+Pod shop/web-0=1").await;
    // The queue holds the first pages back, so the next page is asked for later than this.
    server.compact();
    let told = world.until(".Pod").await;
    assert_eq!(world.objects.len(), 7, "{told:?}");
    assert_eq!(told.len(), 7, "none twice: {told:?}");
    assert_eq!(world.known("pods").counts.expired, 1);
}

#[tokio::test]
async fn a_stream_that_breaks_within_an_object_goes_on_behind_the_last_whole_one() {
    let server = ApiServer::start().await;
    let mut world = World::of(server.client(), &["pods"], quick());
    world.until(".Pod").await;
    world.knows("pods", |known| known.counts.watches == 1).await;
    server.next_fails(Operation::Watch, Fault::CutAfter(50));
    server.end_streams();
    world.knows("pods", |known| known.counts.watches == 2).await;
    server.put("pods", "shop/web", "1");
    assert_eq!(world.until("+Pod shop/web=1").await.len(), 1);
    let known = world.known("pods");
    assert_eq!((known.counts.failures, known.counts.lists), (1, 1), "no new list for that");
}

#[tokio::test]
async fn events_out_of_order_and_repeated_change_nothing() {
    let server = ApiServer::start().await;
    server.put("pods", "shop/web", "1");
    let pod = |event: &str, uid: &str, version: u64, v: &str| {
        json!({"type": event, "object": {
            "metadata": {"namespace": "shop", "name": "web", "uid": uid, "resourceVersion": version.to_string()},
            "spec": {"v": v},
        }})
        .to_string()
    };
    let own = "uid-101";
    let lines = vec![
        pod("MODIFIED", own, 105, "2"),
        pod("MODIFIED", own, 105, "2"),
        pod("MODIFIED", own, 103, "older"),
        pod("DELETED", "uid-90", 106, "another one of that name"),
        String::new(),
        pod("DELETED", own, 107, "2"),
        pod("MODIFIED", own, 106, "late"),
        pod("DELETED", own, 107, "2"),
        pod("ADDED", "uid-108", 108, "3"),
    ];
    server.next_fails(Operation::Watch, Fault::Lines(lines));
    let mut world = World::of(server.client(), &["pods"], quick());
    let told = world.until("+Pod shop/web=3").await;
    assert_eq!(told, ["+Pod shop/web=1", ".Pod", "+Pod shop/web=2", "-Pod shop/web", "+Pod shop/web=3"]);
    assert_eq!(world.known("pods").counts.repeated, 5);
}

#[tokio::test]
async fn what_is_no_event_is_no_reason_to_lose_anything() {
    for line in ["{", "[]", "{\"type\":\"SURPRISE\",\"object\":{}}", "{\"type\":\"ADDED\"}", "null", "\u{0}"] {
        let server = ApiServer::start().await;
        server.put("pods", "shop/web", "1");
        server.next_fails(Operation::Watch, Fault::Lines(vec![line.to_owned()]));
        let mut world = World::of(server.client(), &["pods"], quick());
        world.until(".Pod").await;
        server.put("pods", "shop/web", "2");
        world.until("+Pod shop/web=2").await;
        assert!(world.known("pods").counts.failures > 0, "{line}");
    }
    // An event whose object has no name is counted, and the stream goes on.
    let server = ApiServer::start().await;
    let lines = ["{\"type\":\"ADDED\",\"object\":{\"metadata\":{}}}", "{\"type\":\"DELETED\",\"object\":7}"];
    server.next_fails(Operation::Watch, Fault::Lines(lines.map(str::to_owned).to_vec()));
    let mut world = World::of(server.client(), &["pods"], quick());
    world.until(".Pod").await;
    let known = world.knows("pods", |known| known.counts.unreadable == 2).await;
    assert_eq!(known.unreadable.as_deref().map(|text| text.starts_with("Pod of unknown name: ")), Some(true));
}

#[tokio::test]
async fn a_place_that_is_refused_again_and_again_is_given_up() {
    let server = ApiServer::start().await;
    for _ in 0..3 {
        server.next_fails(Operation::Watch, Fault::ErrorEvent(504));
    }
    let mut world = World::of(server.client(), &["pods"], quick());
    world.until(".Pod").await;
    world.until(".Pod").await;
    assert_eq!(world.known("pods").counts.lists, 2, "a place of the future, as after a restore");
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_a_while_and_asked_again() {
    let server = ApiServer::start().await;
    server.put("pods", "shop/web", "1");
    server.next_fails(Operation::List, Fault::Silence);
    let mut world =
        World::of(server.client(), &["pods"], KubeOptions { patience: Duration::from_millis(20), ..quick() });
    world.until(".Pod").await;
    assert!(world.known("pods").counts.failures > 0);
    assert_eq!(world.objects.len(), 1);
}

#[tokio::test]
async fn one_kind_that_fails_holds_up_no_other_and_errors_name_kind_and_operation() {
    let server = ApiServer::start().await;
    server.put("services", "shop/web", "1");
    server.serve("pods", false);
    let mut world = World::of(server.client(), &["pods", "services"], quick());
    world.until(".Service").await;
    server.next_fails(Operation::Watch, Fault::Status(403, None));
    server.end_streams();
    let known = world.knows("services", |known| known.counts.failures > 0).await;
    if let Some(error) = known.error {
        assert_eq!(&*error, "watch services: 403 Forbidden: said 403");
    }
    assert!(world.known("pods").error.is_some_and(|error| error.starts_with("list pods: ")));
}
