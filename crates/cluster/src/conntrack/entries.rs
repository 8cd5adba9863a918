//! Which entries are known already, so that each is told once when it is made and once when it is removed.

use std::collections::{HashMap, VecDeque};

use weir_model::{Timestamp, Translation, Tuple};

use super::{Event, Happened};

/// Remembers the entries of one node's connection tracking.
///
/// Key: both tuples, the zone and the number. Cap: as given; the one that was made first goes. What is forgotten is told
/// once more when something happens to it.
#[derive(Debug)]
pub struct Entries {
    known: HashMap<Key, Known, foldhash::fast::RandomState>,
    order: VecDeque<(u64, Key)>,
    made: u64,
    cap: usize,
    /// How many dumps of the table have begun.
    dumps: u64,
}

/// An entry's name.
type Key = (Tuple, Tuple, Option<u16>, Option<u32>);

#[derive(Debug)]
struct Known {
    number: u64,
    from_ts: Option<Timestamp>,
    /// The dump that it was in last, or was made after.
    seen: u64,
}

impl Entries {
    /// Nothing yet; at most `cap` entries at once, some 200 bytes each.
    pub fn new(cap: usize) -> Self {
        Self { known: HashMap::default(), order: VecDeque::new(), made: 0, cap: cap.max(1), dumps: 0 }
    }

    /// What an event tells that is new.
    pub fn learn(&mut self, event: &Event) -> Option<Translation> {
        let key = (event.original, event.reply, event.zone, event.id);
        let (from_ts, to_ts) = match event.happened {
            Happened::Destroyed => (self.known.remove(&key).and_then(|known| known.from_ts), event.at),
            Happened::There => match self.known.get_mut(&key) {
                Some(known) => {
                    known.seen = self.dumps;
                    return None;
                }
                None => (None, None),
            },
            Happened::New => (event.at, None),
        };
        if event.happened != Happened::Destroyed {
            self.remember(key, from_ts);
        }
        Some(Translation { original: event.original, reply: event.reply, from_ts, to_ts, zone: event.zone })
    }

    /// A dump of the whole table begins: every entry that is there comes before it ends.
    pub fn begin_dump(&mut self) {
        self.dumps += 1;
    }

    /// The dump is over. What was known and is not in it was removed, by `at` at the latest, and nothing had told it: the
    /// kernel does not for entries that are older than its first listener.
    pub fn end_dump(&mut self, at: Timestamp) -> Vec<Translation> {
        let dumps = self.dumps;
        let gone = self.known.extract_if(|_, known| known.seen < dumps);
        gone.map(|((original, reply, zone, _), known)| Translation {
            original,
            reply,
            from_ts: known.from_ts,
            to_ts: Some(at),
            zone,
        })
        .collect()
    }

    fn remember(&mut self, key: Key, from_ts: Option<Timestamp>) {
        self.made += 1;
        self.known.insert(key, Known { number: self.made, from_ts, seen: self.dumps });
        self.order.push_back((self.made, key));
        while self.known.len() > self.cap || self.order.len() > 2 * self.cap {
            let Some((number, oldest)) = self.order.pop_front() else { return };
            match self.known.get(&oldest).is_some_and(|known| known.number == number) {
                // The queue is long because of entries that were removed.
                true if self.known.len() <= self.cap => self.order.push_back((number, oldest)),
                true => drop(self.known.remove(&oldest)),
                false => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use weir_model::Protocol;

    use super::*;

    fn event(happened: Happened, seconds: i64, port: u16) -> Event {
        let ip = |text: &str| text.parse().expect("an address");
        let original = Tuple {
            protocol: Protocol::UDP,
            src_ip: ip("10.244.1.11"),
            src_port: port,
            dst_ip: ip("10.96.0.10"),
            dst_port: 53,
        };
        let reply = Tuple { dst_ip: ip("10.244.1.13"), ..original }.reversed();
        Event { happened, at: Some(Timestamp::from_parts(seconds, 0)), original, reply, zone: None, id: Some(7) }
    }

    fn spans(entries: &mut Entries, events: &[(Happened, i64, u16)]) -> Vec<(Option<i64>, Option<i64>)> {
        let told = events.iter().filter_map(|(happened, at, port)| entries.learn(&event(*happened, *at, *port)));
        told.map(|t| (t.from_ts.map(Timestamp::seconds), t.to_ts.map(Timestamp::seconds))).collect()
    }

    #[test]
    fn an_entry_is_told_when_it_is_made_and_when_it_is_removed() {
        use Happened::{Destroyed, New, There};
        let mut entries = Entries::new(10);
        let told = spans(&mut entries, &[(New, 1, 1), (There, 2, 1), (There, 3, 1), (Destroyed, 4, 1), (New, 5, 1)]);
        assert_eq!(told, [(Some(1), None), (Some(1), Some(4)), (Some(5), None)]);
    }

    #[test]
    fn an_entry_that_was_there_before_has_no_beginning() {
        use Happened::{Destroyed, There};
        let mut entries = Entries::new(10);
        let told = spans(&mut entries, &[(There, 1, 1), (There, 2, 1), (Destroyed, 3, 1), (Destroyed, 4, 2)]);
        assert_eq!(told, [(None, None), (None, Some(3)), (None, Some(4))]);
    }

    #[test]
    fn what_a_dump_does_not_list_any_more_was_removed() {
        use Happened::{Destroyed, New, There};
        let mut entries = Entries::new(10);
        spans(&mut entries, &[(There, 1, 1), (New, 2, 2), (New, 2, 3), (There, 2, 4)]);
        entries.begin_dump();
        assert_eq!(spans(&mut entries, &[(There, 3, 2), (New, 3, 5)]), [(Some(3), None)]);
        let mut gone = entries.end_dump(Timestamp::from_parts(4, 0));
        gone.sort_by_key(|told| told.original.src_port);
        let ports: Vec<u16> = gone.iter().map(|told| told.original.src_port).collect();
        assert_eq!(ports, [1, 3, 4]);
        assert!(gone.iter().all(|told| told.to_ts == Some(Timestamp::from_parts(4, 0))));
        assert_eq!((gone[0].from_ts, gone[1].from_ts.map(Timestamp::seconds)), (None, Some(2)));
        assert_eq!(spans(&mut entries, &[(There, 5, 5), (Destroyed, 6, 2)]), [(Some(2), Some(6))]);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_lasting_entries_outlive_short_ones() {
        use Happened::{Destroyed, New, There};
        let mut entries = Entries::new(4);
        spans(&mut entries, &[(New, 0, 1)]);
        for port in 2..1_000 {
            spans(&mut entries, &[(New, 1, port), (Destroyed, 1, port)]);
        }
        assert!(spans(&mut entries, &[(There, 2, 1)]).is_empty(), "it is still known");
        for port in 2..1_000 {
            spans(&mut entries, &[(New, 3, port)]);
        }
        assert!(entries.known.len() <= 4 && entries.order.len() <= 8);
        assert_eq!(spans(&mut entries, &[(There, 4, 1)]), [(None, None)], "the oldest went");
    }
}
