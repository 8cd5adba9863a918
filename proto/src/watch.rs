//! Coverage, inputs and losses as messages and back.

use weir_model::{Coverage, Input, Loss, LossStage, Timestamp};

use crate::names::{Malformed, pod_from_wire, pod_to_wire, role_from_wire, role_to_wire};
use crate::v1;

/// As a message.
pub fn coverage_to_wire(coverage: &Coverage) -> v1::Coverage {
    v1::Coverage {
        interface: coverage.interface.as_ref().map(ToString::to_string),
        role: role_to_wire(coverage.role).into(),
        pod: coverage.pod.as_ref().map(pod_to_wire),
        from_time_ns: coverage.from_ts.0,
        to_time_ns: coverage.to_ts.map(|t| t.0),
        reason: coverage.reason.as_ref().map(ToString::to_string),
    }
}

/// From a message.
pub fn coverage_from_wire(coverage: v1::Coverage) -> Result<Coverage, Malformed> {
    Ok(Coverage {
        interface: coverage.interface.map(Into::into),
        role: role_from_wire(coverage.role)?,
        pod: coverage.pod.map(pod_from_wire),
        from_ts: Timestamp(coverage.from_time_ns),
        to_ts: coverage.to_time_ns.map(Timestamp),
        reason: coverage.reason.map(Into::into),
    })
}

/// As a message.
pub fn loss_to_wire(loss: &Loss) -> v1::Loss {
    v1::Loss {
        stage: loss.stage.name().to_owned(),
        interface: loss.interface.as_ref().map(ToString::to_string),
        from_time_ns: loss.from_ts.0,
        to_time_ns: loss.to_ts.0,
        packets: loss.packets,
        bytes: loss.bytes,
        rows: loss.rows,
    }
}

/// From a message.
pub fn loss_from_wire(loss: v1::Loss) -> Result<Loss, Malformed> {
    Ok(Loss {
        stage: LossStage::parse(&loss.stage).ok_or_else(|| Malformed::new("loss.stage", &loss.stage))?,
        interface: loss.interface.map(Into::into),
        from_ts: Timestamp(loss.from_time_ns),
        to_ts: Timestamp(loss.to_time_ns),
        packets: loss.packets,
        bytes: loss.bytes,
        rows: loss.rows,
    })
}

/// As a message.
pub fn input_to_wire(input: &Input) -> v1::Input {
    v1::Input {
        name: input.name.to_string(),
        since_ns: input.since.0,
        problem: input.problem.as_ref().map(ToString::to_string),
    }
}

/// From a message.
pub(crate) fn input_from_wire(input: v1::Input) -> Input {
    Input { name: input.name.into(), since: Timestamp(input.since_ns), problem: input.problem.map(Into::into) }
}
