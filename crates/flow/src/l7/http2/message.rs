//! What a header block says: the fields that become part of an exchange, as text that may be kept.

use weir_model::HttpMarks;

use super::hpack::Name;
use crate::l7::config::L7Config;
use crate::l7::text::{target, text, without_user};

/// The fields of one header block. `None` = not there, or unknown.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) method: Option<Box<str>>,
    pub(super) path: Option<Box<str>>,
    pub(super) authority: Option<Box<str>>,
    pub(super) host: Option<Box<str>>,
    /// What an extended CONNECT asks to be turned into (RFC 8441).
    pub(super) protocol: Option<Box<str>>,
    pub(super) request_id: Option<Box<str>>,
    pub(super) trace_parent: Option<Box<str>>,
    pub(super) marks: Option<Box<HttpMarks>>,
    pub(super) status: Option<u16>,
    pub(super) grpc_status: Option<u32>,
    pub(super) is_grpc: bool,
}

impl Message {
    /// The next field. The first of a name counts, so that a block takes no more time than it is long.
    pub(super) fn field(&mut self, name: Name, value: Option<&[u8]>, config: L7Config) {
        let Some(value) = value else { return };
        let place = match name {
            Name::Method => &mut self.method,
            Name::Protocol => &mut self.protocol,
            Name::RequestId => &mut self.request_id,
            Name::TraceParent => {
                if self.trace_parent.is_none() {
                    HttpMarks::set_trace(&mut self.marks, value);
                }
                &mut self.trace_parent
            }
            // Of several the last one counts: proxies add behind.
            Name::ForwardedFor => return HttpMarks::set_forwarded_for(&mut self.marks, value),
            Name::Path => return set(&mut self.path, || target(value, config)),
            Name::Authority if value.is_empty() => return,
            Name::Authority => return set(&mut self.authority, || text(without_user(value))),
            Name::Host => return set(&mut self.host, || text(without_user(value))),
            Name::Status => return self.status = self.status.or_else(|| status(value)),
            Name::GrpcStatus => {
                self.grpc_status = self.grpc_status.or_else(|| number(value));
                // Where the content type is unknown, this says the same.
                self.is_grpc |= self.grpc_status.is_some();
                return;
            }
            Name::ContentType => return self.is_grpc |= is_grpc(value),
            Name::Scheme | Name::Other | Name::Unknown => return,
        };
        set(place, || text(value));
    }

    /// Whether it is one of those before the final response.
    pub(super) fn is_informational(&self) -> bool {
        self.status.is_some_and(|status| status < 200)
    }
}

fn set(place: &mut Option<Box<str>>, value: impl FnOnce() -> Box<str>) {
    if place.is_none() {
        *place = Some(value());
    }
}

/// A status: three digits.
pub(super) fn status(value: &[u8]) -> Option<u16> {
    (value.len() == 3)
        .then(|| number(value))?
        .and_then(|status| u16::try_from(status).ok())
        .filter(|status| *status >= 100)
}

fn number(value: &[u8]) -> Option<u32> {
    let is_number = (1..=10).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| is_number)?.parse().ok()
}

/// `application/grpc`, `application/grpc+proto`, `application/grpc-web`, ..., in any case.
fn is_grpc(value: &[u8]) -> bool {
    const TYPE: &[u8] = b"application/grpc";
    value.get(..TYPE.len()).is_some_and(|start| start.eq_ignore_ascii_case(TYPE))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(fields: &[(Name, &str)]) -> Message {
        let mut message = Message::default();
        for (name, value) in fields {
            message.field(*name, Some(value.as_bytes()), L7Config::default());
        }
        message
    }

    #[test]
    fn secrets_are_not_kept() {
        let message =
            message(&[(Name::Path, "/a?token=x"), (Name::Authority, "me:pw@example.com:80"), (Name::Host, "me@b")]);
        assert_eq!(message.path.as_deref(), Some("/a"));
        assert_eq!(message.authority.as_deref(), Some("example.com:80"));
        assert_eq!(message.host.as_deref(), Some("b"));
    }

    #[test]
    fn statuses_are_numbers_of_their_length() {
        let statuses = ["200", "099", "20", "2000", "2x0", "+20"].map(|value| status(value.as_bytes()));
        assert_eq!(statuses, [Some(200), None, None, None, None, None]);
        assert_eq!(message(&[(Name::GrpcStatus, "14")]).grpc_status, Some(14));
        assert_eq!(message(&[(Name::GrpcStatus, "99999999999")]).grpc_status, None);
        assert_eq!(message(&[(Name::GrpcStatus, "")]).grpc_status, None);
    }

    #[test]
    fn content_types_of_grpc() {
        for (value, expected) in
            [("application/grpc", true), ("Application/gRPC+proto", true), ("application/json", false)]
        {
            assert_eq!(message(&[(Name::ContentType, value)]).is_grpc, expected, "{value}");
        }
    }

    #[test]
    fn the_first_field_of_a_name_counts() {
        assert_eq!(message(&[(Name::Path, "/a"), (Name::Path, "/b")]).path.as_deref(), Some("/a"));
    }
}
