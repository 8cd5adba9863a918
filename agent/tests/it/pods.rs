//! The agent's program with `--tap pods`: veths come, go and come again under old addresses while it runs.

use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};

use tokio::sync::mpsc;
use tokio::time::timeout;
use weir_model::{AttributedFlow, Coverage, EndReason, Protocol, Report};

use crate::agent::{Agent, DEADLINE};
use crate::collector::{self, Said};
use crate::lab::{Lab, NODE_IP, Pod, Wiring};

const ROUTED: Ipv4Addr = Ipv4Addr::new(10, 99, 1, 20);
const BRIDGED: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 20);
const WORDS: [u8; 100] = [7; 100];

/// An agent that follows pods, and what it says.
struct Followed {
    lab: Lab,
    agent: Agent,
    heard: mpsc::Receiver<Said>,
    /// Pods that stay until the end.
    pods: Vec<Pod>,
    flows: Vec<AttributedFlow>,
    coverage: Vec<Coverage>,
}

impl Followed {
    /// Starts it where the cluster knows `pods`, and waits for its first word.
    async fn start(pods: &[(&str, &str, Ipv4Addr)]) -> Option<Self> {
        let lab = Lab::up()?;
        lab.tell(pods);
        let ear = lab.in_node(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
        let port = ear.local_addr().expect("bound").port();
        let mut heard = collector::serve(ear);
        let agent = Agent::start(&lab, port, "pods");
        let hello = timeout(DEADLINE, heard.recv()).await;
        assert!(matches!(hello, Ok(Some(Said::Hello { .. }))), "{hello:?}: {}", agent.log());
        Some(Self { lab, agent, heard, pods: Vec::new(), flows: Vec::new(), coverage: Vec::new() })
    }

    fn take(&mut self, said: Said) {
        let Said::Batch(batch) = said else { panic!("the stream broke: {said:?}") };
        assert_eq!(batch.losses, []);
        self.flows.extend(batch.flows.into_iter().filter(|seen| seen.flow.report != Report::Start));
        self.coverage.extend(batch.coverage);
    }

    /// Waits until a span is told that is as asked.
    async fn until(&mut self, what: &str, is_it: impl Fn(&Coverage) -> bool) -> Coverage {
        let mut looked_at = 0;
        loop {
            if let Some(span) = self.coverage[looked_at..].iter().find(|span| is_it(span)) {
                return span.clone();
            }
            looked_at = self.coverage.len();
            let Ok(Some(said)) = timeout(DEADLINE, self.heard.recv()).await else {
                panic!("{what}: {:#?}\n{}", self.coverage, self.agent.log())
            };
            self.take(said);
        }
    }

    /// Waits until a pod's tap is known by its name.
    async fn until_named(&mut self, veth: &str, pod: &str) -> Coverage {
        self.until(&format!("{veth} is of {pod}"), |span| is_of(span, veth) && pod_of(span).as_deref() == Some(pod))
            .await
    }

    /// Stops the agent and takes in what it still has to say.
    async fn stop(&mut self) {
        self.agent.terminate();
        let status = self.agent.exit().await;
        assert!(status.success(), "{status}: {}", self.agent.log());
        while let Ok(said) = self.heard.try_recv() {
            self.take(said);
        }
    }

    /// The flows of UDP that were seen at a veth.
    fn datagrams(&self, veth: &str) -> Vec<&AttributedFlow> {
        let is_one = |seen: &&AttributedFlow| &*seen.tap.interface == veth && seen.flow.tuple.protocol == Protocol::UDP;
        self.flows.iter().filter(is_one).collect()
    }

    fn speak(&self, pod: &Pod) {
        let node = self.lab.in_node(|| UdpSocket::bind((NODE_IP, 0))).expect("a port");
        node.set_read_timeout(Some(DEADLINE)).expect("a deadline");
        let inside = pod.inside(|| UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))).expect("a port");
        inside.send_to(&WORDS, node.local_addr().expect("bound")).expect("sent");
        assert_eq!(node.recv(&mut [0; 1_024]).expect("received"), WORDS.len());
    }
}

fn is_of(span: &Coverage, veth: &str) -> bool {
    span.interface.as_deref() == Some(veth)
}

fn pod_of(span: &Coverage) -> Option<String> {
    span.pod.as_ref().map(ToString::to_string)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_packet_before_the_pod_is_known_is_counted_and_named() {
    let Some(mut followed) = Followed::start(&[]).await else { return };
    for (veth, wiring) in [("veth-routed", Wiring::Routed(ROUTED)), ("veth-bridged", Wiring::Bridged(BRIDGED))] {
        let pod = followed.lab.bring(veth, wiring);
        let begins = followed.until("it is watched", |span| is_of(span, veth)).await;
        assert_eq!(begins.pod, None, "the cluster has not told of it");
        followed.speak(&pod);
        followed.pods.push(pod);
    }
    followed.lab.tell(&[("shop", "routed", ROUTED), ("shop", "bridged", BRIDGED)]);
    for (veth, pod) in [("veth-routed", "shop/routed"), ("veth-bridged", "shop/bridged")] {
        followed.until_named(veth, pod).await;
    }
    followed.stop().await;
    for (veth, pod) in [("veth-routed", "shop/routed"), ("veth-bridged", "shop/bridged")] {
        let [seen] = followed.datagrams(veth)[..] else { panic!("{veth}: {:#?}", followed.flows) };
        assert_eq!(seen.flow.counters.fwd.packets, 1);
        assert_eq!(seen.tap.pod.as_ref().map(ToString::to_string).as_deref(), Some(pod));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_veth_that_goes_in_use_ends_its_tap_and_no_other() {
    let Some(mut followed) = Followed::start(&[("shop", "web", ROUTED), ("shop", "api", BRIDGED)]).await else {
        return;
    };
    let web = followed.lab.bring("veth-web", Wiring::Routed(ROUTED));
    let api = followed.lab.bring("veth-api", Wiring::Bridged(BRIDGED));
    followed.until_named("veth-web", "shop/web").await;
    followed.until_named("veth-api", "shop/api").await;
    let server = followed.lab.in_node(|| TcpListener::bind((NODE_IP, 0))).expect("a port");
    let address = server.local_addr().expect("bound");
    let _client = web.inside(|| TcpStream::connect_timeout(&address, DEADLINE)).expect("connected");
    // What the ring still holds when the veth goes counts too.
    followed.speak(&web);
    followed.lab.remove(&web);
    let is_over = |span: &Coverage| is_of(span, "veth-web") && span.to_ts.is_some() && span.pod.is_some();
    followed.until("the span of veth-web is over", is_over).await;
    let ends = |followed: &Followed| {
        let of_web = followed.flows.iter().filter(|seen| &*seen.tap.interface == "veth-web");
        of_web.map(|seen| (seen.flow.tuple.protocol, seen.flow.end_reason)).collect::<Vec<_>>()
    };
    let ended = Some(EndReason::CaptureEnd);
    let mut seen = ends(&followed);
    seen.sort_by_key(|(protocol, _)| protocol.0);
    assert_eq!(seen, [(Protocol::TCP, ended), (Protocol::UDP, ended)], "{}", followed.agent.log());
    followed.speak(&api);
    followed.stop().await;
    assert_eq!(followed.datagrams("veth-api").len(), 1, "the other tap goes on");
    assert_eq!(ends(&followed).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_under_an_old_address_is_not_taken_for_the_one_before_it() {
    let Some(mut followed) = Followed::start(&[("shop", "old", ROUTED)]).await else { return };
    let old = followed.lab.bring("veth-old", Wiring::Routed(ROUTED));
    followed.until_named("veth-old", "shop/old").await;
    followed.speak(&old);
    followed.lab.remove(&old);
    let new = followed.lab.bring("veth-new", Wiring::Routed(ROUTED));
    followed.until("veth-new is watched", |span| is_of(span, "veth-new")).await;
    followed.speak(&new);
    followed.lab.tell(&[("shop", "new", ROUTED)]);
    followed.until_named("veth-new", "shop/new").await;
    followed.stop().await;
    let pods = |veth: &str| {
        let seen = followed.datagrams(veth).into_iter();
        seen.map(|seen| seen.tap.pod.as_ref().map(ToString::to_string)).collect::<Vec<_>>()
    };
    assert_eq!(pods("veth-old"), [Some("shop/old".to_owned())]);
    assert_eq!(pods("veth-new"), [Some("shop/new".to_owned())]);
    let wrong = |span: &&Coverage| is_of(span, "veth-new") && pod_of(span).as_deref() == Some("shop/old");
    assert_eq!(followed.coverage.iter().find(wrong), None);
}
