//! The names of header fields that mean something here. Of all others nothing is kept but how long they are.

/// A field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::l7::http2) enum Name {
    Authority,
    Method,
    Path,
    /// `:protocol` of an extended CONNECT (RFC 8441).
    Protocol,
    Scheme,
    Status,
    ContentType,
    ForwardedFor,
    GrpcStatus,
    Host,
    RequestId,
    TraceParent,
    /// A name that means nothing here.
    Other,
    /// The name stands in a part of the dynamic table that was not seen.
    Unknown,
}

impl Name {
    pub(super) const fn new(name: &[u8]) -> Self {
        match name {
            b":authority" => Self::Authority,
            b":method" => Self::Method,
            b":path" => Self::Path,
            b":protocol" => Self::Protocol,
            b":scheme" => Self::Scheme,
            b":status" => Self::Status,
            b"content-type" => Self::ContentType,
            b"grpc-status" => Self::GrpcStatus,
            b"host" => Self::Host,
            b"x-forwarded-for" => Self::ForwardedFor,
            b"x-request-id" => Self::RequestId,
            b"traceparent" => Self::TraceParent,
            _ => Self::Other,
        }
    }

    /// Whether values of fields with this name are to be kept.
    pub(super) const fn matters(self) -> bool {
        !matches!(self, Self::Other | Self::Unknown)
    }
}
