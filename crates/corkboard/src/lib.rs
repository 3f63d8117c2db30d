//! The binary: the command line, the one composition root, the demo.
//!
//! [`run`] reads the command line and ends with the exit status that the contract promises: 0 done,
//! 64 wrong usage or configuration, 69 a needed service is unreachable, 70 internal error. This is
//! the only room that reads the environment, prints, and installs process-wide things (the log
//! subscriber, the metrics recorder, the panic hook). Start reading in `node.rs`: a node is put
//! together there, for `serve` and `demo` alike.

mod cli;
mod commands;
mod demo;
mod exit;
mod node;
mod output;
mod progress;
mod runtime;
mod settings;
mod stores;
mod telemetry;
mod watches;

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser as _;

use crate::cli::Cli;
use crate::exit::Failure;

/// Runs one command line, the program's name first. Never panics: a defect ends as status 70.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => return exit::clap(&error),
    };
    // The hook has told about the panic already.
    let outcome =
        catch_unwind(AssertUnwindSafe(|| commands::run(cli.command))).unwrap_or_else(|_| {
            Err(Failure::Internal(
                "the command ended by a defect".to_owned(),
            ))
        });
    exit::status(outcome)
}
