//! Reading the rows of many keys from the source, a page in one statement.
//!
//! Over a connection of its own, one statement at a time at the source: readers' misses do not queue
//! behind a million rows. A query has no statement for many keys; those are read as misses are.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::sync::Mutex;

use super::patience::Retries;
use super::{Origin, PAGE, UpkeepError};
use crate::endpoint::Content;
use crate::key::Key;
use crate::row::Row;
use crate::source::{Connection, Connector, Printed, SourceError, key_and_row};

/// Rows by their keys.
pub(super) type Found = HashMap<Key, Row>;

/// A connection that is opened when it is needed, and again when it was lost.
#[derive(Debug)]
pub(super) struct Pages {
    connector: Connector,
    held: Mutex<Option<Arc<Connection>>>,
}

impl Pages {
    pub(super) fn of(origin: &Origin) -> Self {
        Self {
            connector: origin.shared.connector.clone(),
            held: Mutex::new(None),
        }
    }

    pub(super) async fn connection(&self) -> Result<Arc<Connection>, SourceError> {
        let mut held = self.held.lock().await;
        if let Some(connection) = held.as_ref().filter(|connection| connection.is_open()) {
            return Ok(Arc::clone(connection));
        }
        let opened = Arc::new(self.connector.open().await?);
        Ok(Arc::clone(held.insert(opened)))
    }
}

impl Origin {
    /// The rows of these keys of a table.
    pub(super) async fn read_page(
        &self,
        connection: &Connection,
        endpoint: usize,
        keys: &[Key],
    ) -> Result<Found, SourceError> {
        if keys.is_empty() {
            return Ok(Found::new());
        }
        let served = &self.shared.endpoints[endpoint];
        let (read, columns) = (&served.description.read, served.description.columns.len());
        let reading = async {
            let client = connection.client();
            client.query(read, &[&Printed::keys(keys)]).await
        };
        let rows = connection.answer(&served.spec.path, reading).await?;
        rows.iter().map(|row| key_and_row(row, columns)).collect()
    }

    /// The same for any endpoint.
    pub(super) async fn read_any(
        &self,
        pages: &Pages,
        endpoint: usize,
        keys: &[Key],
        retries: &Retries,
    ) -> Result<Found, UpkeepError> {
        match self.shared.endpoints[endpoint].spec.content {
            Content::Table { .. } => {
                let connection = pages.connection().await?;
                Ok(self.read_page(&connection, endpoint, keys).await?)
            }
            Content::Query(_) => self.read_one_by_one(endpoint, keys, retries).await,
        }
    }

    async fn read_one_by_one(
        &self,
        endpoint: usize,
        keys: &[Key],
        retries: &Retries,
    ) -> Result<Found, UpkeepError> {
        let mut all = HashMap::with_capacity(keys.len());
        for part in keys.chunks(PAGE) {
            // What fails comes again: readers go first, among others.
            let read = || async {
                let reads = part
                    .iter()
                    .map(|key| self.shared.reader.read(endpoint, key.clone()));
                let found: Result<Vec<_>, _> = join_all(reads).await.into_iter().collect();
                found.map_err(|error| UpkeepError::Source(SourceError::Shared(error)))
            };
            let found = retries.until_answered(read).await?;
            let found = part.iter().cloned().zip(found);
            all.extend(found.filter_map(|(key, row)| Some((key, row?))));
        }
        Ok(all)
    }
}
