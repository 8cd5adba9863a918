//! Listing and watching when all goes well.

use weir_watch::State;

use crate::api_server::ApiServer;
use crate::world::{World, quick};

#[tokio::test]
async fn lists_in_pages_then_follows_changes() {
    let server = ApiServer::start().await;
    for pod in 0..8 {
        server.put("pods", &format!("shop/web-{pod}"), "1");
    }
    let mut world = World::of(server.client(), &["pods"], quick());
    world.until(".Pod").await;
    assert_eq!(world.objects.len(), 8);
    assert_eq!(server.requests("limit=3").len(), 3, "three pages of three");
    server.put("pods", "shop/web-1", "2");
    server.put("pods", "shop/web-9", "1");
    server.delete("pods", "shop/web-0");
    let told = world.until("-Pod shop/web-0").await;
    assert_eq!(told, ["+Pod shop/web-1=2", "+Pod shop/web-9=1", "-Pod shop/web-0"]);
    assert_eq!(world.objects.len(), 8);
    let known = world.known("pods");
    assert_eq!((known.state, known.objects, known.counts.pages), (State::Current, 8, 3));
    assert_eq!(server.requests("watch=true").len(), 1);
    assert!(server.requests("sendInitialEvents").is_empty(), "no streaming lists");
}

#[tokio::test]
async fn a_watch_that_ends_goes_on_from_where_a_bookmark_left_it() {
    let server = ApiServer::start().await;
    server.put("pods", "shop/web", "1");
    let mut world = World::of(server.client(), &["pods"], quick());
    world.until(".Pod").await;
    world.knows("pods", |known| known.counts.watches == 1).await;
    let place = server.bookmark("pods");
    world.knows("pods", |known| known.counts.bookmarks == 1).await;
    server.end_streams();
    world.knows("pods", |known| known.counts.watches == 2).await;
    assert_eq!(server.requests(&format!("resourceVersion={place}&")).len(), 1);
    server.put("pods", "shop/web", "2");
    assert_eq!(world.until("+Pod shop/web=2").await.len(), 1, "nothing is told twice");
    assert_eq!(world.known("pods").counts.lists, 1);
}

#[tokio::test]
async fn an_object_made_anew_under_its_name_is_deleted_first() {
    let server = ApiServer::start().await;
    server.put("pods", "shop/web-0", "1");
    let mut world = World::of(server.client(), &["pods"], quick());
    world.until(".Pod").await;
    server.delete("pods", "shop/web-0");
    server.put("pods", "shop/web-0", "2");
    server.compact();
    server.end_streams();
    // The deletion may have been seen, or missed behind the compaction: it is told either way.
    assert!(world.until("+Pod shop/web-0=2").await.contains(&"-Pod shop/web-0".to_owned()));
}

#[tokio::test]
async fn a_kind_that_is_not_there_is_complete_and_is_found_when_it_appears() {
    let server = ApiServer::start().await;
    server.serve("gateways", false);
    let mut world = World::of(server.client(), &["gateways", "pods"], quick());
    world.until(".Gateway").await;
    assert_eq!(world.known("gateways").state, State::Absent);
    assert_eq!(world.known("gateways").error, None, "that is normal");
    server.put("gateways", "shop/front", "1");
    server.serve("gateways", true);
    world.until("+Gateway shop/front=1").await;
    world.until(".Gateway").await;
    world.knows("gateways", |known| known.state == State::Current).await;
    server.serve("gateways", false);
    server.end_streams();
    world.until("-Gateway shop/front").await;
    world.until(".Gateway").await;
    assert!(world.feed.knowledge.is_complete() || world.known("pods").state == State::Incomplete);
}

#[tokio::test]
async fn what_every_server_has_is_missed_when_it_is_not_there() {
    let server = ApiServer::start().await;
    server.serve("pods", false);
    let world = World::of(server.client(), &["pods"], quick());
    let known = world.knows("pods", |known| known.counts.failures > 0).await;
    assert_eq!(known.state, State::Incomplete);
    assert_eq!(known.error.as_deref(), Some("list pods: the server does not have this kind"));
}

#[tokio::test]
async fn an_object_that_cannot_be_read_is_named_and_holds_up_no_other() {
    let server = ApiServer::start().await;
    server.put("pods", "shop/a", "bad");
    server.put("pods", "shop/b", "1");
    let mut world = World::of(server.client(), &["pods"], quick());
    world.until(".Pod").await;
    assert_eq!(world.objects.keys().collect::<Vec<_>>(), ["Pod shop/b"]);
    server.put("pods", "shop/b", "bad");
    server.put("pods", "shop/c", "1");
    world.until("+Pod shop/c=1").await;
    assert_eq!(world.objects["Pod shop/b"], "1", "the version before stays");
    let known = world.known("pods");
    assert_eq!(known.counts.unreadable, 2);
    assert_eq!(known.unreadable.as_deref(), Some("Pod shop/b: spec.v: not readable"));
    server.put("pods", "shop/b", "3");
    world.until("+Pod shop/b=3").await;
}

#[tokio::test]
async fn a_stream_that_brings_byte_after_byte_is_read_all_the_same() {
    let server = ApiServer::start().await;
    server.next_fails(crate::api_server::Operation::Watch, crate::api_server::Fault::Trickle);
    let mut world = World::of(server.client(), &["pods"], quick());
    world.until(".Pod").await;
    server.put("pods", "shop/web", "1");
    server.put("pods", "shop/web", "2");
    assert_eq!(world.until("+Pod shop/web=2").await, ["+Pod shop/web=1", "+Pod shop/web=2"]);
}

#[tokio::test]
async fn a_source_ends_when_nobody_listens_also_while_nothing_happens() {
    let server = ApiServer::start().await;
    let source = weir_watch::kube::KubeSource::new(
        server.client(),
        vec![crate::world::kind("pods")],
        quick(),
        |_, json: &str| Ok(json.len()),
    );
    let (feed, running) = weir_watch::open(source, 4);
    let running = tokio::spawn(running);
    let mut changes = feed.changes;
    assert!(changes.recv().await.is_some());
    drop(changes);
    assert_eq!(running.await.expect("no panic"), weir_watch::Closed);
}
