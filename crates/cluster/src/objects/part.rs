//! Parts of objects that are read one by one: what is wrong with a part costs that part, not the object.
//!
//! A wrong part is written back as what was wrong with it, in the field [`FAULT`] alone, and is read as wrong again.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::draft::Fault;

/// A part of an object, or what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part<T> {
    /// It holds what it should.
    Read(T),
    /// It does not. The field is the path below the part; empty = the part itself.
    Wrong(Fault),
}

/// A field that may be there, and says nothing here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(from).map(|_| Self)
    }
}

/// Nothing is written of it.
impl Serialize for Ignored {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_unit()
    }
}

impl<T> Part<T> {
    /// The part, where it could be read.
    pub const fn read(&self) -> Option<&T> {
        match self {
            Self::Read(part) => Some(part),
            Self::Wrong(_) => None,
        }
    }

    /// The part, or its fault with `place` before the field.
    pub fn at(&self, place: &str) -> Result<&T, Fault> {
        match self {
            Self::Read(part) => Ok(part),
            Self::Wrong(fault) => Err(fault.below(place)),
        }
    }

    /// As [`Part::at`], of what is not needed any more.
    pub(super) fn into_at(self, place: &str) -> Result<T, Fault> {
        match self {
            Self::Read(part) => Ok(part),
            Self::Wrong(fault) => Err(fault.below(place)),
        }
    }
}

impl<T: DeserializeOwned> Part<T> {
    pub(super) fn of(value: &Value) -> Self {
        if let Some(fault) = known_fault(value) {
            return Self::Wrong(fault);
        }
        let read = serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            Fault { field: if path == "." { String::new() } else { path }, reason: error.into_inner().to_string() }
        });
        read.map_or_else(Self::Wrong, Self::Read)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Part<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Value::deserialize(from).map(|value| Self::of(&value))
    }
}

impl<T: Serialize> Serialize for Part<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Read(part) => part.serialize(to),
            Self::Wrong(fault) => to.collect_map([(FAULT, fault)]),
        }
    }
}

/// The only field of a wrong part that is written back.
const FAULT: &str = "fault";

/// What was wrong with a part that was written back.
fn known_fault(value: &Value) -> Option<Fault> {
    let fields = value.as_object().filter(|fields| fields.len() == 1)?;
    Fault::deserialize(fields.get(FAULT)?).ok()
}
