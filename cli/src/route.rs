//! `weir route`: which Ingress or Gateway rule serves a request, and what is wrong with the rules. Reads a folder of
//! objects; asks no collector.

mod answer;
mod expected;
mod lint;
mod request;
mod requests;
mod text;

use std::io::{self, BufWriter, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result, anyhow, bail};
use serde_json::Value;
use weir_cluster::manifests::{self, Loaded, Note, Problem, Salvage};
use weir_cluster::route::{Answer, RouteOptions, RouteRequest, Routes};

use crate::args::{LineFormat, RouteEvalArgs, RuleArgs};
use answer::Line;
pub(crate) use lint::lint;
use request::Request;

/// Answers every request, in its order.
pub(crate) fn eval(args: &RouteEvalArgs) -> Result<()> {
    let Salvage { loaded, problems } = load(&args.rules.cluster)?;
    for note in &loaded.notes {
        eprintln!("note: {note}");
    }
    for problem in &problems {
        eprintln!("note: left out: {problem}");
    }
    let rules = Rules::compile(&loaded, &args.rules);
    let notes = notes(&loaded.notes, &problems);
    let mut out = BufWriter::new(io::stdout().lock());
    let (mut total, mut compared, mut wrong) = (0_usize, 0_usize, 0_usize);
    for value in requests::read(&args.requests)? {
        let expected = value.as_ref().ok().and_then(request::expected).cloned();
        let request = value.and_then(|value| request::parse(&value));
        let mut line = rules.line(request.as_ref());
        line.notes.clone_from(&notes);
        if let Some(expected) = &expected {
            line.unmet = Some(expected::unmet(expected, &line));
            compared += 1;
            wrong += usize::from(line.unmet.as_ref().is_some_and(|unmet| !unmet.is_empty()));
        }
        match args.output {
            LineFormat::Json => {
                serde_json::to_writer(&mut out, &line)?;
                writeln!(out)?;
            }
            LineFormat::Text => text::write(request.as_ref().ok(), &line, &mut out)?,
        }
        total += 1;
    }
    out.flush()?;
    if wrong > 0 {
        bail!("{wrong} of {compared} requests are not answered as expected");
    }
    eprintln!("{total} requests, {compared} of them with an expected answer");
    Ok(())
}

/// Reads the objects that can be read; an error where there is none.
fn load(dir: &Path) -> Result<Salvage> {
    // The same spelling as the programs' is understood too.
    let plain = dir.to_str().and_then(|text| text.strip_prefix("manifests:")).map_or(dir, Path::new);
    let reading = || format!("reading the cluster's objects from {}", plain.display());
    let salvage = manifests::salvage(plain);
    if salvage.loaded.objects.is_empty() {
        salvage.whole().with_context(reading)?;
        return Err(anyhow!("no objects in any *.yaml, *.yml or *.json")).with_context(reading);
    }
    Ok(salvage)
}

/// What is left out that might have had a say in where requests go: objects of unknown kinds have none, nor have pods.
fn notes(notes: &[Note], problems: &[Problem]) -> Vec<String> {
    let unread = notes.iter().filter(|note| is_unread(note)).map(ToString::to_string);
    let has_a_say = |problem: &&Problem| match problem {
        Problem::Field(misfit) => matches!(&*misfit.object.kind, "Service" | "Namespace"),
        _ => true,
    };
    unread.chain(problems.iter().filter(has_a_say).map(|problem| format!("left out: {problem}"))).collect()
}

/// The rules, and what a request without a Gateway asks.
struct Rules {
    routes: Routes,
    has_ingresses: bool,
}

impl Rules {
    fn compile(loaded: &Loaded, args: &RuleArgs) -> Self {
        let routes = Routes::build(&loaded.objects, &RouteOptions { ingress_class: args.class.clone() });
        Self { routes, has_ingresses: loaded.objects.ingresses().next().is_some() }
    }

    fn line(&self, read: Result<&Request, &String>) -> Line {
        let read = match read {
            Ok(read) => read,
            Err(error) => return Line::error(error.clone()),
        };
        let headers = read.headers();
        let request = read.borrowed(&headers);
        match self.answer(read, &request) {
            Ok((answer, is_ingress)) => Line::new(&answer, &request, is_ingress, read.is_grpc),
            Err(error) => Line::error(error),
        }
    }

    /// The answer of the Gateway that is named, of the Ingresses, or of the only Gateway there is.
    fn answer(&self, owned: &Request, request: &RouteRequest<'_>) -> Result<(Answer<'_>, bool), String> {
        if let Some((namespace, name)) = &owned.gateway {
            let mut request = *request;
            if let Some(listener) = &owned.listener {
                let port = self.routes.listener_port(namespace, name, listener);
                let port = port
                    .ok_or_else(|| format!("gateway.listener: {namespace}/{name} has no such listener: {listener}"))?;
                if request.port.is_some_and(|asked| asked != port) {
                    return Err(format!("gateway.listener: {listener} has port {port}"));
                }
                request.port = Some(port);
            }
            return Ok((self.routes.gateway(namespace, name, &request), false));
        }
        let mut gateways = self.routes.gateway_names();
        match (gateways.next(), gateways.next()) {
            (Some((namespace, name)), None) if !self.has_ingresses => {
                Ok((self.routes.gateway(namespace, name, request), false))
            }
            (Some(_), Some(_)) if !self.has_ingresses => {
                Err("gateway: there are several, so the request has to name one".to_owned())
            }
            _ => Ok((self.routes.ingress(request), true)),
        }
    }
}

/// Whether a note says that an object was left out.
fn is_unread(note: &Note) -> bool {
    matches!(note, Note::Unread(_))
}

/// A value as text, for messages.
fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
