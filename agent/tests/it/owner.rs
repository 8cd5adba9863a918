//! Whose an interface is, asked of a real kernel.

use std::net::IpAddr;

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use weir_agent::taps::{NetlinkError, Owner, TapSpec, Unnamed, live_tap, owner_of};
use weir_model::{PodRef, TapRole};

use crate::lab::{Lab, NODE, POD, POD_IP, UPLINK, VETH};

const STRANGER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 99, 1, 99));

fn owner(lab: &Lab, interface: &str) -> Owner {
    lab.in_node(|| owner_of(interface, &lab.snapshot(), NODE)).expect("the kernel answers")
}

/// The same without the capability to look into other namespaces.
fn owner_unprivileged(lab: &Lab) -> Owner {
    let ask = || {
        let mut sets = capabilities(None).expect("known");
        sets.effective.remove(CapabilitySet::NET_ADMIN);
        set_capabilities(None, sets).expect("given up");
        owner_of(VETH, &lab.snapshot(), NODE)
    };
    lab.in_node(ask).expect("the kernel answers")
}

fn web_1() -> PodRef {
    let (namespace, name) = POD.split_once('/').expect("both");
    PodRef { namespace: namespace.into(), name: name.into() }
}

#[test]
fn a_veth_is_of_the_pod_that_has_the_address_behind_it() {
    let Some(lab) = Lab::up() else { return };
    lab.give_address(POD_IP.into());
    assert_eq!(owner(&lab, VETH), Owner::Pod(web_1()));
}

#[test]
fn an_address_of_no_known_pod_leaves_the_pod_unknown() {
    let Some(lab) = Lab::up() else { return };
    assert_eq!(owner(&lab, VETH), Owner::UnknownPod(Unnamed::NoAddress));
    lab.give_address(STRANGER);
    assert_eq!(owner(&lab, VETH), Owner::UnknownPod(Unnamed::Strangers(vec![STRANGER])));
    let tap = lab.in_node(|| live_tap(VETH, &spec(&format!("iface:{VETH}")), &lab.snapshot(), NODE));
    assert_eq!((tap.role, tap.pod), (TapRole::Pod, None));
}

#[test]
fn a_device_of_this_namespace_alone_is_the_nodes() {
    let Some(lab) = Lab::up() else { return };
    assert_eq!(owner(&lab, UPLINK), Owner::Node);
    assert_eq!(owner(&lab, "lo"), Owner::Node);
}

#[test]
fn a_veth_that_leads_to_a_subnet_is_the_uplink_of_a_node_that_is_a_container() {
    let Some(lab) = Lab::up() else { return };
    lab.give_address(STRANGER);
    lab.give_subnet();
    assert_eq!(owner(&lab, VETH), Owner::Node);
}

#[test]
fn without_the_capability_only_a_route_names_the_pod() {
    let Some(lab) = Lab::up() else { return };
    lab.give_address(POD_IP.into());
    assert_eq!(owner_unprivileged(&lab), Owner::UnknownPod(Unnamed::NoNetAdmin));
    lab.route(POD_IP.into());
    assert_eq!(owner_unprivileged(&lab), Owner::Pod(web_1()));
}

#[test]
fn what_the_operator_says_counts_before_what_is_found_out() {
    let Some(lab) = Lab::up() else { return };
    lab.give_address(POD_IP.into());
    let snapshot = lab.snapshot();
    let tap = |text: &str| {
        let tap = lab.in_node(|| live_tap(VETH, &spec(text), &snapshot, NODE));
        (tap.role, tap.pod.map(|pod| pod.to_string()))
    };
    assert_eq!(tap("iface:cali0001"), (TapRole::Pod, Some(POD.to_owned())));
    assert_eq!(tap("iface:cali0001,role=pod"), (TapRole::Pod, Some(POD.to_owned())));
    assert_eq!(tap("iface:cali0001,role=uplink"), (TapRole::Uplink, None));
    assert_eq!(tap("iface:cali0001,pod=shop/other"), (TapRole::Pod, Some("shop/other".to_owned())));
}

#[test]
fn what_is_no_interface_is_said_to_be_none() {
    let Some(lab) = Lab::up() else { return };
    for name in ["any", "nosuch0", "a-name-longer-than-any-interface-has", ""] {
        let asked = lab.in_node(|| owner_of(name, &lab.snapshot(), NODE));
        assert!(matches!(asked, Err(NetlinkError::NoInterface(_))), "{name}: {asked:?}");
    }
}

fn spec(text: &str) -> TapSpec {
    text.parse().expect("valid")
}
