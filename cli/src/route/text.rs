//! Answers for people: one line a request.

use std::io::{self, Write};

use super::answer::{Answered, Line, Name, Said};
use super::request::Request;

/// Writes one line, and one more for each key that is not as expected.
pub(super) fn write(request: Option<&Request>, line: &Line, out: &mut impl Write) -> io::Result<()> {
    if let Some(request) = request {
        let host = request.host.as_deref().or(request.sni.as_deref()).unwrap_or("-");
        let target = if request.target.starts_with('/') { &*request.target } else { "" };
        write!(out, "{} {}://{host}{target}  ", request.method, request.scheme.name())?;
    }
    match &line.said {
        Said::Error { error } => writeln!(out, "error: {error}")?,
        Said::Answer(answered) => answer(answered, out)?,
    }
    line.unmet.iter().flatten().chain(&line.notes).try_for_each(|more| writeln!(out, "    {more}"))
}

fn answer(answered: &Answered, out: &mut impl Write) -> io::Result<()> {
    write!(out, "{}", answered.status)?;
    if let (Some(kind), Some(namespace)) = (answered.kind, &answered.namespace) {
        let (Name::Ingress { ingress: name, path_index: place, .. } | Name::Route { route: name, match_index: place }) =
            &answered.name;
        write!(out, "  {kind} {namespace}/{}", name.as_deref().unwrap_or_default())?;
        match (answered.rule_index, place) {
            (Some(rule), Some(place)) => write!(out, " rule {rule}.{place}")?,
            (Some(rule), None) => write!(out, " rule {rule}")?,
            (None, _) => write!(out, " default backend")?,
        }
        if let (Some(path_type), Some(path)) = (answered.path_type, &answered.path) {
            write!(out, " ({} {path_type} {path})", answered.rule_host.as_deref().unwrap_or("*"))?;
        }
    }
    if let (Some(service), Some(namespace)) = (&answered.backend_service, &answered.backend_namespace) {
        write!(out, " -> {namespace}/{service}")?;
        if let Some(port) = &answered.backend_port {
            write!(out, ":{port}")?;
        }
    }
    if let Some(redirect) = &answered.redirect {
        write!(out, " -> {redirect}")?;
    }
    if let Some(reason) = answered.reason {
        write!(out, "  {reason}")?;
    }
    if !answered.flags.is_empty() {
        write!(out, "  [{}]", answered.flags.join(", "))?;
    }
    writeln!(out)
}
