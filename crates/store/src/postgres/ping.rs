//! Whether a database answers, asked beside the traffic: who had to queue with it could not tell a
//! busy database from one that is away.

use std::time::Duration;

use super::failure;
use super::options::PgOptions;
use super::pool::Pool;
use super::statement::Statement;
use super::values::get;
use crate::error::{Result, StoreError};

/// Longest wait for a connection, and for the answer.
const PATIENCE: Duration = Duration::from_secs(1);

const ASK: Statement = Statement::new(
    "ping",
    "SELECT pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS standby",
);

/// A connection of its own to one database.
#[derive(Debug, Clone)]
pub struct PgPing {
    pool: Pool,
}

/// It answers, and cannot be written to.
#[derive(Debug, thiserror::Error)]
#[error("it is read-only: a standby, or default_transaction_read_only is on")]
struct ReadOnly;

/// Neither a connection nor an answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {PATIENCE:?}")]
struct Silent;

impl PgPing {
    /// For the database at `url` (`postgres://…`). Connects when it is first asked.
    ///
    /// # Errors
    /// `Unavailable` when the URL is none.
    pub fn new(url: &str) -> Result<Self> {
        let options = PgOptions {
            connections: 1,
            warm: 1,
            acquire: PATIENCE,
            connect: PATIENCE,
            statement: PATIENCE,
            ..PgOptions::default()
        };
        Ok(Self {
            pool: Pool::new(url, &options)?,
        })
    }

    /// Asks once; takes two seconds at most.
    ///
    /// # Errors
    /// `Unavailable` when the database does not answer or cannot be written to.
    pub async fn ask(&self) -> Result<()> {
        let place = self.pool.place();
        let asked = async {
            let session = self.pool.session().await?;
            session.first(&ASK, &[]).await
        };
        match asked.await {
            Ok(Some(row)) if get(&row, "standby")? => Err(failure::unavailable(place, ReadOnly)),
            Ok(_) => Ok(()),
            Err(StoreError::Overloaded) => Err(failure::unavailable(place, Silent)),
            Err(error) => Err(error),
        }
    }

    /// Closes the connection.
    pub fn close(&self) {
        self.pool.close();
    }
}
