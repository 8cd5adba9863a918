//! Configuration: flags, environment, a TOML file and defaults go in; a typed struct, or all that is wrong with them at
//! once, comes out.
//!
//! [`settings!`](crate::settings) describes a program's settings once. From it come the struct, the flags with their
//! help, the names of the variables, the keys of the file, and what `config show` prints:
//!
//! ```
//! use std::time::Duration;
//! use weir_service::config::{self, Asked};
//!
//! weir_service::settings! {
//!     /// What the agent is told.
//!     pub struct AgentSettings {
//!         /// Name of this node.
//!         node_name: String,
//!         /// Interfaces to watch.
//!         tap: Vec<String>,
//!         /// Span of packet time that one row covers.
//!         window: Duration = "60s",
//!         /// Address of the collector; without one, rows go nowhere.
//!         collector: Option<String>,
//!     }
//! }
//!
//! let environment = |name: &str| (name == "WEIR_NODE_NAME").then(|| "node-a".to_owned());
//! let arguments = ["weir-agent", "--tap", "eth0", "--tap", "veth1"];
//! let command = config::command::<AgentSettings>("weir-agent", "1.0.0", "Measures flows on a node.");
//! match config::parse::<AgentSettings>(command, arguments, &environment)? {
//!     Asked::Run(settings) => {
//!         assert_eq!(settings.tap, ["eth0", "veth1"]);
//!         assert_eq!(settings.window, Duration::from_secs(60));
//!     }
//!     Asked::Show(text) => print!("{text}"),
//!     Asked::Other { .. } => {} // a command that the program has added
//! }
//! # Ok::<(), config::ConfigError>(())
//! ```
//!
//! Each setting comes whole from the first of: its flag `--node-name`, its variable `WEIR_NODE_NAME`, its key `node_name`
//! in the file named by `--config` or `WEIR_CONFIG`, its default. An empty variable counts as not set. A setting that has
//! no default, and is neither an `Option` nor a list, must be given. Lists are repeated flags, arrays in the file, and
//! words with commas everywhere.

mod command;
mod environment;
mod error;
mod file;
mod layers;
mod setting;
mod value;

pub use command::{Asked, command, flags, parse, read};
pub use environment::{Environment, ProcessEnvironment};
pub use error::{ConfigError, Problem, Source};
pub use layers::Layers;
#[doc(hidden)]
pub use setting::first;
pub use setting::{Setting, Settings};
pub use value::{Bytes, Form, Scalar, Value};
