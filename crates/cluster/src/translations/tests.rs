//! Ways through the NAT of one and of two nodes.

use std::sync::Arc;

use weir_model::{Protocol, Timestamp, Translation, Tuple};

use super::{Sighting, TranslationOptions, Translations, Way};

fn tuple(src: (&str, u16), dst: (&str, u16)) -> Tuple {
    let ip = |text: &str| text.parse().expect("an address");
    let protocol = if src.1 == 0 { Protocol::ICMP } else { Protocol::UDP };
    Tuple { protocol, src_ip: ip(src.0), src_port: src.1, dst_ip: ip(dst.0), dst_port: dst.1 }
}

fn translation(before: Tuple, after: Tuple, from: i64, to: Option<i64>) -> Translation {
    let seconds = |seconds| Timestamp::from_parts(seconds, 0);
    Translation {
        original: before,
        reply: after.reversed(),
        from_ts: Some(seconds(from)),
        to_ts: to.map(seconds),
        zone: None,
    }
}

fn told(entries: &[(&str, Translation)]) -> Translations {
    let mut translations = Translations::new(TranslationOptions::default());
    for (node, translation) in entries {
        translations.learn(Some(&Arc::from(*node)), translation, 0);
    }
    translations
}

fn way(translations: &Translations, node: &str, tuple: Tuple, at: i64) -> Option<Way> {
    let at = Timestamp::from_parts(at, 0);
    let node = Arc::from(node);
    translations.way(&Sighting { tuple, node: Some(&node), from: at, until: at, is_opening: false })
}

const CLIENT: (&str, u16) = ("10.244.1.11", 39_142);
const SERVICE: (&str, u16) = ("10.96.0.10", 53);
const DNS: (&str, u16) = ("10.244.2.13", 53);

#[test]
fn every_tuple_on_it_leads_to_the_whole_way_through_two_nodes() {
    let outside = ("172.31.250.100", 5_000);
    let dialled = tuple(outside, ("172.31.250.11", 30_053));
    let between = tuple(("172.31.250.11", 61_000), ("172.31.250.12", 30_053));
    let arrived = tuple(("172.31.250.12", 62_000), DNS);
    let (a, b) = (translation(dialled, between, 10, None), translation(between, arrived, 10, None));
    for order in [[("node-a", a), ("node-b", b)], [("node-b", b), ("node-a", a)]] {
        let translations = told(&order);
        for seen in [dialled, between, arrived, arrived.reversed(), between.reversed()] {
            let way = way(&translations, "node-b", seen, 11).expect("a way");
            assert_eq!((way.first(), way.last(), way.tuples().count()), (dialled, arrived, 3), "from {seen:?}");
        }
    }
}

#[test]
fn of_two_entries_of_one_tuple_the_one_of_that_time_counts() {
    let before = tuple(CLIENT, SERVICE);
    let (first, second) = (tuple(CLIENT, DNS), tuple(CLIENT, ("10.244.1.13", 53)));
    let translations = told(&[
        ("node-a", translation(before, first, 10, Some(40))),
        ("node-a", translation(before, second, 100, None)),
    ]);
    let last = |at| way(&translations, "node-a", before, at).map(|way| way.last());
    assert_eq!((last(12), last(41), last(101), last(5_000)), (Some(first), Some(first), Some(second), Some(second)));
    assert_eq!((last(5), last(60)), (None, None), "nobody's time");
}

#[test]
fn another_nodes_clock_may_differ_by_more_than_the_own_ones() {
    let (before, after) = (tuple(CLIENT, SERVICE), tuple(CLIENT, DNS));
    let translations = told(&[("node-a", translation(before, after, 100, Some(130)))]);
    let found = |node, at| way(&translations, node, after, at).is_some();
    assert!(!found("node-a", 40) && found("node-b", 40) && found("node-b", 190));
    assert!(!found("node-b", 400));
}

#[test]
fn a_connection_that_was_seen_to_open_needs_an_entry_made_then() {
    let (before, after) = (tuple(CLIENT, SERVICE), tuple(CLIENT, DNS));
    let translations = told(&[("node-a", translation(before, after, 10, None))]);
    let node = Arc::from("node-a");
    let seen = |from, is_opening| {
        let at = Timestamp::from_parts(from, 0);
        translations.way(&Sighting { tuple: before, node: Some(&node), from: at, until: at, is_opening }).is_some()
    };
    assert!(seen(11, true) && seen(500, false) && !seen(500, true));
}

#[test]
fn without_ports_two_connections_behind_one_address_stay_apart() {
    let outside = ("8.8.8.8", 0);
    let masqueraded = tuple(("172.31.250.11", 0), outside);
    let ping = |pod| translation(tuple((pod, 0), outside), masqueraded, 10, None);
    let mut translations = told(&[("node-a", ping("10.244.1.11"))]);
    assert!(way(&translations, "node-a", masqueraded, 11).is_some());
    translations.learn(Some(&Arc::from("node-a")), &ping("10.244.1.12"), 0);
    assert_eq!(way(&translations, "node-a", masqueraded, 11), None);
}

#[test]
fn nothing_is_remembered_twice_and_never_more_than_the_cap() {
    let options = TranslationOptions { max: 3, ..TranslationOptions::default() };
    let mut translations = Translations::new(options);
    let entry =
        |port, to| translation(tuple(("10.244.1.11", port), SERVICE), tuple(("10.244.1.11", port), DNS), 10, to);
    let node = Arc::from("node-a");
    assert!(translations.learn(Some(&node), &entry(1, None), 0));
    assert!(!translations.learn(Some(&node), &entry(1, Some(20)), 0), "its end is nothing new about who is who");
    assert_eq!(way(&translations, "node-a", entry(1, None).original, 60), None, "but counts");
    for port in 2..100 {
        translations.learn(Some(&node), &entry(port, None), 1);
    }
    assert_eq!((translations.len(), translations.originals.len(), translations.translated.len()), (3, 3, 3));
    translations.forget(2);
    assert!(translations.is_empty() && translations.originals.is_empty() && translations.translated.is_empty());
}
