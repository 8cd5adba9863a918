//! More than an agent can take: what it counts and what it says it lost are what was sent, to the packet.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};

use tokio::sync::watch;
use tokio::time::timeout;
use weir_model::{LossStage, Report};

use crate::agent::{Agent, DEADLINE, Start};
use crate::collector::{self, Said};
use crate::lab::{Lab, NODE_IP, POD_IP, VETH};

/// Too little of everything: a ring of the smallest size, a short queue, a small table, hardly any memory for batches.
const POOR: &[&str] = &[
    "--ring-bytes=1MiB",
    "--capture-threads=1",
    "--queue=64",
    "--max-flows=200",
    "--batch-records=20",
    "--unacked-bytes=64KiB",
    "--l7=off",
    "--grace=60s",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn packets_sent_are_packets_counted_and_packets_lost() {
    let Some(lab) = Lab::up() else { return };
    lab.give_address(POD_IP.into());
    lab.route(POD_IP.into());
    lab.manifests();
    let ear = lab.in_node(|| TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a port");
    let port = ear.local_addr().expect("bound").port();
    let (let_in, takes) = watch::channel(false);
    let mut heard = collector::serve_when(ear, takes);
    let mut agent = Agent::start_with(&lab, port, &format!("iface:{VETH}"), Start::User, POOR);
    let Ok(Some(Said::Hello { .. })) = timeout(DEADLINE, heard.recv()).await else { panic!("{}", agent.log()) };

    let before = lab.crossed().0;
    // Nobody reads the ring; then flows by the thousand, whose batches nobody takes.
    agent.frozen(|| flood(&lab, 1, 50_000));
    flood(&lab, 5_000, 3);
    agent.frozen(|| flood(&lab, 2_000, 20));
    flood(&lab, 5_000, 2);
    agent.terminate();
    let sent = lab.crossed().0 - before;
    let_in.send_replace(true);
    let status = agent.exit().await;
    assert!(status.success(), "{status}: {}", agent.log());

    let (mut counted, mut lost) = (0, BTreeMap::<LossStage, u64>::new());
    while let Ok(Said::Batch(batch)) = heard.try_recv() {
        let rows = batch.flows.iter().map(|seen| &seen.flow).filter(|flow| flow.report != Report::Start);
        counted += rows.map(|flow| flow.counters.fwd.packets + flow.counters.rev.packets).sum::<u64>();
        for loss in batch.losses {
            assert!(loss.from_ts <= loss.to_ts, "{loss:?}");
            *lost.entry(loss.stage).or_default() += loss.packets.expect("every stage knows how many");
        }
    }
    assert_eq!(counted + lost.values().sum::<u64>(), sent, "{counted} counted, {lost:?}");
    for stage in [LossStage::Kernel, LossStage::Unacked] {
        assert!(lost.get(&stage) > Some(&0), "nothing was lost at {stage:?}: {counted} counted, {lost:?}");
    }
}

/// Sends from the pod: so many flows of so many packets.
fn flood(lab: &Lab, flows: u16, packets: u32) {
    let node = lab.in_node(|| UdpSocket::bind((NODE_IP, 0))).expect("a port");
    let address = node.local_addr().expect("bound");
    lab.in_pod(|| {
        for _ in 0..flows {
            let pod = UdpSocket::bind((POD_IP, 0)).expect("a port");
            for _ in 0..packets {
                pod.send_to(&[3; 333], address).expect("sent");
            }
        }
    });
}
