//! Translations as messages and back.

use weir_model::{Protocol, Timestamp, Translation, Tuple};

use crate::names::Malformed;
use crate::record::{ip_from_wire, ip_to_wire};
use crate::v1;

pub(crate) fn translation_to_wire(translation: &Translation) -> v1::Translation {
    v1::Translation {
        protocol: translation.original.protocol.0.into(),
        original: Some(tuple_to_wire(&translation.original)),
        reply: Some(tuple_to_wire(&translation.reply)),
        from_time_ns: translation.from_ts.map(|t| t.0),
        to_time_ns: translation.to_ts.map(|t| t.0),
        zone: translation.zone.map(u32::from),
    }
}

pub(crate) fn translation_from_wire(translation: v1::Translation) -> Result<Translation, Malformed> {
    let number = translation.protocol;
    let protocol = u8::try_from(number).map_err(|_| Malformed::new("translation.protocol", &number))?;
    let tuple = |tuple, field| tuple_from_wire(tuple, Protocol(protocol), field);
    let zone = |zone: u32| u16::try_from(zone).map_err(|_| Malformed::new("translation.zone", &zone));
    Ok(Translation {
        original: tuple(translation.original, "translation.original")?,
        reply: tuple(translation.reply, "translation.reply")?,
        from_ts: translation.from_time_ns.map(Timestamp),
        to_ts: translation.to_time_ns.map(Timestamp),
        zone: translation.zone.map(zone).transpose()?,
    })
}

fn tuple_to_wire(tuple: &Tuple) -> v1::Tuple {
    v1::Tuple {
        src_ip: ip_to_wire(tuple.src_ip),
        dst_ip: ip_to_wire(tuple.dst_ip),
        src_port: tuple.src_port.into(),
        dst_port: tuple.dst_port.into(),
    }
}

fn tuple_from_wire(tuple: Option<v1::Tuple>, protocol: Protocol, field: &'static str) -> Result<Tuple, Malformed> {
    let tuple = tuple.ok_or_else(|| Malformed::new(field, &"missing"))?;
    let port = |port: u32| u16::try_from(port).map_err(|_| Malformed::new(field, &port));
    Ok(Tuple {
        protocol,
        src_ip: ip_from_wire(&tuple.src_ip, field)?,
        src_port: port(tuple.src_port)?,
        dst_ip: ip_from_wire(&tuple.dst_ip, field)?,
        dst_port: port(tuple.dst_port)?,
    })
}
