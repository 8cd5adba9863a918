//! Two network namespaces, a node's and a pod's, with a veth between them as a routing CNI makes it. Needs root.
//!
//! Nothing but what a test sends crosses the veth: no IPv6, no neighbour discovery, fixed link addresses.

use std::fs::{File, Permissions};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use weir_cluster::{Snapshot, SnapshotOptions, manifests};

/// The node's name.
pub(crate) const NODE: &str = "node-a";
/// The node's address.
pub(crate) const NODE_IP: Ipv4Addr = Ipv4Addr::new(10, 99, 0, 1);
/// The pod's address.
pub(crate) const POD_IP: Ipv4Addr = Ipv4Addr::new(10, 99, 1, 7);
/// The pod.
pub(crate) const POD: &str = "shop/web-1";
/// The host end of the pod's veth, in the node's namespace.
pub(crate) const VETH: &str = "cali0001";
/// A device of the node's own.
pub(crate) const UPLINK: &str = "br0";

const NODE_MAC: &str = "02:00:00:00:00:01";

static LABS: AtomicU32 = AtomicU32::new(0);

/// The namespaces. They are gone when this is dropped.
pub(crate) struct Lab {
    node: String,
    pod: String,
    folder: tempfile::TempDir,
}

impl Lab {
    /// Makes the namespaces. `None`, with the reason on stderr, where that needs root and this is not; a failure in CI.
    pub(crate) fn up() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            assert!(!is_ci(), "network namespaces need root, and CI has to run these tests");
            eprintln!("not run: network namespaces need root");
            return None;
        }
        let name = format!("weir-{}-{}", std::process::id(), LABS.fetch_add(1, Ordering::Relaxed));
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("for anybody");
        let lab = Self { node: format!("{name}-node"), pod: format!("{name}-pod"), folder };
        for namespace in [&lab.node, &lab.pod] {
            make_namespace(namespace);
        }
        let (node, pod) = (&lab.node, &lab.pod);
        let (node_mac, pod_mac) = (NODE_MAC, "02:00:00:00:00:07");
        ip(&format!("-n {node} link add {UPLINK} type bridge"));
        ip(&format!("-n {node} addr add {NODE_IP}/24 dev {UPLINK}"));
        ip(&format!("-n {node} link set {UPLINK} up"));
        ip(&format!(
            "-n {node} link add {VETH} address {node_mac} type veth peer name eth0 address {pod_mac} netns {pod}"
        ));
        ip(&format!("-n {node} link set {VETH} up"));
        ip(&format!("-n {pod} link set eth0 up"));
        ip(&format!("-n {pod} route add {NODE_IP} dev eth0"));
        ip(&format!("-n {node} neigh add {POD_IP} lladdr {pod_mac} dev {VETH} nud permanent"));
        ip(&format!("-n {pod} neigh add {NODE_IP} lladdr {node_mac} dev eth0 nud permanent"));
        Some(lab)
    }

    /// Makes another pod, as a CNI does it: its veth first, then addresses and routes.
    pub(crate) fn bring(&self, name: &str, wiring: Wiring) -> Pod {
        let pod = Pod { namespace: format!("{}-{name}", self.node), veth: name.to_owned() };
        let (node, inside, veth) = (&self.node, &pod.namespace, &pod.veth);
        let mac = "02:00:00:00:00:09";
        make_namespace(inside);
        ip(&format!(
            "-n {node} link add {veth} address {NODE_MAC} type veth peer name eth0 address {mac} netns {inside}"
        ));
        match wiring {
            Wiring::Routed(_) => {}
            Wiring::Bridged(_) => ip(&format!("-n {node} link set {veth} master {UPLINK}")),
        }
        ip(&format!("-n {node} link set {veth} up"));
        ip(&format!("-n {inside} link set eth0 up"));
        match wiring {
            Wiring::Routed(address) => {
                ip(&format!("-n {inside} addr add {address}/32 dev eth0"));
                ip(&format!("-n {inside} route add {NODE_IP} dev eth0"));
                ip(&format!("-n {inside} neigh add {NODE_IP} lladdr {NODE_MAC} dev eth0 nud permanent"));
                ip(&format!("-n {node} neigh add {address} lladdr {mac} dev {veth} nud permanent"));
                ip(&format!("-n {node} route add {address}/32 dev {veth} src {NODE_IP}"));
            }
            Wiring::Bridged(address) => ip(&format!("-n {inside} addr add {address}/24 dev eth0")),
        }
        pod
    }

    /// Takes a pod's veth away, and with it its namespace.
    pub(crate) fn remove(&self, pod: &Pod) {
        ip(&format!("-n {} link del {}", self.node, pod.veth));
    }

    /// Gives the pod an address.
    pub(crate) fn give_address(&self, address: IpAddr) {
        ip(&format!("-n {} addr add {address}/32 dev eth0", self.pod));
    }

    /// Has the node send what is for an address to the pod.
    pub(crate) fn route(&self, address: IpAddr) {
        ip(&format!("-n {} route add {address}/32 dev {VETH} src {NODE_IP}", self.node));
    }

    /// Makes the veth lead to a subnet.
    pub(crate) fn give_subnet(&self) {
        ip(&format!("-n {} addr add 10.98.0.1/24 dev {VETH}", self.node));
    }

    /// Runs `work` on a thread in the node's namespace. Sockets and programs that it opens stay there.
    pub(crate) fn in_node<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.node, work)
    }

    /// Runs `work` on a thread in the pod's namespace.
    pub(crate) fn in_pod<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.pod, work)
    }

    /// Packets and bytes of frames that crossed the veth, as the kernel counts them.
    pub(crate) fn crossed(&self) -> (u64, u64) {
        self.in_node(|| {
            let devices = std::fs::read_to_string("/proc/thread-self/net/dev").expect("counters");
            let line =
                devices.lines().find_map(|line| line.trim().strip_prefix(&format!("{VETH}:"))).expect("the veth");
            let counters: Vec<u64> = line.split_whitespace().map(|count| count.parse().expect("a count")).collect();
            (counters[1] + counters[9], counters[0] + counters[8])
        })
    }

    /// A folder with the cluster's objects: the node and its pod.
    pub(crate) fn manifests(&self) -> PathBuf {
        let (namespace, name) = POD.split_once('/').expect("both");
        self.tell(&[(namespace, name, POD_IP)]);
        self.folder.path().to_owned()
    }

    /// Has the cluster's objects be the node and these pods of it: namespace, name and address.
    pub(crate) fn tell(&self, pods: &[(&str, &str, Ipv4Addr)]) {
        let mut objects = format!(
            "{{apiVersion: v1, kind: Node, metadata: {{name: {NODE}}},
               status: {{addresses: [{{type: InternalIP, address: {NODE_IP}}}]}}}}
"
        );
        for (namespace, name, address) in pods {
            let pod = format!(
                "---
{{apiVersion: v1, kind: Pod, metadata: {{name: {name}, namespace: {namespace}}}, spec: {{nodeName: {NODE}}},
  status: {{phase: Running, podIP: {address}, podIPs: [{{ip: {address}}}]}}}}
"
            );
            objects.push_str(&pod);
        }
        std::fs::write(self.folder.path().join("cluster.yaml"), objects).expect("written");
    }

    /// A folder that anybody may read.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A copy of a program where anybody may run it.
    pub(crate) fn program(&self, path: &str) -> PathBuf {
        let copy = self.folder.path().join("program");
        // A copy over a link to the same file would leave nothing of either.
        if !copy.exists() {
            std::fs::hard_link(path, &copy).or_else(|_| std::fs::copy(path, &copy).map(drop)).expect("copied");
        }
        copy
    }

    /// The same objects as a snapshot.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let loaded = manifests::load(&self.manifests()).expect("valid manifests");
        Snapshot::build(&loaded.objects, &SnapshotOptions::default())
    }
}

/// How a CNI connects pods, and the address that it gives one.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Wiring {
    /// Each veth has a route of its own.
    Routed(Ipv4Addr),
    /// All veths are ports of a bridge.
    Bridged(Ipv4Addr),
}

/// A pod that comes and goes. Its namespace is gone when this is dropped.
pub(crate) struct Pod {
    namespace: String,
    /// The host end of its veth.
    pub(crate) veth: String,
}

impl Pod {
    /// Runs `work` on a thread in the pod's namespace.
    pub(crate) fn inside<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        within(&self.namespace, work)
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).output();
    }
}

/// A namespace with a loopback interface and no IPv6.
fn make_namespace(name: &str) {
    ip(&format!("netns add {name}"));
    within(name, || {
        std::fs::write("/proc/sys/net/ipv6/conf/default/disable_ipv6", "1").expect("no IPv6");
        std::fs::write("/proc/sys/net/ipv6/conf/all/disable_ipv6", "1").expect("no IPv6");
    });
    ip(&format!("-n {name} link set lo up"));
}

/// Runs `work` on a thread of its own in `namespace`.
fn within<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> T {
    let file = File::open(Path::new("/run/netns").join(namespace)).expect("a namespace");
    let work = || {
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("entered");
        work()
    };
    thread::scope(|scope| scope.spawn(work).join()).unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in [&self.pod, &self.node] {
            // One that was never made is no problem, and there is nothing to do about any other.
            let _ = Command::new("ip").args(["netns", "del", namespace]).output();
        }
    }
}

fn ip(arguments: &str) {
    let done = Command::new("ip").args(arguments.split_whitespace()).output().expect("ip (package iproute2) runs");
    assert!(done.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&done.stderr));
}

#[expect(clippy::disallowed_methods, reason = "CI says what it is in the environment")]
fn is_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}
