//! Arguments of the commands that serve.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::ConfigFile;

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Address and port to serve on; port 0 picks a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where the demo keeps its data; started again with the same one, it goes on
    #[arg(long, value_name = "DIR", default_value = "corkboard-demo")]
    pub(crate) dir: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Serve {
    #[command(flatten)]
    pub(crate) config: ConfigFile,
    /// What this node does
    #[arg(
        long,
        value_name = "ROLES",
        value_enum,
        value_delimiter = ',',
        default_values = ["api", "worker", "keeper"]
    )]
    pub(crate) roles: Vec<Role>,
}

/// What else an origin can be asked for; without a command, it serves.
#[derive(Debug, Subcommand)]
pub(crate) enum OriginCommand {
    /// Put triggers on the source's tables that keep Redis in step
    InstallHooks,
    /// Load the tables' rows into Redis
    Warm,
    /// Compare Redis with the source and put right what differs
    Verify {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A part of a node's work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Serves the HTTP API
    Api,
    /// Renders and writes cards
    Worker,
    /// Drops expired cohorts, forgets what is too old
    Keeper,
}

impl Role {
    pub(crate) const ALL: [Self; 3] = [Self::Api, Self::Worker, Self::Keeper];

    /// As on the command line.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Worker => "worker",
            Self::Keeper => "keeper",
        }
    }
}
