//! A folder that changes, also half way.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;
use weir_watch::manifests::{Fingerprint, ManifestSource};
use weir_watch::{Change, Feed, ObjectId, State, open};

use crate::world::kind;

/// A file `web` with the text `1` is the Pod `web` that is `1`; a text `broken` is not readable.
fn read(folder: &Path) -> Result<Vec<(ObjectId, String)>, String> {
    let mut objects = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
        if text == "broken" {
            return Err(format!("{name}: broken"));
        }
        objects.push((ObjectId { kind: kind("pods"), namespace: "shop".into(), name: name.into() }, text));
    }
    Ok(objects)
}

fn watched(folder: &TempDir) -> Feed<String> {
    let source = ManifestSource::new(folder.path().to_owned(), vec![kind("pods")], Duration::from_secs(2), read);
    let (feed, running) = open(source, 100);
    tokio::spawn(running);
    feed
}

fn write(folder: &TempDir, name: &str, text: &str) {
    fs::write(folder.path().join(name), text).expect("a file");
}

/// What is told up to the next `Complete`, sorted.
async fn told(feed: &mut Feed<String>) -> Vec<String> {
    let mut told = Vec::new();
    loop {
        match feed.changes.recv().await.expect("it does not end") {
            Change::Applied { id, object } => told.push(format!("+{}={object}", id.name)),
            Change::Deleted { id } => told.push(format!("-{}", id.name)),
            Change::Complete { .. } => break,
        }
    }
    told.sort();
    told
}

#[tokio::test(start_paused = true)]
async fn what_changes_in_the_folder_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["stays", "changes", "goes"] {
        write(&folder, name, "1");
    }
    let mut feed = watched(&folder);
    assert_eq!(told(&mut feed).await, ["+changes=1", "+goes=1", "+stays=1"]);
    write(&folder, "changes", "2");
    write(&folder, "new", "1");
    fs::remove_file(folder.path().join("goes")).expect("it is there");
    assert_eq!(told(&mut feed).await, ["+changes=2", "+new=1", "-goes"]);
    let known = feed.knowledge.of_kind(kind("pods")).expect("known");
    assert_eq!((known.state, known.objects, known.counts.lists), (State::Current, 3, 2));
}

#[tokio::test(start_paused = true)]
async fn of_what_the_receiver_knows_only_what_differs_is_told() {
    let folder = tempfile::tempdir().expect("a folder");
    for name in ["same", "other", "new"] {
        write(&folder, name, "1");
    }
    let known = [("same", "1"), ("other", "0"), ("gone", "1")].map(|(name, text)| {
        (ObjectId { kind: kind("pods"), namespace: "shop".into(), name: name.into() }, text.to_owned())
    });
    let source = ManifestSource::new(folder.path().to_owned(), vec![kind("pods")], Duration::from_secs(2), read);
    let (mut feed, running) = open(source.knowing(known), 100);
    tokio::spawn(running);
    assert_eq!(told(&mut feed).await, ["+new=1", "+other=1", "-gone"]);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_cannot_be_read_leaves_what_was_and_says_so() {
    let folder = tempfile::tempdir().expect("a folder");
    write(&folder, "web", "1");
    let mut feed = watched(&folder);
    assert_eq!(told(&mut feed).await, ["+web=1"]);
    write(&folder, "web", "2");
    write(&folder, "db", "broken");
    let failed = loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let known = feed.knowledge.of_kind(kind("pods")).expect("known");
        if known.error.is_some() {
            break known;
        }
    };
    assert_eq!((failed.state, failed.objects), (State::Stale, 1));
    assert!(failed.error.is_some_and(|error| error.ends_with(": db: broken")));
    assert!(feed.changes.try_recv().is_err(), "nothing is told");
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert!(feed.knowledge.age(Instant::now()).expect("read once") >= Duration::from_mins(1), "it grows old");
    write(&folder, "db", "1");
    assert_eq!(told(&mut feed).await, ["+db=1", "+web=2"]);
    assert_eq!(feed.knowledge.of_kind(kind("pods")).expect("known").error, None);
}

#[tokio::test(start_paused = true)]
async fn knowledge_of_a_folder_that_rests_stays_young() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut feed = watched(&folder);
    assert!(told(&mut feed).await.is_empty());
    tokio::time::sleep(Duration::from_hours(1)).await;
    assert!(feed.knowledge.age(Instant::now()).expect("read once") <= Duration::from_secs(3));
    assert_eq!(feed.knowledge.of_kind(kind("pods")).expect("known").counts.lists, 1, "read once");
}

#[test]
fn a_fingerprint_sees_what_is_written_exchanged_and_nested_but_not_what_is_hidden() {
    let folder = tempfile::tempdir().expect("a folder");
    let look = || Fingerprint::of(folder.path());
    let mut seen = vec![look()];
    let mut differs = |what: &str| {
        let now = look();
        assert_ne!(seen.last(), Some(&now), "{what}");
        seen.push(now);
    };
    write(&folder, "web", "1");
    differs("a file");
    fs::create_dir(folder.path().join("deep")).expect("new");
    fs::write(folder.path().join("deep/db"), "1").expect("a file");
    differs("a file in a folder");
    for name in [".v1", ".v2"] {
        fs::write(folder.path().join(name), "same").expect("a file");
    }
    std::os::unix::fs::symlink(".v1", folder.path().join("linked")).expect("a link");
    differs("a link");
    fs::remove_file(folder.path().join("linked")).expect("there");
    std::os::unix::fs::symlink(".v2", folder.path().join("linked")).expect("a link");
    differs("a link to a file of the same size");
    let before = look();
    fs::write(folder.path().join(".hidden"), "1").expect("a file");
    assert_eq!(before, look());
    assert_eq!(Fingerprint::of(&folder.path().join("nothing")), Fingerprint::of(&folder.path().join("nothing")));
}
