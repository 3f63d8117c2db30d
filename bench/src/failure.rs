//! Why a bench cannot go on. A bench that fails writes no results.

use std::error::Error as _;
use std::path::Path;
use std::{fmt, io};

use corkboard_store::StoreError;
use corkboard_testkit::client::TestClientError;

/// Anything that ends a run before its results are written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(
        "usage: cargo xtask bench [feed|send|expiry|reads|events|liquid|fetch|spike|all|report] [--quick]; '{0}' is not known"
    )]
    Usage(String),
    #[error("{what}")]
    Io {
        what: String,
        #[source]
        source: io::Error,
    },
    #[error("a request got no answer")]
    NoAnswer(#[from] TestClientError),
    #[error("{what} answered {status}: {body}")]
    Answer {
        what: String,
        status: u16,
        body: String,
    },
    #[error("'{command}' failed with {status}: {output}")]
    Command {
        command: String,
        status: String,
        output: String,
    },
    #[error("the card store failed")]
    Store(#[from] StoreError),
    #[error("'{what}' failed")]
    Sql {
        what: String,
        #[source]
        source: tokio_postgres::Error,
    },
    #[error("{0} did not happen in time")]
    Late(String),
    #[error("{0}")]
    Unexpected(String),
}

pub(crate) type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub(crate) fn unexpected(what: impl fmt::Display) -> Self {
        Self::Unexpected(what.to_string())
    }

    /// The failure and its causes in one line.
    pub(crate) fn story(&self) -> String {
        let mut story = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            story.push_str(&format!(": {error}"));
            cause = error.source();
        }
        story
    }
}

/// Says which file or step an I/O error is about.
pub(crate) trait While<T> {
    fn while_doing(self, what: impl fmt::Display) -> Result<T>;

    fn at(self, path: &Path) -> Result<T>
    where
        Self: Sized,
    {
        self.while_doing(path.display())
    }
}

impl<T, E: Into<io::Error>> While<T> for std::result::Result<T, E> {
    fn while_doing(self, what: impl fmt::Display) -> Result<T> {
        self.map_err(|error| Failure::Io {
            what: what.to_string(),
            source: error.into(),
        })
    }
}
