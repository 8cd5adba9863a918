//! Generates the messages and services of `weir/v1/*.proto` with protox (no system protoc), and their descriptors for
//! reflection.

use std::error::Error;
use std::path::PathBuf;
use std::{env, fs};

const FILES: [&str; 6] = [
    "weir/v1/flow.proto",
    "weir/v1/ingest.proto",
    "weir/v1/journal.proto",
    "weir/v1/object.proto",
    "weir/v1/observer.proto",
    "weir/v1/request.proto",
];

#[expect(clippy::disallowed_methods, reason = "cargo speaks to build scripts through the environment")]
fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=weir/v1");
    let mut compiler = protox::Compiler::new(["."])?;
    compiler.include_source_info(true).include_imports(true).open_files(FILES)?;
    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("weir.v1.bin"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .bytes(".weir.v1.QueryResponse")
        .boxed(".weir.v1.GetFlowsResponse.answer.flow")
        .boxed(".weir.v1.GetFlowsResponse.answer.started")
        .boxed(".weir.v1.GetRequestsResponse.answer.request")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
