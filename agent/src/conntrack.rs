//! What was recorded of this node's connection tracking: texts beside the capture files in, translations out, in step
//! with the replay's packet time.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::Sender;
use tracing::{info, warn};
use weir_cluster::conntrack::{self, Entries, Text};
use weir_model::{Loss, LossStage, Timestamp, Translation};

use crate::event::{Event, Heard, Span};
use crate::netfilter::ENTRIES;
use crate::taps::FileTap;

/// The texts of one node, read one after the other.
pub(crate) struct RecordedConntrack {
    texts: VecDeque<PathBuf>,
    open: Option<(PathBuf, Text<BufReader<File>>)>,
    /// Read, but not due yet.
    next: Option<conntrack::Event>,
    /// Packet time it has reached.
    time: Timestamp,
    entries: Entries,
    /// From the first line of the text on it is complete, as far as a text can show.
    complete_from: Option<Timestamp>,
    queue: Sender<Event>,
}

impl RecordedConntrack {
    /// Finds `NODE.conntrack.txt` in the folders of the capture files, in the order of their time.
    pub(crate) fn beside(taps: &[FileTap], node: &str, queue: Sender<Event>) -> Self {
        let mut folders: BTreeMap<&Path, Timestamp> = BTreeMap::new();
        for file in taps.iter().flat_map(|tap| &tap.files) {
            let Some(folder) = file.path.parent() else { continue };
            let first = folders.entry(folder).or_insert(file.from_ts);
            *first = file.from_ts.min(*first);
        }
        let mut folders: Vec<(Timestamp, &Path)> = folders.into_iter().map(|(folder, first)| (first, folder)).collect();
        folders.sort_unstable();
        let name = format!("{node}.conntrack.txt");
        let texts = folders.into_iter().map(|(_, folder)| folder.join(&name)).filter(|text| text.is_file());
        let texts: VecDeque<PathBuf> = texts.collect();
        if !texts.is_empty() {
            info!(files = texts.len(), "connection tracking recorded as {name}");
        }
        let (time, entries) = (Timestamp(i64::MIN), Entries::new(ENTRIES));
        Self { texts, open: None, next: None, time, entries, complete_from: None, queue }
    }

    /// Tells everything up to a packet time. Waits where the queue is full.
    pub(crate) fn tell_until(&mut self, time: Timestamp) {
        while let Some(event) = self.next.take().or_else(|| self.read()) {
            // Lines are in the order in which the kernel told them, whatever their times.
            self.time = event.at.map_or(self.time, |at| at.max(self.time));
            if self.time > time {
                self.next = Some(event);
                // There is a later line, so everything until now was told.
                return self.tell(None, time);
            }
            if event.at.is_some() {
                self.complete_from.get_or_insert(self.time);
            }
            if let Some(translation) = self.entries.learn(&event) {
                self.tell(Some(translation), self.time);
            }
        }
    }

    /// Tells the rest.
    pub(crate) fn finish(&mut self) {
        self.tell_until(Timestamp(i64::MAX));
    }

    fn tell(&self, translation: Option<Translation>, until: Timestamp) {
        let complete = self.complete_from.filter(|from| *from <= until).map(|from| Span { from, until });
        if translation.is_some() || complete.is_some() {
            let translations = translation.into_iter().collect();
            self.insist(Event::Conntrack(Heard { translations, complete }));
        }
    }

    fn read(&mut self) -> Option<conntrack::Event> {
        loop {
            if self.open.is_none() {
                let path = self.texts.pop_front()?;
                match File::open(&path) {
                    Ok(file) => {
                        self.complete_from = None;
                        self.open = Some((path, Text::new(BufReader::new(file))));
                    }
                    Err(error) => self.lose(&path, None, &error.to_string()),
                }
                continue;
            }
            let (path, mut text) = self.open.take()?;
            let read = text.next_event();
            match read {
                Ok(Some(event)) => {
                    // A line that cannot be read may have been anything.
                    if text.malformed() > 0 {
                        self.complete_from = None;
                    }
                    self.open = Some((path, text));
                    return Some(event);
                }
                Ok(None) => {
                    if let Some(problem) = text.problem() {
                        self.lose(&path, Some(text.malformed()), &problem.to_string());
                    }
                }
                Err(error) => self.lose(&path, None, &error.to_string()),
            }
        }
    }

    /// Says that lines were lost: how many, where that is known.
    fn lose(&self, path: &Path, lines: Option<u64>, why: &str) {
        warn!(file = %path.display(), lines, "no entries of connection tracking: {why}");
        let interface = path.file_name().map(|name| name.to_string_lossy().into());
        let (stage, from_ts, to_ts) = (LossStage::File, self.time, self.time);
        self.insist(Event::Loss(Loss { stage, interface, from_ts, to_ts, packets: None, bytes: None, rows: lines }));
    }

    fn insist(&self, event: Event) {
        // Nobody listens only where the agent has stopped.
        let _ = self.queue.blocking_send(event);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc::{self, Receiver};
    use weir_model::{Tap, TapRole};

    use super::*;
    use crate::taps::RecordedFile;

    fn line(second: u8, port: u16) -> String {
        format!(
            "[{second}.5] [NEW] udp 17 30 src=10.0.1.1 dst=10.96.0.10 sport={port} dport=53 [UNREPLIED] \
             src=10.0.2.1 dst=10.0.1.1 sport=53 dport={port}\n"
        )
    }

    fn tap(folders: &[(&Path, i64)]) -> FileTap {
        let file = |(folder, second): &(&Path, i64)| {
            let time = Timestamp::from_parts(*second, 0);
            RecordedFile { path: folder.join("a.veth.pcap"), from_ts: time, to_ts: time }
        };
        let tap = Tap { interface: "a.veth".into(), role: TapRole::Pod, pod: None, sampling: 1 };
        FileTap { tap: Arc::new(tap), files: folders.iter().map(file).collect() }
    }

    fn ports(queue: &mut Receiver<Event>) -> Vec<Option<u16>> {
        let told = std::iter::from_fn(|| queue.try_recv().ok());
        let port = |event| match event {
            Event::Conntrack(heard) => heard.translations.first().map(|told| Some(told.original.src_port)),
            _ => Some(None),
        };
        told.filter_map(port).collect()
    }

    #[test]
    fn texts_beside_the_captures_are_told_in_packet_time_and_bad_lines_are_a_loss() {
        let (early, late) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        std::fs::write(late.path().join("a.conntrack.txt"), line(30, 3)).expect("written");
        std::fs::write(late.path().join("b.conntrack.txt"), line(1, 9)).expect("written");
        let text = format!("{}nonsense\n{}", line(10, 1), line(20, 2));
        std::fs::write(early.path().join("a.conntrack.txt"), text).expect("written");
        let (send, mut queue) = mpsc::channel(16);
        let taps = [tap(&[(late.path(), 30), (early.path(), 10)])];
        let mut recorded = RecordedConntrack::beside(&taps, "a", send);
        recorded.tell_until(Timestamp::from_parts(10, 0));
        assert_eq!(ports(&mut queue), []);
        recorded.tell_until(Timestamp::from_parts(21, 0));
        assert_eq!(ports(&mut queue), [Some(1), Some(2), None], "the loss of a line comes with the end of its file");
        recorded.finish();
        assert_eq!(ports(&mut queue), [Some(3)]);
    }

    #[test]
    fn without_texts_nothing_is_told() {
        let (send, mut queue) = mpsc::channel(16);
        let mut recorded = RecordedConntrack::beside(&[tap(&[(Path::new("nowhere"), 1)])], "a", send);
        recorded.finish();
        assert_eq!(ports(&mut queue), []);
    }
}
