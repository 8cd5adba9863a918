//! One setting, and the macro that describes all settings of a program.

use super::{Form, Layers};

/// A setting as its program describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The name in the file, in snake case; flag and variable are made from it.
    pub key: &'static str,
    /// What it is for; the first line of `--help`.
    pub help: &'static str,
    /// The default as it would be written.
    pub default: Option<&'static str>,
    /// What values look like.
    pub expected: &'static str,
    /// How many values it takes.
    pub form: Form,
}

/// A struct of settings; made by [`settings!`](crate::settings).
pub trait Settings: Sized {
    /// Every setting, in the order of the struct.
    const LIST: &'static [Setting];

    /// Reads every setting; `None` where one of them had a problem, which `layers` has noted.
    fn read(layers: &mut Layers<'_>) -> Option<Self>;
}

/// `--node-name` for `node_name`.
pub(super) fn flag(key: &str) -> String {
    format!("--{}", key.replace('_', "-"))
}

/// `WEIR_NODE_NAME` for `node_name`.
pub(super) fn variable(key: &str) -> String {
    format!("WEIR_{}", key.to_ascii_uppercase())
}

#[doc(hidden)]
pub const fn first(list: &'static [&'static str]) -> Option<&'static str> {
    match list {
        [first, ..] => Some(*first),
        [] => None,
    }
}

/// Describes the settings of a program: `key: Type` or `key: Type = "default"`, each with a doc comment, which is also
/// its help. See [`config`](crate::config).
#[macro_export]
macro_rules! settings {
    (
        $(#[$meta:meta])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $help:literal])+ $key:ident: $type:ty $(= $default:literal)? ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug)]
        $vis struct $name {
            $( $(#[doc = $help])+ pub $key: $type ),+
        }

        impl $crate::config::Settings for $name {
            const LIST: &'static [$crate::config::Setting] = &[
                $( $crate::config::Setting {
                    key: stringify!($key),
                    help: concat!($($help),+),
                    default: $crate::config::first(&[$($default)?]),
                    expected: <$type as $crate::config::Value>::EXPECTED,
                    form: <$type as $crate::config::Value>::FORM,
                } ),+
            ];

            fn read(layers: &mut $crate::config::Layers<'_>) -> Option<Self> {
                let mut list = Self::LIST.iter();
                $( let $key = list.next().and_then(|setting| layers.read(setting)); )+
                Some(Self { $( $key: $key? ),+ })
            }
        }
    };
}
