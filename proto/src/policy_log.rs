//! Records of the packet filter's log as messages and back.

use std::sync::Arc;

use weir_model::{PolicyLog, Protocol, Timestamp, Tuple};

use crate::names::Malformed;
use crate::record::{ip_from_wire, ip_to_wire};
use crate::v1;

pub(crate) fn policy_log_to_wire(log: &PolicyLog) -> v1::PolicyLog {
    v1::PolicyLog {
        time_ns: log.ts.0,
        protocol: log.tuple.protocol.0.into(),
        src_ip: ip_to_wire(log.tuple.src_ip),
        dst_ip: ip_to_wire(log.tuple.dst_ip),
        src_port: log.tuple.src_port.into(),
        dst_port: log.tuple.dst_port.into(),
        isn: log.isn,
        group: log.group.into(),
        prefix: log.prefix.to_string(),
    }
}

pub(crate) fn policy_log_from_wire(log: v1::PolicyLog) -> Result<PolicyLog, Malformed> {
    let short = |number: u32, field| u16::try_from(number).map_err(|_| Malformed::new(field, &number));
    let protocol = log.protocol;
    let protocol = u8::try_from(protocol).map_err(|_| Malformed::new("policy_log.protocol", &protocol))?;
    Ok(PolicyLog {
        ts: Timestamp(log.time_ns),
        tuple: Tuple {
            protocol: Protocol(protocol),
            src_ip: ip_from_wire(&log.src_ip, "policy_log.src_ip")?,
            src_port: short(log.src_port, "policy_log.src_port")?,
            dst_ip: ip_from_wire(&log.dst_ip, "policy_log.dst_ip")?,
            dst_port: short(log.dst_port, "policy_log.dst_port")?,
        },
        isn: log.isn,
        group: short(log.group, "policy_log.group")?,
        prefix: Arc::from(log.prefix),
    })
}
