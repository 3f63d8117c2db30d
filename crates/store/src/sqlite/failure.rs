//! What SQLite's errors mean for the caller, decided in one place.
//!
//! Statements use `?` on SQLite's errors, which become a [`StoreError`] that does not yet know the
//! file and the operation; [`located`] fills them in where both are known.

use std::path::Path;

use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_IOERR_FSYNC, SQLITE_IOERR_TRUNCATE, SQLITE_IOERR_WRITE};

use crate::error::{BoxError, StoreError};

/// Constraints as SQLite names them, and what the caller calls them.
const CONSTRAINTS: &[(&str, &str)] = &[
    ("workspace.name", "workspace name"),
    ("workspace.id", "workspace id"),
];

/// Stands for an operation or a file that is not known yet.
const UNKNOWN: &str = "";

/// The database was closed.
#[derive(Debug, thiserror::Error)]
#[error("it is closed")]
pub(super) struct Closed;

/// An operation panicked; its writes were undone.
#[derive(Debug, thiserror::Error)]
#[error("the operation panicked")]
pub(super) struct Panicked;

/// Another operation broke the transaction that both shared.
#[derive(Debug, thiserror::Error)]
#[error("the shared transaction was undone: {0}")]
struct Undone(String);

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::Error as Sql;
        match &error {
            Sql::SqliteFailure(failure, message) => match failure.code {
                ErrorCode::ConstraintViolation => match conflict(message.as_deref()) {
                    Some(what) => Self::Conflict { what },
                    None => database(error),
                },
                ErrorCode::DiskFull => Self::DiskFull(error.into()),
                ErrorCode::SystemIoFailure
                    if [
                        SQLITE_IOERR_WRITE,
                        SQLITE_IOERR_FSYNC,
                        SQLITE_IOERR_TRUNCATE,
                    ]
                    .contains(&failure.extended_code) =>
                {
                    Self::DiskFull(error.into())
                }
                ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::SystemIoFailure => Self::Unavailable {
                    place: UNKNOWN.to_owned(),
                    source: error.into(),
                },
                // Only a foreign process can hold a lock for so long.
                ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => Self::Overloaded,
                _ => database(error),
            },
            Sql::FromSqlConversionFailure(..)
            | Sql::InvalidColumnType(..)
            | Sql::IntegralValueOutOfRange(..)
            | Sql::Utf8Error(..) => Self::Corrupt {
                what: "row",
                source: error.into(),
            },
            _ => database(error),
        }
    }
}

fn database(error: rusqlite::Error) -> StoreError {
    StoreError::Database {
        statement: UNKNOWN,
        source: error.into(),
    }
}

fn conflict(message: Option<&str>) -> Option<&'static str> {
    let constraint = message?.strip_prefix("UNIQUE constraint failed: ")?;
    CONSTRAINTS
        .iter()
        .find(|(name, _)| *name == constraint)
        .map(|(_, what)| *what)
}

/// Says where an error happened, as far as it does not say so itself.
pub(super) fn located(error: StoreError, path: &Path, statement: &'static str) -> StoreError {
    match error {
        StoreError::Database {
            statement: UNKNOWN,
            source,
        } => StoreError::Database { statement, source },
        StoreError::Unavailable { place, source } if place.is_empty() => unavailable(path, source),
        other => other,
    }
}

/// The file cannot be used.
pub(super) fn unavailable(path: &Path, source: impl Into<BoxError>) -> StoreError {
    StoreError::Unavailable {
        place: path.display().to_string(),
        source: source.into(),
    }
}

/// The error of everyone who shared a transaction that `cause` broke.
pub(super) fn shared(cause: &StoreError) -> StoreError {
    let source = Undone(match std::error::Error::source(cause) {
        Some(source) => match source.downcast_ref::<Undone>() {
            Some(Undone(known)) => known.clone(),
            None => format!("{cause}: {source}"),
        },
        None => cause.to_string(),
    });
    match cause {
        StoreError::DiskFull(_) => StoreError::DiskFull(source.into()),
        StoreError::Overloaded => StoreError::Overloaded,
        StoreError::Unavailable { place, .. } => StoreError::Unavailable {
            place: place.clone(),
            source: source.into(),
        },
        _ => StoreError::Database {
            statement: UNKNOWN,
            source: source.into(),
        },
    }
}
