//! Developer tasks that need more than a line of shell: `cargo xtask <task>`.
//!
//! The Makefile is the front door; its recipes call these tasks, and so does the continuous
//! integration, so that green here is green there.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

mod bench;
mod ranges;
mod tidy;

const USAGE: &str = "\
usage: cargo xtask <task>

  bench [feed|send|expiry|reads|events|liquid|fetch|spike|all|report] [--quick]
          build the product and run the reproducible comparisons of bench/; or write their report again
  ranges  write the address guard's tables from the registries in crates/fetch/registry
  tidy    check the rules of CONTRIBUTING.md that neither the compiler nor clippy can check
";

/// Wrong usage, as in the product's own command line.
const EXIT_USAGE: u8 = 64;

fn main() -> io::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["bench", arguments @ ..] => bench::run(&workspace_root(), arguments),
        ["ranges"] => ranges::run(&workspace_root()),
        ["tidy"] => tidy::run(&workspace_root(), &mut io::stdout().lock()),
        _ => {
            io::stderr().lock().write_all(USAGE.as_bytes())?;
            Ok(ExitCode::from(EXIT_USAGE))
        }
    }
}

/// The folder above this crate: tasks work from any current folder.
fn workspace_root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}
