//! `weir get gateways`: which pods are gateways, and how that is known. Asks a collector, or reads a folder of objects.

use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context as _, Result};
use serde::Serialize;
use weir_cluster::gateways::{GatewayOptions, GatewayPod, Gateways, KnownBy};
use weir_cluster::manifests::{self, Loaded};
use weir_model::PodRef;
use weir_proto::v1;

use crate::args::{GatewayArgs, StatusFormat};
use crate::server::{Contact, connect, refused};

/// Finds them, and prints them.
pub(crate) async fn gateways(server: &Contact, args: &GatewayArgs) -> Result<()> {
    let lines: Vec<Line> = match &args.cluster {
        Some(dir) => {
            let gateways = Gateways::build(&load(dir)?.objects, &options(&args.gateway));
            gateways.iter().map(|(pod, gateway)| Line::new(pod, gateway)).collect()
        }
        None => routes(server).await?.gateways.into_iter().map(Line::from).collect(),
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    match args.output {
        StatusFormat::Text if lines.is_empty() => writeln!(out, "no pod is known to be a gateway")?,
        StatusFormat::Text => lines.iter().try_for_each(|line| line.write(&mut out))?,
        StatusFormat::Json => {
            for line in &lines {
                serde_json::to_writer(&mut out, line)?;
                writeln!(out)?;
            }
        }
    }
    out.flush().context("writing to stdout")
}

/// What the collector knows of gateways and rules.
pub(crate) async fn routes(server: &Contact) -> Result<v1::GetRoutesResponse> {
    let mut client = connect(server).await?;
    let answer = client.get_routes(v1::GetRoutesRequest {}).await.map_err(|status| refused(&status))?;
    Ok(answer.into_inner())
}

/// Reads the objects of a folder.
pub(crate) fn load(dir: &Path) -> Result<Loaded> {
    // The same spelling as the programs' is understood too.
    let plain = dir.to_str().and_then(|text| text.strip_prefix("manifests:")).map_or(dir, Path::new);
    let loaded =
        manifests::load(plain).with_context(|| format!("reading the cluster's objects from {}", plain.display()))?;
    for note in &loaded.notes {
        eprintln!("note: {note}");
    }
    Ok(loaded)
}

/// Services that are said to be before gateways.
pub(crate) fn options(services: &[String]) -> GatewayOptions {
    let names = services.iter().filter_map(|service| service.split_once('/'));
    GatewayOptions { services: names.map(|(namespace, name)| (namespace.into(), name.into())).collect() }
}

/// A gateway as it is printed.
#[derive(Debug, Serialize)]
struct Line {
    namespace: String,
    name: String,
    known_by: Vec<String>,
    /// Classes of Ingresses; empty = it serves none, or those of any class.
    ingress_classes: Vec<String>,
    serves_ingresses: bool,
    gateways: Vec<String>,
    services: Vec<String>,
    ports: Vec<u32>,
}

impl From<v1::Gateway> for Line {
    fn from(gateway: v1::Gateway) -> Self {
        let v1::Gateway { namespace, name, known_by, serves_ingresses, ingress_classes, gateways, services, ports } =
            gateway;
        Self { namespace, name, known_by, ingress_classes, serves_ingresses, gateways, services, ports }
    }
}

impl Line {
    fn new(pod: &PodRef, gateway: &GatewayPod) -> Self {
        let joined = |(namespace, name): &(std::sync::Arc<str>, std::sync::Arc<str>)| format!("{namespace}/{name}");
        Self {
            namespace: pod.namespace.to_string(),
            name: pod.name.to_string(),
            known_by: gateway.known_by.iter().copied().map(|way| KnownBy::name(way).to_owned()).collect(),
            ingress_classes: gateway.serves.classes.iter().map(ToString::to_string).collect(),
            serves_ingresses: gateway.serves.ingresses,
            gateways: gateway.serves.gateways.iter().map(joined).collect(),
            services: gateway.services.iter().map(joined).collect(),
            ports: gateway.ports.keys().copied().map(u32::from).collect(),
        }
    }

    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let mut serves = Vec::new();
        match (self.serves_ingresses, self.ingress_classes.is_empty()) {
            (true, true) => serves.push("Ingresses of any class".to_owned()),
            (true, false) => serves.push(format!("Ingresses of class {}", self.ingress_classes.join(", "))),
            (false, _) => {}
        }
        serves.extend(self.gateways.iter().map(|gateway| format!("Gateway {gateway}")));
        let behind =
            if self.services.is_empty() { String::new() } else { format!(", behind {}", self.services.join(", ")) };
        let (pod, known_by) = (format!("{}/{}", self.namespace, self.name), self.known_by.join(", "));
        writeln!(out, "{pod}  {}{behind}  (known by {known_by})", serves.join("; "))
    }
}
