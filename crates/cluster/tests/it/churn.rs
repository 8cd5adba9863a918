//! Pods that are replaced every second, each at the address of the one before, while traffic flows and news comes when
//! it will: every flow is the pod's that really had the address.

use weir_cluster::objects::{
    ContainerRun, ContainerState, ContainerStatus, Object, ObjectKey, ObjectKind, ObjectMeta, Phase, Pod, PodSpec,
    PodStatus,
};
use weir_cluster::{History, SnapshotOptions, attribute};
use weir_model::{EndpointKind, Protocol, TapRole, Timestamp};

use crate::given::{flow, said, tap};

const SECOND: i64 = 1_000_000_000;
const ADDRESSES: u32 = 20;
const SECONDS: u32 = 300;

/// Numbers that look random and are the same on every run.
struct Numbers(u64);

impl Numbers {
    /// Below `end`.
    fn below(&mut self, end: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as i64) % end
    }
}

/// A pod's real life, to the nanosecond.
struct Real {
    name: String,
    ip: String,
    taken_on: i64,
    has_address: i64,
    loses_address: i64,
}

/// The API tells full seconds.
fn told(time: i64) -> Timestamp {
    Timestamp(time / SECOND * SECOND)
}

impl Real {
    fn object(&self, with_address: bool, is_finished: bool) -> Object {
        let run = ContainerRun { started_at: Some(told(self.has_address)), finished_at: None };
        let end = ContainerRun { finished_at: Some(told(self.loses_address - 1)), ..run };
        let state = match (with_address, is_finished) {
            (_, true) => ContainerState { running: None, terminated: Some(end) },
            (true, false) => ContainerState { running: Some(run), terminated: None },
            (false, false) => ContainerState::default(),
        };
        Object::Pod(Box::new(Pod {
            metadata: ObjectMeta {
                name: self.name.as_str().into(),
                namespace: "shop".into(),
                creation_timestamp: Some(told(self.taken_on)),
                deletion_timestamp: is_finished.then(|| told(self.loses_address)),
                ..ObjectMeta::default()
            },
            spec: PodSpec { node_name: Some("a".into()), ..PodSpec::default() },
            status: PodStatus {
                phase: if is_finished { Phase::Succeeded } else { Phase::Running },
                pod_ip: with_address.then(|| self.ip.parse().expect("an address")),
                start_time: Some(told(self.taken_on)),
                container_statuses: vec![ContainerStatus { state }],
                ..PodStatus::default()
            },
        }))
    }

    fn key(&self) -> ObjectKey {
        ObjectKey { kind: ObjectKind::Pod, namespace: "shop".into(), name: self.name.as_str().into() }
    }
}

/// Who is replaced when: within each full second, or at any time of it.
#[derive(Clone, Copy, PartialEq)]
enum Replaced {
    /// Torn down before a second ends, the next one taken on in the next.
    BetweenSeconds,
    /// At any time.
    AnyTime,
}

fn lives(replaced: Replaced, numbers: &mut Numbers) -> Vec<Real> {
    let mut lives = Vec::new();
    for address in 0..ADDRESSES {
        let shift = if replaced == Replaced::AnyTime { numbers.below(SECOND) } else { 0 };
        for second in 1..SECONDS {
            let begin = i64::from(second) * SECOND + shift;
            let taken_on = begin + numbers.below(SECOND / 10);
            lives.push(Real {
                name: format!("web-{address}-{second}"),
                ip: format!("10.1.0.{}", 10 + address),
                taken_on,
                has_address: taken_on + 1 + numbers.below(SECOND / 5),
                loses_address: begin + SECOND - 1 - numbers.below(SECOND / 5),
            });
        }
    }
    lives
}

enum News<'a> {
    Applied(Object),
    Gone(&'a Real),
}

/// What is told of the lives and when it is seen: at once, or up to `late` after it happened; of each pod in order.
fn news<'a>(lives: &'a [Real], late: i64, numbers: &mut Numbers) -> Vec<(i64, News<'a>)> {
    let mut all = Vec::new();
    for life in lives {
        let mut seen = i64::MIN;
        let mut tell = |time: i64, news| {
            seen = (time + numbers.below(late)).max(seen);
            all.push((seen, news));
        };
        tell(life.taken_on, News::Applied(life.object(false, false)));
        tell(life.has_address + SECOND / 10, News::Applied(life.object(true, false)));
        tell(life.loses_address + SECOND / 10, News::Applied(life.object(true, true)));
        tell(life.loses_address + SECOND / 5, News::Gone(life));
    }
    all.sort_by_key(|(seen, _)| *seen);
    all
}

/// Takes all news in, asks who every flow was, and returns how many were named right, not named, and named wrong.
fn named(replaced: Replaced, late: i64, at_own_tap: bool) -> (usize, usize, usize) {
    let mut numbers = Numbers(7);
    let lives = lives(replaced, &mut numbers);
    let mut history = History::new(SnapshotOptions::default());
    for (seen, news) in news(&lives, late, &mut numbers) {
        match news {
            News::Applied(object) => history.apply(&object, Timestamp(seen)),
            News::Gone(life) => history.remove(&life.key(), Timestamp(seen)),
        }
    }
    let (mut right, mut open, mut wrong) = (0, 0, 0);
    for life in &lives {
        for _ in 0..5 {
            let time = life.has_address + numbers.below(life.loses_address - life.has_address);
            let snapshot = history.snapshot(Timestamp(time));
            let own = format!("shop/{}", life.name);
            let tap = if at_own_tap { tap(TapRole::Pod, Some(&own)) } else { tap(TapRole::Uplink, None) };
            let src = attribute(&snapshot, &tap, flow((&life.ip, 40_000), ("8.8.8.8", 53), Protocol::UDP)).src;
            match said(&src) {
                name if name == format!("pod {own}") => right += 1,
                _ if src.kind == EndpointKind::Pod && src.name.is_none() => open += 1,
                _ => wrong += 1,
            }
        }
    }
    (right, open, wrong)
}

const FLOWS: usize = (ADDRESSES * (SECONDS - 1) * 5) as usize;

#[test]
fn every_flow_is_the_pods_that_had_the_address_whether_news_is_at_once_or_half_a_minute_late() {
    for late in [1, SECOND / 2, 30 * SECOND] {
        assert_eq!(named(Replaced::BetweenSeconds, late, false), (FLOWS, 0, 0), "late by {late} ns");
    }
}

#[test]
fn at_its_own_tap_a_pod_is_named_also_where_one_second_holds_two() {
    for late in [1, SECOND / 2, 30 * SECOND] {
        assert_eq!(named(Replaced::AnyTime, late, true), (FLOWS, 0, 0), "late by {late} ns");
    }
}

#[test]
fn elsewhere_a_second_that_holds_two_pods_names_neither_and_never_the_wrong_one() {
    for late in [1, SECOND / 2, 30 * SECOND] {
        let (right, open, wrong) = named(Replaced::AnyTime, late, false);
        assert_eq!(wrong, 0, "late by {late} ns: {right} right, {open} open");
        assert!(right > 0 && open > 0);
    }
}
