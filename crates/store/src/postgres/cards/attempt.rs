//! Statements whose text depends on which cohorts there are, and what to do when one is refused.
//!
//! Three refusals are no errors: a table of a cohort is gone (look again which there are), a rival
//! was first (look again what there is), a deadlock was broken at our expense (do it again).

use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, pin_mut};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{CopyInSink, Error, Row, Statement};

use crate::error::{Result, StoreError};
use crate::postgres::session::{Params, Session};

/// Most attempts of one call.
const ATTEMPTS: u32 = 12;
/// Longest pause before the second attempt; doubled before each further one up to 64 times.
const PAUSE: Duration = Duration::from_millis(2);

/// Why an attempt ended.
#[derive(Debug)]
pub(super) enum Stop {
    /// The tables of a cohort are not, or no longer, there.
    Gone,
    /// A row that was not there is there now.
    Taken,
    /// The transaction was sacrificed, or what it had read has changed.
    Again,
    Failed(StoreError),
}

/// What an attempt returns.
pub(super) type Attempt<T> = std::result::Result<T, Stop>;

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// Counts the attempts of one call.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    made: u32,
}

impl Attempts {
    /// Waits a moment before the next attempt; fails when there have been too many.
    pub(super) async fn pause(&mut self) -> Result<()> {
        self.made += 1;
        if self.made >= ATTEMPTS {
            tracing::warn!(
                attempts = self.made,
                "gave up on a write that rivals kept overtaking"
            );
            return Err(StoreError::Overloaded);
        }
        if self.made > 1 {
            let longest = PAUSE * (1 << self.made.min(6));
            tokio::time::sleep(longest.mul_f64(random())).await;
        }
        Ok(())
    }
}

/// Between 0 and 1; for jitter.
pub(super) fn random() -> f64 {
    use std::hash::{BuildHasher, RandomState};
    // Every RandomState has other keys.
    let bits = RandomState::new().hash_one(0_u8);
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// All rows of a statement, which is prepared once per connection.
pub(super) async fn all(
    session: &Session,
    name: &'static str,
    sql: &str,
    params: Params<'_>,
) -> Attempt<Vec<Row>> {
    let answer = async {
        let prepared = session.client().prepare_cached(sql).await?;
        session.client().query(&prepared, params).await
    };
    answered(session, name, answer).await
}

/// Changes rows; returns how many.
pub(super) async fn change(
    session: &Session,
    name: &'static str,
    sql: &str,
    params: Params<'_>,
) -> Attempt<u64> {
    let answer = async {
        let prepared = session.client().prepare_cached(sql).await?;
        session.client().execute(&prepared, params).await
    };
    answered(session, name, answer).await
}

/// Runs statements without parameters. Not for values from outside.
pub(super) async fn run(session: &Session, name: &'static str, sql: &str) -> Attempt<()> {
    answered(session, name, session.client().batch_execute(sql)).await
}

/// A statement that is used once, with parameters of these types: not kept by the connection.
pub(super) async fn once(
    session: &Session,
    name: &'static str,
    sql: &str,
    params: &[(&(dyn ToSql + Sync), Type)],
) -> Attempt<Vec<Row>> {
    answered(session, name, session.client().query_typed(sql, params)).await
}

/// A statement as the connection keeps it. What is asked for in one go is prepared before.
pub(super) async fn prepare(
    session: &Session,
    name: &'static str,
    sql: &str,
) -> Attempt<Statement> {
    answered(session, name, session.client().prepare_cached(sql)).await
}

/// All rows of a prepared statement.
pub(super) async fn rows(
    session: &Session,
    name: &'static str,
    statement: &Statement,
    params: Params<'_>,
) -> Attempt<Vec<Row>> {
    answered(session, name, session.client().query(statement, params)).await
}

/// Runs a prepared statement that returns nothing.
pub(super) async fn execute(
    session: &Session,
    name: &'static str,
    statement: &Statement,
    params: Params<'_>,
) -> Attempt<u64> {
    answered(session, name, session.client().execute(statement, params)).await
}

/// Begins a `COPY` into a table. When what is returned is dropped, the transaction is undone.
pub(super) async fn begin_copy(
    session: &Session,
    name: &'static str,
    statement: &Statement,
) -> Attempt<CopyInSink<Bytes>> {
    // A copy that is refused before it begins leaves the driver one answer behind: whoever had the
    // connection next would be given the answers to somebody else's statements.
    session.set_spent(true);
    let begun = answered(session, name, session.client().copy_in(statement)).await?;
    session.set_spent(false);
    Ok(begun)
}

/// Sends the rows of a `COPY` in its binary format: one record in the log for many of them.
pub(super) async fn finish_copy(
    session: &Session,
    name: &'static str,
    copy: CopyInSink<Bytes>,
    rows: Bytes,
) -> Attempt<u64> {
    let finished = async {
        pin_mut!(copy);
        copy.send(rows).await?;
        copy.finish().await
    };
    answered(session, name, finished).await
}

async fn answered<T>(
    session: &Session,
    name: &'static str,
    answer: impl Future<Output = std::result::Result<T, Error>>,
) -> Attempt<T> {
    let mut refused = None;
    let noted = async {
        let answer = answer.await;
        refused = answer.as_ref().err().and_then(Error::code).cloned();
        answer
    };
    let answer = session.answer(name, noted).await;
    answer.map_err(|error| match refused {
        Some(SqlState::UNDEFINED_TABLE) => Stop::Gone,
        Some(SqlState::UNIQUE_VIOLATION) => Stop::Taken,
        Some(SqlState::T_R_DEADLOCK_DETECTED | SqlState::T_R_SERIALIZATION_FAILURE) => Stop::Again,
        _ => Stop::Failed(error),
    })
}

impl Stop {
    /// For callers that do not try again.
    pub(super) fn into_error(self) -> StoreError {
        match self {
            Self::Failed(error) => error,
            Self::Gone | Self::Taken | Self::Again => StoreError::Overloaded,
        }
    }
}

#[cfg(test)]
mod tests;
