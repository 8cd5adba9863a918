//! The agent's program on a live veth: what crosses it is what the collector gets.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream, UdpSocket};

use tokio::sync::mpsc;
use tokio::time::timeout;
use weir_model::{
    AttributedFlow, Counters, Coverage, EndReason, EndpointKind, InitiatorBy, Leg, Loss, LossStage, Outcome,
    PerDirection, Protocol, Report, TapRole,
};

use crate::agent::{Agent, DEADLINE};
use crate::collector::{self, Said};
use crate::lab::{Lab, NODE, NODE_IP, POD, POD_IP, VETH};

/// Ethernet, of every frame.
const LINK_HEADER: u64 = 14;
/// IPv4 and UDP.
const DATAGRAM_HEADERS: u64 = 28;
const REQUEST: [u8; 700] = [1; 700];
const RESPONSE: [u8; 900] = [2; 900];
const DATAGRAM: [u8; 333] = [3; 333];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_packet_on_the_veth_is_in_a_flow_of_its_leg() {
    let Some(lab) = Lab::up() else { return };
    lab.give_address(POD_IP.into());
    lab.route(POD_IP.into());
    lab.manifests();
    let ear = lab.in_node(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
    let port = ear.local_addr().expect("bound").port();
    let mut heard = collector::serve(ear);
    let mut agent = Agent::start(&lab, port, &format!("iface:{VETH}"));

    let Ok(Some(Said::Hello { node, taps })) = timeout(DEADLINE, heard.recv()).await else {
        panic!("no Hello first: {}", agent.log())
    };
    assert_eq!(node, NODE);
    let [tap] = &taps[..] else { panic!("one tap: {taps:?}") };
    assert_is_of_pod(tap);

    let before = lab.crossed();
    exchange_from_node_to_pod(&lab);
    let started = timeout(DEADLINE, heard.recv()).await;
    assert!(matches!(started, Ok(Some(Said::Batch(_)))), "{started:?}: {}", agent.log());
    let open = exchange_from_pod_to_node(&lab);
    datagram_from_pod_to_node(&lab);
    agent.terminate();
    let told = Told::until_exit(&mut heard, &mut agent).await;
    let after = lab.crossed();
    drop(open);

    let (packets, frame_bytes) = (after.0 - before.0, after.1 - before.1);
    assert_eq!(told.packets_and_bytes(), (packets, frame_bytes - packets * LINK_HEADER), "as the kernel counts them");
    assert_eq!(told.losses, []);
    let flows: BTreeSet<_> = told.flows.iter().map(|seen| seen.flow.id).collect();
    assert_eq!(flows.len(), 3, "{:#?}", told.flows);
    told.check_closed_exchange();
    told.check_open_exchange();
    told.check_datagram();
    told.check_coverage(tap);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_counted_to_the_packet_whatever_rings_it_takes() {
    let Some(lab) = Lab::up() else { return };
    lab.give_address(POD_IP.into());
    lab.route(POD_IP.into());
    lab.manifests();
    let ear = lab.in_node(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
    let port = ear.local_addr().expect("bound").port();
    let mut heard = collector::serve(ear);
    let mut agent = Agent::start(&lab, port, &format!("iface:{VETH}"));
    let Ok(Some(Said::Hello { .. })) = timeout(DEADLINE, heard.recv()).await else { panic!("{}", agent.log()) };

    let before = lab.crossed();
    flood_from_pod_to_node(&lab);
    agent.terminate();
    let told = Told::until_exit(&mut heard, &mut agent).await;
    let crossed = lab.crossed().0 - before.0;
    let lost: u64 = told.losses.iter().filter_map(|loss| loss.packets).sum();
    assert!(told.losses.iter().all(|loss| loss.stage == LossStage::Kernel), "{:?}", told.losses);
    assert_eq!(told.packets_and_bytes().0 + lost, crossed, "{lost} lost of {crossed}");
}

/// More at once than the first ring holds.
fn flood_from_pod_to_node(lab: &Lab) {
    let node = lab.in_node(|| UdpSocket::bind((NODE_IP, 0))).expect("a port");
    let pod = lab.in_pod(|| UdpSocket::bind((POD_IP, 0))).expect("a port");
    let address = node.local_addr().expect("bound");
    for _ in 0..200_000 {
        pod.send_to(&DATAGRAM, address).expect("sent");
    }
}

/// A request to the pod and its response, over a connection that both sides close.
fn exchange_from_node_to_pod(lab: &Lab) {
    let server = lab.in_pod(|| TcpListener::bind((POD_IP, 0))).expect("a port");
    let address = server.local_addr().expect("bound");
    let mut client = lab.in_node(|| TcpStream::connect_timeout(&address, DEADLINE)).expect("connected");
    let (mut pod, _) = server.accept().expect("accepted");
    exchange(&mut client, &mut pod);
    client.shutdown(Shutdown::Write).expect("closed");
    assert_eq!(pod.read(&mut [0]).expect("read"), 0, "the client has closed");
    drop(pod);
    assert_eq!(client.read(&mut [0]).expect("read"), 0, "the pod has closed");
}

/// A request of the pod and its response, over a connection that stays open.
fn exchange_from_pod_to_node(lab: &Lab) -> (TcpStream, TcpStream) {
    let server = lab.in_node(|| TcpListener::bind((NODE_IP, 0))).expect("a port");
    let address = server.local_addr().expect("bound");
    let mut pod = lab.in_pod(|| TcpStream::connect_timeout(&address, DEADLINE)).expect("connected");
    let (mut node, _) = server.accept().expect("accepted");
    exchange(&mut pod, &mut node);
    (pod, node)
}

fn exchange(client: &mut TcpStream, server: &mut TcpStream) {
    for stream in [&*client, &*server] {
        stream.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    }
    client.write_all(&REQUEST).expect("sent");
    server.read_exact(&mut [0; REQUEST.len()]).expect("received");
    server.write_all(&RESPONSE).expect("sent");
    client.read_exact(&mut [0; RESPONSE.len()]).expect("received");
}

fn datagram_from_pod_to_node(lab: &Lab) {
    let node = lab.in_node(|| UdpSocket::bind((NODE_IP, 0))).expect("a port");
    node.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    let pod = lab.in_pod(|| UdpSocket::bind((POD_IP, 0))).expect("a port");
    pod.send_to(&DATAGRAM, node.local_addr().expect("bound")).expect("sent");
    assert_eq!(node.recv(&mut [0; 1_024]).expect("received"), DATAGRAM.len());
}

/// What the collector was told.
struct Told {
    flows: Vec<AttributedFlow>,
    coverage: Vec<Coverage>,
    losses: Vec<Loss>,
}

impl Told {
    async fn until_exit(heard: &mut mpsc::Receiver<Said>, agent: &mut Agent) -> Self {
        let mut told = Self { flows: Vec::new(), coverage: Vec::new(), losses: Vec::new() };
        // The queue of what was said has room for all of it.
        let status = agent.exit().await;
        assert!(status.success(), "{status}: {}", agent.log());
        while let Ok(said) = heard.try_recv() {
            told.take(said);
        }
        told
    }

    fn take(&mut self, said: Said) {
        let Said::Batch(batch) = said else { panic!("the stream broke: {said:?}") };
        assert_eq!(&*batch.node, NODE);
        self.flows.extend(batch.flows.into_iter().filter(|seen| seen.flow.report != Report::Start));
        self.coverage.extend(batch.coverage);
        self.losses.extend(batch.losses);
    }

    fn packets_and_bytes(&self) -> (u64, u64) {
        let counters = self.flows.iter().flat_map(|seen| [seen.flow.counters.fwd, seen.flow.counters.rev]);
        counters.fold((0, 0), |(packets, bytes), more| (packets + more.packets, bytes + more.bytes))
    }

    /// The last report of the only flow that `is_it`, and the payload of all its reports (a window may have ended).
    fn last(&self, is_it: impl Fn(&AttributedFlow) -> bool) -> (&AttributedFlow, PerDirection<u64>) {
        let last: Vec<_> = self.flows.iter().filter(|seen| seen.flow.is_last() && is_it(seen)).collect();
        let [last] = last[..] else { panic!("one flow: {last:#?}") };
        let reports = self.flows.iter().filter(|seen| seen.flow.id == last.flow.id);
        let sum = |side: fn(&PerDirection<Counters>) -> u64| reports.clone().map(|r| side(&r.flow.counters)).sum();
        (last, PerDirection { fwd: sum(|c| c.fwd.payload), rev: sum(|c| c.rev.payload) })
    }

    fn check_closed_exchange(&self) {
        let (seen, payload) = self.last(|seen| seen.leg == Some(Leg::Server));
        assert_eq!(payload, PerDirection { fwd: REQUEST.len() as u64, rev: RESPONSE.len() as u64 });
        assert_eq!(seen.flow.tuple.protocol, Protocol::TCP);
        assert_eq!((seen.flow.outcome, seen.flow.initiator_by), (Outcome::Established, InitiatorBy::Syn));
        assert_eq!(seen.flow.end_reason, Some(EndReason::Fin));
        assert_eq!(seen.dst.pod().expect("a pod").to_string(), POD);
        assert_eq!((seen.src.kind, seen.src.name.as_deref()), (EndpointKind::Node, Some(NODE)));
        assert_is_of_pod_tap(seen);
    }

    fn check_open_exchange(&self) {
        let (seen, payload) =
            self.last(|seen| seen.leg == Some(Leg::Client) && seen.flow.tuple.protocol == Protocol::TCP);
        assert_eq!(payload, PerDirection { fwd: REQUEST.len() as u64, rev: RESPONSE.len() as u64 });
        assert_eq!((seen.flow.outcome, seen.flow.initiator_by), (Outcome::Established, InitiatorBy::Syn));
        assert_eq!(seen.flow.end_reason, Some(EndReason::AgentStop));
        assert_eq!(seen.src.pod().expect("a pod").to_string(), POD);
        assert_is_of_pod_tap(seen);
    }

    fn check_datagram(&self) {
        let (seen, _) = self.last(|seen| seen.leg == Some(Leg::Client) && seen.flow.tuple.protocol == Protocol::UDP);
        let payload = DATAGRAM.len() as u64;
        let fwd = Counters { packets: 1, bytes: payload + DATAGRAM_HEADERS, payload };
        assert_eq!(seen.flow.counters, PerDirection { fwd, rev: Counters::default() });
        assert_eq!((seen.flow.outcome, seen.flow.end_reason), (Outcome::OneWay, Some(EndReason::AgentStop)));
        assert_eq!((seen.flow.tuple.src_ip, seen.flow.tuple.dst_ip), (POD_IP.into(), NODE_IP.into()));
    }

    /// The spans begin when the tap was opened, leave no gap, and hold every packet. Each is told when it begins and when
    /// it ends.
    fn check_coverage(&self, tap: &Coverage) {
        let mut until = tap.from_ts;
        for span in &self.coverage {
            assert_is_of_pod(span);
            assert_eq!(span.from_ts, until, "no gap: {:?}", self.coverage);
            until = span.to_ts.unwrap_or(until);
        }
        assert!(until > tap.from_ts, "the last is over: {:?}", self.coverage);
        for seen in &self.flows {
            assert!(tap.from_ts <= seen.flow.first_ts && seen.flow.last_ts <= until, "{:?}", self.coverage);
        }
    }
}

fn assert_is_of_pod(span: &Coverage) {
    assert_eq!((span.interface.as_deref(), span.role), (Some(VETH), TapRole::Pod));
    assert_eq!(span.pod.as_ref().expect("known").to_string(), POD);
}

fn assert_is_of_pod_tap(seen: &AttributedFlow) {
    assert_eq!((&*seen.tap.interface, seen.tap.role), (VETH, TapRole::Pod));
    assert_eq!(seen.tap.pod.as_ref().expect("known").to_string(), POD);
}
