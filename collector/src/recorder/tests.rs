use weir_cluster::manifests;

use super::*;

/// A pod in a version of the API server's.
fn pod(name: &str, uid: &str, version: &str) -> ObjectNews {
    let text = format!(
        r#"{{"metadata": {{"name": "{name}", "namespace": "shop", "uid": "{uid}", "resourceVersion": "{version}",
           "creationTimestamp": "2026-01-05T08:00:00Z"}}}}"#
    );
    ObjectNews::Applied(Arc::new(ObjectKind::Pod.read_json(&text).expect("a pod")))
}

/// A Service of a manifest.
fn service(ip: &str) -> ObjectNews {
    let text = format!("{{apiVersion: v1, kind: Service, metadata: {{name: web}}, spec: {{clusterIP: {ip}}}}}");
    let objects = manifests::parse(&text, "web.yaml").expect("a manifest").objects;
    ObjectNews::Applied(Arc::new(objects.iter().next().expect("one").1.clone()))
}

fn gone(name: &str) -> ObjectNews {
    let key = ObjectKey { kind: ObjectKind::Pod, namespace: "shop".into(), name: name.into() };
    ObjectNews::Removed(key)
}

fn seen(second: i64, news: ObjectNews) -> Seen {
    let at = Timestamp::from_parts(second, 0);
    Seen { at, since: Some(at), news }
}

fn recorder(known: Known) -> (Recorder, mpsc::Receiver<Order>) {
    let (writer, orders) = mpsc::channel(16);
    (Recorder { cluster: None, writer, known, waiting: Vec::new(), is_refused: false }, orders)
}

/// What the next run knows.
fn left(rows: &[ObjectRow]) -> Known {
    let mut known = Known::default();
    for row in rows {
        known.take(row.clone());
    }
    known
}

fn said(rows: &[ObjectRow]) -> Vec<String> {
    let version = |row: &ObjectRow| row.resource_version.as_deref().unwrap_or("-").to_owned();
    rows.iter().map(|row| format!("{} {} {}", row.event.name(), row.name, version(row))).collect()
}

#[test]
fn every_version_is_written_once_and_in_order() {
    let (mut recorder, _orders) = recorder(Known::default());
    for told in [
        pod("web", "u1", "1"),
        pod("web", "u1", "1"),
        pod("web", "u1", "2"),
        gone("web"),
        gone("web"),
        pod("web", "u2", "3"),
        service("10.96.0.1"),
        service("10.96.0.1"),
        service("10.96.0.2"),
        ObjectNews::Complete(ObjectKind::Pod),
    ] {
        recorder.note(&seen(5, told));
    }
    let rows = recorder.waiting;
    let expected =
        ["applied web 1", "applied web 2", "deleted web 2", "applied web 3", "applied web -", "applied web -"];
    assert_eq!(said(&rows), expected);
    assert!(rows.is_sorted_by(|a, b| a.seen_ts < b.seen_ts), "their times are their order");
    assert!(
        rows.iter().all(|row| row.since_ts == Some(Timestamp::from_parts(5, 0))),
        "seen at once, so they count at once"
    );
    let first = &rows[0];
    assert_eq!((first.uid.as_deref(), first.created_ts), (Some("u1"), Timestamp::parse("2026-01-05T08:00:00Z").ok()));
    assert_eq!((rows[2].uid.as_deref(), &rows[2].object), (Some("u1"), &None));
}

#[test]
fn the_next_run_writes_what_is_new_and_what_has_gone() {
    let (mut first, _orders) = recorder(Known::default());
    for told in [pod("web", "u1", "1"), pod("api", "u2", "2"), pod("old", "u3", "3"), gone("old"), service("10.96.0.1")]
    {
        first.note(&Seen { since: None, ..seen(5, told) });
    }
    assert!(first.waiting.iter().all(|row| row.event == ObjectEvent::Deleted || row.since_ts.is_none()), "always so");
    let (mut next, _orders) = recorder(left(&first.waiting));
    let second = 2;
    for told in [
        pod("web", "u1", "1"),
        service("10.96.0.9"),
        ObjectNews::Complete(ObjectKind::Pod),
        ObjectNews::Complete(ObjectKind::Pod),
    ] {
        next.note(&Seen { since: None, ..seen(second, told) });
    }
    assert_eq!(said(&next.waiting), ["applied web -", "deleted api 2"]);
    let last = first.waiting.last().map(|row| row.seen_ts);
    assert!(next.waiting.iter().all(|row| Some(row.seen_ts) > last), "also where the clock was set back");
    assert_eq!(next.waiting[0].since_ts, Some(Timestamp::from_parts(second, 0)), "it was otherwise before");
}

#[tokio::test]
async fn without_room_in_the_journal_the_last_versions_stay_and_are_written_when_there_is_some() {
    let (mut recorder, mut orders) = recorder(Known::default());
    let full = async |orders: &mut mpsc::Receiver<Order>| {
        let Some(Order::Record { done, .. }) = orders.recv().await else { panic!("objects are recorded") };
        let _ = done.send(Err(tonic::Status::resource_exhausted("journal full")));
    };
    for version in 0..=MAX_WAITING {
        recorder.note(&seen(5, pod("web", "u1", &version.to_string())));
    }
    recorder.note(&seen(6, pod("api", "u2", "7")));
    tokio::join!(recorder.write(), full(&mut orders));
    let last = [format!("applied web {MAX_WAITING}"), "applied api 7".to_owned()];
    assert_eq!(said(&recorder.waiting), last);
    assert!(recorder.is_refused);
    let room = async {
        let Some(Order::Record { changes, done }) = orders.recv().await else { panic!("objects are recorded") };
        let _ = done.send(Ok(crate::writer::Written::New));
        said(&changes)
    };
    let ((), written) = tokio::join!(recorder.write(), room);
    assert_eq!((written, recorder.waiting.len(), recorder.is_refused), (last.to_vec(), 0, false));
}

#[test]
fn an_entry_is_bounded_in_rows_and_bytes() {
    let (mut recorder, _orders) = recorder(Known::default());
    (0..600).for_each(|number| recorder.note(&seen(5, pod(&format!("web-{number}"), "u", "1"))));
    assert_eq!(entry(&recorder.waiting), ENTRY_ROWS);
    recorder.waiting[1].object = Some("x".repeat(ENTRY_BYTES).into());
    assert_eq!(entry(&recorder.waiting), 2);
    assert_eq!(entry(&recorder.waiting[599..]), 1);
}
