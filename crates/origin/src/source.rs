//! The relational source: PostgreSQL, read by key through a few connections.
//!
//! Start with [`describe()`], which looks at what the endpoints' rows consist of; then [`Reader`].
//! Requests that wait for a connection are put together: one statement answers all keys of a table
//! that wait at that moment, so that a few connections carry a spike.

mod connection;
mod describe;
mod portion;
mod reader;
mod sql;
mod text;

pub(crate) use connection::{Connection, Connector};
pub use describe::Description;
use describe::Misfit;
pub(crate) use reader::{Reader, key_and_row};
pub(crate) use sql::{identifier, read_after, read_first, table};
pub(crate) use text::Printed;

use std::time::Duration;

use crate::endpoint::EndpointSpec;

/// Bounds of the source's connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceOptions {
    /// Connections for reading rows.
    pub connections: usize,
    /// Reads that may wait for one, some hundred bytes each: as many as clients can bring.
    pub waiting: usize,
    /// Longest wait in that line.
    pub patience: Duration,
    /// Keys in one statement.
    pub batch: usize,
    /// Longest wait for a connection to be opened.
    pub connect: Duration,
    /// The server gives up a statement after this long; so do we, a little later.
    pub statement: Duration,
}

impl Default for SourceOptions {
    fn default() -> Self {
        Self {
            connections: 8,
            waiting: 16_384,
            patience: Duration::from_secs(2),
            batch: 128,
            connect: Duration::from_secs(2),
            statement: Duration::from_secs(2),
        }
    }
}

/// Why the source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// No connection, or it broke.
    #[error("the source database at {place} cannot be reached")]
    Unreachable {
        place: String,
        #[source]
        cause: Option<tokio_postgres::Error>,
    },
    /// It did not answer in time.
    #[error("the source database at {place} did not answer within {within:?}")]
    TimedOut { place: String, within: Duration },
    /// More reads wait than may, or one has waited for too long.
    #[error("too many reads wait for the source database")]
    Overloaded,
    /// It refused a statement.
    #[error("the source database refused {what}")]
    Refused {
        what: String,
        #[source]
        cause: tokio_postgres::Error,
    },
    /// What somebody else's read, which this one shared, has met with.
    #[error(transparent)]
    Shared(std::sync::Arc<SourceError>),
    /// Endpoints do not fit what the database has.
    #[error("{}", .problems.join("; "))]
    Endpoints { problems: Vec<String> },
    /// The journal of changes has what no journal has.
    #[error("the journal of changes is not as install-hooks made it: install them again")]
    Journal,
    /// The URL is none.
    #[error("the URL of the source database")]
    Url(#[from] corkboard_postgres::UrlError),
}

impl SourceError {
    /// Whether the same read may work later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::Overloaded => true,
            Self::Shared(error) => error.is_passing(),
            _ => false,
        }
    }
}

/// Rows of a table, as the server estimates; 0 if it cannot.
pub(crate) async fn estimate(connection: &Connection, name: &str) -> Result<u64, SourceError> {
    let name = table(name);
    let query = async {
        let client = connection.client();
        client.query_opt(sql::ESTIMATE, &[&name]).await
    };
    let row = connection.answer("an estimate", query).await?;
    Ok(row.map_or(0, |row| u64::try_from(row.get::<_, i64>(0)).unwrap_or(0)))
}

/// What the endpoints' rows consist of, in the order of the endpoints.
///
/// # Errors
/// When the database cannot be reached; and all that it does not have: tables, columns, queries.
pub async fn describe(
    url: &str,
    endpoints: &[EndpointSpec],
    options: &SourceOptions,
) -> Result<Vec<Description>, SourceError> {
    let connector = Connector::new(url, options)?;
    let connection = connector.open().await?;
    let (mut found, mut problems) = (Vec::with_capacity(endpoints.len()), Vec::new());
    for endpoint in endpoints {
        match describe::describe(&connection, endpoint).await {
            Ok(description) => found.push(description),
            Err(Misfit::Endpoint(problem)) => {
                problems.push(format!("endpoint {}: {problem}", endpoint.path));
            }
            Err(Misfit::Source(error)) => return Err(error),
        }
    }
    if problems.is_empty() {
        Ok(found)
    } else {
        Err(SourceError::Endpoints { problems })
    }
}
