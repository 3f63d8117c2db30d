//! Reproducible comparisons of the built `corkboard` binary: `cargo xtask bench [feed|send|all|report] [--quick]`.
//!
//! The node under test is a process of its own, driven over HTTP and the command line like anybody
//! else's; nothing of it is linked in here but ids and time. Numbers of a shared machine mean little
//! alone, so what is compared runs interleaved in the same run, and ratios are what to read.

mod arguments;
mod campaigns;
mod child;
mod console;
mod failure;
mod feed;
mod http;
mod machine;
mod nginx;
mod node;
mod pages;
mod plot;
mod procfs;
mod report;
mod results;
mod rows;
mod send;
mod statistics;
mod token;
mod users;
mod wrk;

use std::error::Error as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::timeout;

use arguments::Arguments;
use failure::{Failure, Result, While as _};

/// Beyond these a run is stuck. A full one takes about ten minutes, a quick one under two.
const LONGEST_FULL: Duration = Duration::from_mins(20);
const LONGEST_QUICK: Duration = Duration::from_mins(4);

/// What every bench needs to know.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The binary under test.
    pub(crate) binary: PathBuf,
    /// Scratch space on the checkout's own disk: a store in memory would prove nothing.
    pub(crate) scratch: PathBuf,
    /// Where results and the report go.
    pub(crate) results: PathBuf,
    /// Of the checkout when the run began: it may move on meanwhile.
    pub(crate) commit: String,
    pub(crate) is_quick: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let outcome = tokio::select! {
        outcome = run() => outcome,
        // Dropping the run ends its children and removes its scratch space.
        _ = tokio::signal::ctrl_c() => Err(Failure::unexpected("interrupted: no results were written")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let mut story = failure.to_string();
            let mut cause = failure.source();
            while let Some(error) = cause {
                story.push_str(&format!(": {error}"));
                cause = error.source();
            }
            console::complain(&story);
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let arguments = Arguments::parse(words.iter().map(String::as_str))?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let work = folder.join(".work");
    std::fs::create_dir_all(&work).at(&work)?;
    // Only a full run may replace the results that are kept.
    let results = if arguments.is_quick {
        work.join("results")
    } else {
        folder.join("results")
    };
    let scratch = tempfile::tempdir_in(&work).at(&work)?;
    let setting = Setting {
        binary: binary()?,
        scratch: scratch.path().to_owned(),
        results,
        commit: machine::commit(folder),
        is_quick: arguments.is_quick,
    };
    machine::raise_open_files()?;
    let longest = if arguments.is_quick {
        LONGEST_QUICK
    } else {
        LONGEST_FULL
    };
    timeout(longest, measure(&setting, &arguments))
        .await
        .map_err(|_| Failure::Late("the end of the run".to_owned()))?
}

async fn measure(setting: &Setting, arguments: &Arguments) -> Result<()> {
    if arguments.send {
        let results = send::run(setting).await?;
        results::write(setting, "send", &results)?;
    }
    if arguments.feed {
        let results = feed::run(setting).await?;
        results::write(setting, "feed", &results)?;
    }
    report::write(&setting.results)
}

/// The product's binary, built beside this one.
fn binary() -> Result<PathBuf> {
    let own = std::env::current_exe().while_doing("the bench's own path")?;
    let binary = own.with_file_name("corkboard");
    if binary.exists() {
        Ok(binary)
    } else {
        Err(Failure::unexpected(format!(
            "{} is not there: start the benches with `cargo xtask bench`, which builds it",
            binary.display()
        )))
    }
}
