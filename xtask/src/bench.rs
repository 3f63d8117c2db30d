//! The benches' front door: builds the product as it ships, then runs `bench/` against it.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::{fs, io};

/// Passes `arguments` on. Fails as the first step does that fails.
pub(crate) fn run(root: &Path, arguments: &[&str]) -> io::Result<ExitCode> {
    // Databases of a run lie on the checkout's own disk: where temporary files usually go may be
    // memory.
    let work = root.join("bench/.work");
    fs::create_dir_all(&work)?;
    // Two builds on purpose: built together, the bench's dependencies would switch on features of
    // shared crates in the product, and something else than the product would be measured.
    for step in [
        &["build", "--package", "corkboard"],
        &["run", "--package", "corkboard-bench"],
    ] {
        let mut cargo = Command::new(env!("CARGO"));
        cargo
            .current_dir(root)
            .args(step)
            .args(["--release", "--locked", "--quiet"]);
        if step[0] == "run" {
            cargo.env("TMPDIR", &work).arg("--").args(arguments);
        }
        if !cargo.status()?.success() {
            return Ok(ExitCode::FAILURE);
        }
    }
    Ok(ExitCode::SUCCESS)
}
