//! Taps: what the operator asked for in, what is really watched out.

mod files;
mod follow;
mod interface;
mod netns;
mod spec;

pub use files::{FileTap, RecordedFile, TapFilesError, find_file_taps, find_log_files};
pub(crate) use follow::{Follow, Follower};
pub use interface::live_tap;
pub(crate) use interface::{may_capture, open_interfaces};
pub use netns::{NetlinkError, Owner, Unnamed, owner_of};
pub(crate) use netns::{Veth, veths};
pub use spec::{TapSource, TapSpec, TapSpecError};
