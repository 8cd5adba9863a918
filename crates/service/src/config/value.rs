//! The types a setting can have. Every layer hands over words; the type reads them.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::PathBuf;
use std::time::Duration;

/// How many words a setting takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One.
    One,
    /// One, and the flag alone means `true`.
    Switch,
    /// Any number.
    Many,
}

/// A type of setting.
pub trait Value: Sized {
    /// What its words look like, for messages.
    const EXPECTED: &'static str;
    /// How many of them it takes.
    const FORM: Form;

    /// Reads the words of the layer that has them; `None` where they are not what was expected.
    fn read(words: &[String]) -> Option<Self>;

    /// The value where no layer has any; `None` where one must.
    fn absent() -> Option<Self>;
}

/// A type of setting that is one word.
pub trait Scalar: Sized {
    /// What the word looks like, for messages.
    const EXPECTED: &'static str;
    /// [`Form::One`], or [`Form::Switch`] for flags without a value.
    const FORM: Form = Form::One;

    /// Reads it; `None` where it is not what was expected.
    fn parse(text: &str) -> Option<Self>;
}

impl<T: Scalar> Value for T {
    const EXPECTED: &'static str = T::EXPECTED;
    const FORM: Form = T::FORM;

    fn read(words: &[String]) -> Option<Self> {
        match words {
            [word] => T::parse(word),
            _ => None,
        }
    }

    fn absent() -> Option<Self> {
        None
    }
}

impl<T: Scalar> Value for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const FORM: Form = T::FORM;

    fn read(words: &[String]) -> Option<Self> {
        <T as Value>::read(words).map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Scalar> Value for Vec<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    const FORM: Form = Form::Many;

    fn read(words: &[String]) -> Option<Self> {
        words.iter().map(|word| T::parse(word)).collect()
    }

    fn absent() -> Option<Self> {
        Some(Vec::new())
    }
}

/// A number of bytes, written `64MiB`, `512B` or `512`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Scalar for Bytes {
    const EXPECTED: &'static str = "a number of bytes such as 512B, 64MiB or 10GiB";

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let scale = match unit {
            "" | "B" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            "TiB" => 1 << 40,
            _ => return None,
        };
        number.checked_mul(scale).map(Self)
    }
}

impl Scalar for Duration {
    const EXPECTED: &'static str = "a span such as 250ms, 10s, 5m, 36h or 14d";

    fn parse(text: &str) -> Option<Self> {
        let (number, unit) = number_and_unit(text)?;
        let scale = match unit {
            "ms" => return Some(Self::from_millis(number)),
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => 86_400,
            "w" => 604_800,
            _ => return None,
        };
        number.checked_mul(scale).map(Self::from_secs)
    }
}

fn number_and_unit(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    Some((number.parse().ok()?, unit))
}

impl Scalar for bool {
    const EXPECTED: &'static str = "true or false";
    const FORM: Form = Form::Switch;

    fn parse(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Scalar for String {
    const EXPECTED: &'static str = "text";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.to_owned())
    }
}

impl Scalar for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn parse(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::from(text))
    }
}

macro_rules! from_str {
    ($($type:ty: $expected:literal),+ $(,)?) => { $(
        impl Scalar for $type {
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )+ };
}

from_str! {
    u64: "a number",
    u32: "a number up to 4294967295",
    u16: "a number up to 65535",
    NonZeroU64: "a number above 0",
    SocketAddr: "an address with its port, such as 0.0.0.0:4700 or [::]:4700",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_spans_need_one_number_and_a_known_unit() {
        assert_eq!(Bytes::parse("64MiB"), Some(Bytes(64 << 20)));
        assert_eq!(Bytes::parse("7"), Some(Bytes(7)));
        assert_eq!(<Duration as Scalar>::parse("250ms"), Some(Duration::from_millis(250)));
        assert_eq!(<Duration as Scalar>::parse("2w"), Some(Duration::from_hours(336)));
        for bad in ["", "MiB", "-1B", "1.5MiB", "64MB", "64 MiB", "99999999TiB", "99999999999999999999B"] {
            assert_eq!(Bytes::parse(bad), None, "{bad}");
        }
        for bad in ["", "s", "10", "1y", "-1s", "1h30m", "99999999999999999w"] {
            assert_eq!(<Duration as Scalar>::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn empty_text_is_no_value() {
        assert_eq!(<String as Scalar>::parse(""), None);
        assert_eq!(<PathBuf as Scalar>::parse(""), None);
    }
}
