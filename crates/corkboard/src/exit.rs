//! How a command ends: the failures there are, what they print, their exit status.

use std::io::{self, Write as _};
use std::process::ExitCode;

use corkboard_core::story::story;
use corkboard_store::StoreError;

use crate::telemetry;

const USAGE: u8 = 64;
const UNAVAILABLE: u8 = 69;
const INTERNAL: u8 = 70;

/// Why a command did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Wrong usage or configuration; all problems, nothing was started. Status 64.
    Usage(Vec<String>),
    /// Something needed cannot be reached or used: a store, a port. Status 69.
    Unavailable(String),
    /// A defect, or a failure nobody foresaw. Status 70.
    Internal(String),
    /// Whoever read our results has closed the pipe; there is nobody left to tell. Status 0.
    ReaderGone,
}

impl Failure {
    /// One problem with the command line or the configuration.
    pub(crate) fn usage(problem: impl Into<String>) -> Self {
        Self::Usage(vec![problem.into()])
    }

    /// The same failure, with what it is about before every problem.
    pub(crate) fn about(self, what: &str) -> Self {
        let about = |problem: String| format!("{what}: {problem}");
        match self {
            Self::Usage(problems) => Self::Usage(problems.into_iter().map(about).collect()),
            Self::Unavailable(problem) => Self::Unavailable(about(problem)),
            Self::Internal(problem) => Self::Internal(about(problem)),
            Self::ReaderGone => Self::ReaderGone,
        }
    }

    /// Several failures as one that tells of all of them; the worst kind decides the status.
    pub(crate) fn all(failures: Vec<Self>) -> Outcome {
        let worst = failures.iter().map(Self::status).max();
        let mut problems = Vec::new();
        for failure in failures {
            match failure {
                Self::Usage(several) => problems.extend(several),
                Self::Unavailable(problem) | Self::Internal(problem) => problems.push(problem),
                Self::ReaderGone => {}
            }
        }
        match worst {
            None => Ok(()),
            Some(USAGE) => Err(Self::Usage(problems)),
            Some(UNAVAILABLE) => Err(Self::Unavailable(problems.join("; "))),
            Some(INTERNAL) => Err(Self::Internal(problems.join("; "))),
            Some(_) => Err(Self::ReaderGone),
        }
    }

    fn status(&self) -> u8 {
        match self {
            Self::Usage(_) => USAGE,
            Self::Unavailable(_) => UNAVAILABLE,
            Self::Internal(_) => INTERNAL,
            Self::ReaderGone => 0,
        }
    }
}

/// What commands return.
pub(crate) type Outcome<T = ()> = Result<T, Failure>;

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        let story = story(&error);
        match error {
            StoreError::Conflict { .. }
            | StoreError::NotFound { .. }
            | StoreError::Stale { .. }
            | StoreError::OtherSchema { .. }
            | StoreError::OtherSlots { .. } => Self::usage(story),
            StoreError::Unavailable { .. }
            | StoreError::SchemaTooOld { .. }
            | StoreError::SchemaTooNew { .. }
            | StoreError::DiskFull(_)
            | StoreError::Overloaded => Self::Unavailable(story),
            _ => Self::Internal(story),
        }
    }
}

/// Only results are written through `io` here; a reader that left early (`| head`) is no failure.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            Self::ReaderGone
        } else {
            Self::Internal(format!("the results cannot be written: {error}"))
        }
    }
}

/// Tells stderr what went wrong, and the caller of the process how it ended.
pub(crate) fn status(outcome: Outcome) -> ExitCode {
    let Err(failure) = outcome else {
        return ExitCode::SUCCESS;
    };
    match &failure {
        // For whoever typed the command or wrote the file: a line for each problem, never JSON.
        Failure::Usage(problems) => problems.iter().for_each(|problem| complain(problem)),
        Failure::Unavailable(message) | Failure::Internal(message) => {
            if telemetry::logs_are_json() {
                tracing::error!("{message}");
            } else {
                complain(message);
            }
        }
        Failure::ReaderGone => {}
    }
    ExitCode::from(failure.status())
}

fn complain(message: &str) {
    // When stderr is gone, too, only the status is left to speak.
    let _ = writeln!(io::stderr().lock(), "corkboard: {message}");
}

/// What clap has to say: help and version are results, the rest is wrong usage.
pub(crate) fn clap(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() {
        ExitCode::from(USAGE)
    } else {
        ExitCode::SUCCESS
    }
}
