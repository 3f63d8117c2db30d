//! Statements whose text depends on which cohorts there are, and what to do when one is refused.
//!
//! Three refusals are no errors: a table of a cohort is gone (look again which there are), a rival
//! was first (look again what there is), a deadlock was broken at our expense (do it again).

use std::time::Duration;

use futures_util::pin_mut;
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row};

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

/// Rows as the binary `COPY` of a table: one record in the log for many of them.
pub(super) async fn copy<'a>(
    session: &Session,
    name: &'static str,
    sql: &str,
    types: &[Type],
    rows: impl Iterator<Item = Vec<&'a (dyn ToSql + Sync)>>,
) -> Attempt<u64> {
    let answer = async {
        let prepared = session.client().prepare_cached(sql).await?;
        // A copy that is refused before it begins leaves the driver one answer behind: whoever had
        // the connection next would be given the answers to somebody else's statements.
        session.set_spent(true);
        let sink = session.client().copy_in(&prepared).await?;
        session.set_spent(false);
        let writer = BinaryCopyInWriter::new(sink, types);
        pin_mut!(writer);
        for row in rows {
            writer.as_mut().write(&row).await?;
        }
        writer.finish().await
    };
    answered(session, name, answer).await
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
