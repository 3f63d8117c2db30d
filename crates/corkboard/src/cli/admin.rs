//! Arguments of the commands that manage tenants and cohorts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use corkboard_core::id::{ApiKeyId, AppId};
use corkboard_core::tenancy::Scope;

#[derive(Debug, Subcommand)]
pub(crate) enum WorkspaceCommand {
    /// Create a workspace and print its id
    Create {
        /// Unique, 1 to 128 bytes
        name: String,
    },
    /// List all workspaces
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AppCommand {
    /// Create an app and print its id
    Create(AppCreate),
    /// List a workspace's apps and the algorithms of their keys
    List {
        /// Id or name of the workspace
        #[arg(long, value_name = "W")]
        workspace: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Replace an app's keys: it has those given and no others, on every node within 5 seconds
    Rotate {
        /// Its id, as listed
        id: AppId,
        #[command(flatten)]
        keys: TokenKeyFiles,
    },
}

#[derive(Debug, Args)]
pub(crate) struct AppCreate {
    /// Id or name of the workspace
    #[arg(long, value_name = "W")]
    pub(crate) workspace: String,
    /// What the app is called
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) keys: TokenKeyFiles,
}

#[derive(Debug, Args)]
pub(crate) struct TokenKeyFiles {
    /// Public key (PEM) of who issues user tokens: ES256, EdDSA or RS256; up to 3 times
    #[arg(long, value_name = "FILE")]
    pub(crate) jwt_public_key: Vec<PathBuf>,
    /// Secret of who issues user tokens (HS256): all bytes of the file but a line end, 32 or more
    #[arg(long, value_name = "FILE", conflicts_with = "jwt_public_key")]
    pub(crate) jwt_secret_file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Create an API key and print it, this once
    Create(KeyCreate),
    /// List keys, never their secrets
    List {
        /// Only those of this workspace, by id or name
        #[arg(long, value_name = "W")]
        workspace: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a key
    Revoke {
        /// Its id, as listed
        id: ApiKeyId,
    },
}

#[derive(Debug, Args)]
pub(crate) struct KeyCreate {
    /// Id or name of the workspace
    #[arg(long, value_name = "W")]
    pub(crate) workspace: String,
    /// What the key may do, as in users:read,campaigns:read [default: everything]
    #[arg(long, value_name = "SCOPES", value_delimiter = ',')]
    pub(crate) scopes: Vec<Scope>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretsCommand {
    /// Print a new key, for secrets.keys
    Generate,
    /// Seal all stored credentials with the first key of the configuration
    Reseal,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CohortsCommand {
    /// List cohorts by database: rows, bytes, age, next drop
    List {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Drop the cohorts whose grace is over
    Retire {
        /// Only say which
        #[arg(long)]
        dry_run: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}
