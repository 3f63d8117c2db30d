//! What PostgreSQL's errors mean for the caller, decided in one place, by SQLSTATE.

use std::io;
use std::time::Duration;

use corkboard_core::cohort::Cohort;
use tokio_postgres::Error;
use tokio_postgres::error::{DbError, SqlState};

use crate::error::{BoxError, StoreError};

/// Unique constraints by their names, and what the caller calls them. A violation of any other is
/// a mistake of ours.
const CONSTRAINTS: &[(&str, &str)] = &[
    ("workspace_pkey", "workspace id"),
    ("workspace_name_key", "workspace name"),
    ("app_pkey", "app id"),
    ("api_key_pkey", "API key id"),
];

/// The server did not answer in time. What was asked may have been done.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {after:?}")]
struct NoAnswer {
    after: Duration,
}

/// An earlier statement of the transaction failed.
#[derive(Debug, thiserror::Error)]
#[error("an earlier statement of the transaction failed")]
struct Aborted;

/// The error of a statement.
pub(super) fn of(error: Error, place: &str, statement: &'static str) -> StoreError {
    match error.as_db_error().map(class) {
        Some(Class::DiskFull) => StoreError::DiskFull(error.into()),
        Some(Class::Overloaded) => {
            let error: &dyn std::error::Error = &error;
            tracing::debug!(place, statement, error, "the database gave up");
            StoreError::Overloaded
        }
        Some(Class::Unavailable) => unavailable(place, error),
        Some(Class::NoCohort(cohort)) => StoreError::NoSuchCohort(cohort),
        Some(Class::Conflict(what)) => StoreError::Conflict { what },
        None if is_lost(&error) => unavailable(place, error),
        Some(Class::Other) | None => StoreError::Database {
            statement,
            source: error.into(),
        },
    }
}

enum Class {
    DiskFull,
    Overloaded,
    Unavailable,
    NoCohort(Cohort),
    Conflict(&'static str),
    Other,
}

fn class(refusal: &DbError) -> Class {
    let state = refusal.code();
    match *state {
        SqlState::DISK_FULL => Class::DiskFull,
        // Given up in time: the transaction is undone and may be tried again later.
        SqlState::QUERY_CANCELED
        | SqlState::LOCK_NOT_AVAILABLE
        | SqlState::T_R_DEADLOCK_DETECTED
        | SqlState::T_R_SERIALIZATION_FAILURE
        | SqlState::OUT_OF_MEMORY
        | SqlState::TOO_MANY_CONNECTIONS
        | SqlState::CONFIGURATION_LIMIT_EXCEEDED => Class::Overloaded,
        // Shutting down, starting up, now a standby, not ours, or its disk fails.
        SqlState::ADMIN_SHUTDOWN
        | SqlState::CRASH_SHUTDOWN
        | SqlState::CANNOT_CONNECT_NOW
        | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT
        | SqlState::READ_ONLY_SQL_TRANSACTION
        | SqlState::UNDEFINED_DATABASE
        | SqlState::IO_ERROR => Class::Unavailable,
        SqlState::CHECK_VIOLATION => missing_cohort(refusal).map_or(Class::Other, Class::NoCohort),
        SqlState::UNIQUE_VIOLATION => conflict(refusal).map_or(Class::Other, Class::Conflict),
        // Lost connections, refused credentials, and the database being dropped or moved.
        _ if ["08", "28", "57P"]
            .iter()
            .any(|class| state.code().starts_with(class)) =>
        {
            Class::Unavailable
        }
        _ => Class::Other,
    }
}

fn conflict(refusal: &DbError) -> Option<&'static str> {
    let constraint = refusal.constraint()?;
    CONSTRAINTS
        .iter()
        .find(|(name, _)| *name == constraint)
        .map(|(_, what)| *what)
}

/// A row that no partition takes violates no named constraint; the message's detail shows its key.
fn missing_cohort(refusal: &DbError) -> Option<Cohort> {
    if refusal.constraint().is_some() {
        return None;
    }
    let (_, rest) = refusal.detail()?.split_once("(cohort) = (")?;
    let (number, _) = rest.split_once(')')?;
    Cohort::from_number(number.parse().ok()?)
}

/// Whether no partition takes a row that was to be inserted, of any partitioned table.
pub(super) fn is_missing_partition(error: &StoreError) -> bool {
    let StoreError::Database { source, .. } = error else {
        return false;
    };
    source
        .downcast_ref::<Error>()
        .and_then(Error::as_db_error)
        .is_some_and(|refusal| {
            *refusal.code() == SqlState::CHECK_VIOLATION && refusal.constraint().is_none()
        })
}

/// Whether the connection is gone, rather than the statement refused.
fn is_lost(error: &Error) -> bool {
    error.is_closed()
        || std::error::Error::source(error).is_some_and(<dyn std::error::Error>::is::<io::Error>)
}

/// The database cannot be used.
pub(super) fn unavailable(place: &str, source: impl Into<BoxError>) -> StoreError {
    StoreError::Unavailable {
        place: place.to_owned(),
        source: source.into(),
    }
}

/// The server is silent.
pub(super) fn no_answer(place: &str, after: Duration) -> StoreError {
    unavailable(place, NoAnswer { after })
}

/// A transaction in which a statement failed cannot be committed.
pub(super) fn aborted(statement: &'static str) -> StoreError {
    StoreError::Database {
        statement,
        source: Aborted.into(),
    }
}

/// A stored row has a column that is not what we expect.
pub(super) fn column(error: Error) -> StoreError {
    StoreError::Corrupt {
        what: "row",
        source: error.into(),
    }
}
