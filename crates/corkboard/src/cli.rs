//! The command line: what can be asked for. What is done about it is in `commands`.

mod admin;
mod node;
mod tools;

use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};

pub(crate) use admin::{
    AppCommand, AppCreate, CohortsCommand, KeyCommand, KeyCreate, SecretsCommand, TokenKeyFiles,
    WorkspaceCommand,
};
pub(crate) use node::{Demo, OriginCommand, Role, Serve};
pub(crate) use tools::{ConfigCommand, Doctor, Render};

use crate::exit::{Failure, Outcome};

/// Corkboard: a self-hosted channel for content cards.
#[derive(Debug, Parser)]
#[command(
    name = "corkboard",
    version,
    disable_help_subcommand = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Try it: everything in one process, embedded store, sample workspace
    Demo(Demo),
    /// Run a node
    Serve(Serve),
    /// Serve content from a relational database at the rate of a spike
    Origin {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: Option<OriginCommand>,
    },
    /// Create or upgrade the databases' schemas
    Migrate(ConfigFile),
    /// Create or list workspaces (tenants)
    Workspace {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: WorkspaceCommand,
    },
    /// Create apps, whose users read feeds
    App {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: AppCommand,
    },
    /// Create, list and revoke API keys
    Key {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: KeyCommand,
    },
    /// Keys that seal the stored credentials of connected content
    Secrets {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: SecretsCommand,
    },
    /// List cohorts of cards by expiry, drop those that are over
    Cohorts {
        #[command(flatten)]
        config: ConfigFile,
        #[command(subcommand)]
        command: CohortsCommand,
    },
    /// Move slots between databases (not in this version)
    Topology(NotYet),
    /// Look for what is wrong or soon will be
    Doctor(Doctor),
    /// Render a template with real fetches
    Render(Render),
    /// Print the OpenAPI document of the HTTP API
    Openapi,
    /// Print the default configuration, or check a file
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print the version
    Version,
}

/// Where the configuration is; accepted before and after a command's own command.
#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The configuration file (required)
    #[arg(long = "config", value_name = "FILE", global = true)]
    file: Option<PathBuf>,
}

impl ConfigFile {
    /// The file's path; its absence is wrong usage.
    pub(crate) fn path(&self) -> Outcome<&Path> {
        self.file.as_deref().ok_or_else(|| {
            Failure::usage(
                "--config FILE is missing; 'corkboard config default' prints a file to start from",
            )
        })
    }
}

/// A command that the contract names and this version has not got. Takes anything, so that the
/// answer is always the same.
#[derive(Debug, Args)]
pub(crate) struct NotYet {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    rest: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_configuration_may_stand_before_or_after_the_inner_command() {
        for line in [
            "corkboard workspace --config f list",
            "corkboard workspace list --config f",
        ] {
            let cli = Cli::try_parse_from(line.split(' ')).unwrap();
            let Command::Workspace { config, .. } = cli.command else {
                panic!("{line}")
            };
            assert_eq!(config.path().unwrap(), Path::new("f"));
        }
    }
}
