//! Reproducible comparisons of what is built here:
//! `cargo xtask bench [feed|send|expiry|reads|events|liquid|fetch|spike|all|report] [--quick]`.
//!
//! A node under test is a process of its own, driven over HTTP and the command line like anybody
//! else's. Three benches go below that: they drive the card store on PostgreSQL by itself, because
//! what they measure is what it asks of the server. Numbers of a shared machine mean little
//! alone, so what is compared runs interleaved in the same run, and ratios are what to read.

mod arguments;
mod campaigns;
mod child;
mod cohort_cards;
mod console;
mod events;
mod expiry;
mod failure;
mod feed;
mod fetch;
mod http;
mod liquid;
mod machine;
mod nginx;
mod node;
mod pages;
mod plot;
mod postgres;
mod procfs;
mod reads;
mod report;
mod results;
mod rows;
mod send;
mod spike;
mod statistics;
mod token;
mod traffic;
mod users;
mod wrk;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tokio::time::timeout;

use arguments::{Arguments, Bench};
use failure::{Failure, Result, While as _};

/// What every bench needs to know.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The binary under test.
    pub(crate) binary: PathBuf,
    /// On the checkout's own disk: a store in memory would prove nothing.
    pub(crate) work: PathBuf,
    /// Scratch space in it.
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
            console::complain(&failure.story());
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if words == [fetch::peer::WORD] {
        return fetch::peer::serve().await;
    }
    if let [spike::CROWD, of @ ..] = words
        .iter()
        .map(String::as_str)
        .collect::<Vec<_>>()
        .as_slice()
    {
        return spike::gather(of).await;
    }
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
        work,
        results,
        commit: machine::commit(folder),
        is_quick: arguments.is_quick,
    };
    machine::raise_open_files()?;
    for bench in &arguments.benches {
        let longest = bench.longest(setting.is_quick);
        timeout(longest, measure(&setting, *bench))
            .await
            .map_err(|_| Failure::Late(format!("the end of '{}'", bench.name())))??;
    }
    if arguments
        .benches
        .iter()
        .all(|bench| Bench::PARTS.contains(bench))
        && !arguments.benches.is_empty()
    {
        // It leaves nothing to report.
        return Ok(());
    }
    report::write(&setting.results)
}

async fn measure(setting: &Setting, bench: Bench) -> Result<()> {
    let name = bench.name();
    match bench {
        Bench::Expiry => results::write(setting, name, &Box::pin(expiry::run(setting)).await?),
        Bench::Send => results::write(setting, name, &Box::pin(send::run(setting)).await?),
        Bench::Feed => results::write(setting, name, &Box::pin(feed::run(setting)).await?),
        Bench::Reads => results::write(setting, name, &Box::pin(reads::run(setting)).await?),
        Bench::SendRate => Box::pin(send::show_rates(setting)).await,
        Bench::SpikeClosed
        | Bench::SpikeCold
        | Bench::SpikeOverload
        | Bench::SpikeOutage
        | Bench::SpikeCrowd
        | Bench::SpikePair => Box::pin(spike::show(setting, bench)).await,
        Bench::Fetch => results::write(setting, name, &Box::pin(fetch::run(setting)).await?),
        Bench::Liquid => results::write(setting, name, &Box::pin(liquid::run(setting)).await?),
        Bench::Spike => Box::pin(spike::run(setting)).await,
        Bench::Events => results::write(setting, name, &Box::pin(events::run(setting)).await?),
    }
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
