//! Arguments of the tools: doctor, render, config.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::ConfigFile;

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// Also run the hot reads on every PostgreSQL database and say what each of them costs
    #[arg(long)]
    pub(crate) explain: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("what").required(true).args(["template", "batch"])))]
pub(crate) struct Render {
    /// The template; its output goes to stdout, the trace of its fetches to stderr
    #[arg(long, value_name = "FILE")]
    pub(crate) template: Option<PathBuf>,
    /// The user, as JSON: {"user_id": "…", "attributes": {…}}
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    pub(crate) user: Option<PathBuf>,
    /// Further variables, as a JSON object
    #[arg(long, value_name = "FILE", conflicts_with = "batch")]
    pub(crate) data: Option<PathBuf>,
    /// Read {"template":"…","data":{…},"templates":{"name":"…"}} a line from stdin; write
    /// {"output":"…"} or {"error":{"code":"…","message":"…","line":n}} a line, in the same order
    #[arg(long)]
    pub(crate) batch: bool,
    /// Limits and fetch settings from this configuration file instead of the defaults
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print every key with its meaning and default, as a file to start from
    Default,
    /// Check a file and the environment; list everything that is wrong
    Check {
        /// The configuration file
        file: PathBuf,
        /// Print the configuration in force, passwords left out
        #[arg(long)]
        show: bool,
    },
}
