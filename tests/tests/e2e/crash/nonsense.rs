//! Bad input on the wire: each kind is refused in the words of `ingest.proto`, and nobody else notices.

use prost::Message as _;
use tonic::Code;
use weir_proto::v1::{self, refused::Reason};
use weir_tests::programs::{Answer, Collector, Dice, Frame, Kept, RawAgent, Source, Traffic, Unanswered, hello};

/// A collector, an agent that must not be disturbed, and the traffic of one that talks nonsense.
struct Scene {
    _data: tempfile::TempDir,
    collector: Collector,
    bystander: RawAgent,
    steady: Traffic,
    sent: u64,
    bad: Traffic,
}

impl Scene {
    fn new() -> Self {
        let data = tempfile::tempdir().expect("a temporary folder");
        let collector = Collector::start(data.path(), &["--settle", "50ms"]);
        let steady = Traffic::new("steady", 1, 5);
        let bystander = RawAgent::connect(collector.url(), &steady).expect("the collector takes it");
        let mut scene = Self { _data: data, collector, bystander, steady, sent: 0, bad: Traffic::new("bad", 2, 5) };
        scene.others_go_on();
        scene
    }

    fn connect(&self) -> RawAgent {
        RawAgent::connect(self.collector.url(), &self.bad).expect("the collector takes it")
    }

    /// The other agent's stream, opened before, still carries batches.
    fn others_go_on(&mut self) {
        self.sent += 1;
        let batch = self.steady.batch(self.sent);
        let acked = self.bystander.send(&batch).and_then(|()| self.bystander.wait_acked(self.sent));
        acked.expect("others are not disturbed");
    }

    /// Ends the scene: the other agent's rows are whole, and of the bad one there are just these batches.
    fn assert_kept(mut self, of_bad: &[u64]) {
        self.others_go_on();
        let kept = Kept::read(Source::Server(self.collector.url()), &[&self.steady, &self.bad]);
        (1..=self.sent).for_each(|sequence| kept.assert_whole(&self.steady, sequence));
        for sequence in of_bad {
            kept.assert_whole(&self.bad, *sequence);
        }
        assert_eq!(kept.batches_of(&self.bad), of_bad.len());
    }
}

fn refusal(agent: &mut RawAgent) -> v1::Refused {
    match agent.answer() {
        Ok(Answer::Refused(refused)) => refused,
        other => panic!("not refused: {other:?}"),
    }
}

/// The status that ends the stream.
fn ending(agent: &mut RawAgent) -> Unanswered {
    loop {
        if let Err(status) = agent.answer() {
            return status;
        }
    }
}

#[test]
fn the_first_message_must_be_hello() {
    let scene = Scene::new();
    let message = scene.connect().encode(&scene.bad.batch(1));
    for first in [message.into(), Frame::default(), Frame { hello: Some(b"\xff\xff\xff".to_vec()), batch: None }] {
        let refused = RawAgent::connect_with(scene.collector.url(), first).err().expect("this is no Hello");
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
    scene.assert_kept(&[]);
}

#[test]
fn a_hello_that_cannot_be_is_refused() {
    let scene = Scene::new();
    let good = hello(&scene.bad);
    for (bad, code) in [
        (v1::Hello { node: String::new(), ..good.clone() }, Code::InvalidArgument),
        (v1::Hello { run: vec![1; 15], ..good.clone() }, Code::InvalidArgument),
        (v1::Hello { protocol_version: 99, ..good.clone() }, Code::FailedPrecondition),
        (
            v1::Hello { coverage: vec![v1::Coverage { role: 77, ..v1::Coverage::default() }], ..good },
            Code::InvalidArgument,
        ),
    ] {
        let refused = RawAgent::connect_with(scene.collector.url(), bad.into()).err().expect("this Hello is bad");
        assert_eq!(refused.code(), code, "{refused}");
    }
    scene.assert_kept(&[]);
}

#[test]
fn a_second_hello_ends_the_stream_and_keeps_what_was_acked() {
    let scene = Scene::new();
    let mut agent = scene.connect();
    agent.send(&scene.bad.batch(1)).and_then(|()| agent.wait_acked(1)).expect("the collector takes it");
    agent.send_frame(hello(&scene.bad).into()).expect("the stream is open");
    assert_eq!(ending(&mut agent).code(), Code::InvalidArgument);
    scene.assert_kept(&[1]);
}

#[test]
fn a_batch_with_unknown_ids_is_refused_and_taken_when_its_names_come_along() {
    let scene = Scene::new();
    let mut agent = scene.connect();
    let nameless = v1::Batch { entries: Vec::new(), ..agent.encode(&scene.bad.batch(1)) };
    agent.send_frame(nameless.into()).expect("the stream is open");
    let refused = refusal(&mut agent);
    assert_eq!((refused.sequence, refused.reason()), (1, Reason::UnknownId), "{refused:?}");
    // What was under way behind it must not be taken before it.
    agent.send(&scene.bad.batch(2)).expect("the stream is open");
    assert_eq!(refusal(&mut agent).sequence, 2);
    agent.forget_names();
    for sequence in 1..=2 {
        agent.send(&scene.bad.batch(sequence)).expect("the stream is open");
    }
    agent.wait_acked(2).expect("names and batches are whole now");
    scene.assert_kept(&[1, 2]);
}

#[test]
fn a_malformed_record_refuses_its_whole_batch_and_no_other() {
    let scene = Scene::new();
    let mut agent = scene.connect();
    let spoil: [fn(&mut v1::FlowRecord); 6] = [
        |record| record.protocol = 256,
        |record| record.src_ip = vec![1, 2, 3],
        |record| record.dst_port = 70_000,
        |record| record.report = 9,
        |record| record.outcome = 99,
        |record| record.leg = Some(7),
    ];
    for (sequence, spoil) in (1..).zip(spoil) {
        let mut message = agent.encode(&scene.bad.batch(sequence));
        spoil(message.flows.last_mut().expect("a batch has flows"));
        agent.send_frame(message.into()).expect("the stream is open");
        let refused = refusal(&mut agent);
        assert_eq!((refused.sequence, refused.reason()), (sequence, Reason::Malformed), "{refused:?}");
    }
    // Its names were in the first of the refused ones.
    agent.send(&scene.bad.batch(7)).and_then(|()| agent.wait_acked(7)).expect("the stream lives on");
    scene.assert_kept(&[7]);
}

#[test]
fn a_batch_in_the_name_of_another_agent_is_refused() {
    let scene = Scene::new();
    let mut agent = scene.connect();
    // Taken, it would make the other agent's next batches duplicates.
    let mut forged = agent.encode(&scene.steady.batch(1_000));
    agent.send_frame(forged.clone().into()).expect("the stream is open");
    assert_eq!(refusal(&mut agent).reason(), Reason::Malformed);
    forged.node = scene.bad.node().to_owned();
    agent.send_frame(forged.into()).expect("the stream is open");
    assert_eq!(refusal(&mut agent).reason(), Reason::Malformed);
    let unnumbered = agent.encode(&scene.bad.batch(0));
    agent.send_frame(unnumbered.into()).expect("the stream is open");
    assert_eq!(refusal(&mut agent).reason(), Reason::Malformed);
    scene.assert_kept(&[]);
}

#[test]
fn a_message_over_four_mebibytes_ends_the_stream() {
    let scene = Scene::new();
    let mut agent = scene.connect();
    agent.send(&scene.bad.batch(1)).and_then(|()| agent.wait_acked(1)).expect("the collector takes it");
    let mut large = agent.encode(&scene.bad.batch(2));
    large.coverage.push(v1::Coverage { reason: Some("x".repeat(5 << 20)), ..v1::Coverage::default() });
    agent.send_frame(large.into()).expect("the stream is open");
    let status = ending(&mut agent);
    assert_eq!(status.code(), Code::ResourceExhausted, "{status}");
    scene.assert_kept(&[1]);
}

#[test]
fn arbitrary_bytes_in_the_place_of_a_batch_do_no_harm() {
    let mut scene = Scene::new();
    let mut dice = Dice::new();
    let good = scene.connect().encode(&scene.bad.batch(1)).encode_to_vec();
    for round in 0_u128..60 {
        // Each round is a node of its own: its name need not be free again.
        let guest = Traffic::new(&format!("guest-{round}"), 10 + round, 5);
        let mut agent = RawAgent::connect(scene.collector.url(), &guest).expect("the collector takes it");
        let bytes: Vec<u8> = if round % 2 == 0 {
            (0..dice.below(300)).map(|_| dice.below(256) as u8).collect()
        } else {
            // A batch of another agent, with a few bytes changed.
            let mut bytes = good.clone();
            for _ in 0..=dice.below(4) {
                let at = dice.below(bytes.len() as u64) as usize;
                bytes[at] = dice.below(256) as u8;
            }
            bytes
        };
        agent.send_frame(Frame { hello: None, batch: Some(bytes.clone()) }).expect("the stream is open");
        match agent.answer() {
            Ok(Answer::Refused(_)) => {}
            Err(status) => assert_eq!(status.code(), Code::InvalidArgument, "{status}: {bytes:?}"),
            other => panic!("taken: {other:?}: {bytes:?}"),
        }
        scene.others_go_on();
    }
    scene.assert_kept(&[]);
}
