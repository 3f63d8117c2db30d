//! Many rows at once: rewriting what has changed, filling Redis beforehand, comparing it with the
//! source.
//!
//! Whoever writes a row to Redis that was read a moment ago may be overtaken by a change. The
//! applier need not care, for the change comes to it again; warming and repairing write under a lease
//! that the applier voids.

use std::collections::HashMap;
use std::time::Duration;

use corkboard_cache::CallError;
use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;

use super::fill::LEASE;
use super::{Origin, Place};
use crate::endpoint::Content;
use crate::hooks::{Rewrite, RewriteError};
use crate::key::Key;
use crate::row::Row;
use crate::rows::{Lease, Rows};
use crate::source::{KeyText, SourceError, read_after, read_first};

/// Rows read and written in one go.
const PAGE: usize = 1_000;
/// Writes to Redis under way at a time.
const WRITES: usize = 64;
/// A page that Redis did not take is tried again so often, after a pause: leases that were given for
/// it must end first.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(500);

/// Why many rows could not be brought in line.
#[derive(Debug, thiserror::Error)]
pub enum UpkeepError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error("redis cannot be read or written")]
    Redis(#[from] CallError),
    #[error("endpoint {path}: {problem}")]
    Endpoint { path: String, problem: &'static str },
}

/// What a comparison of Redis with the source has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Rows in Redis.
    pub rows: u64,
    /// Of them, those that the source has otherwise: put right.
    pub different: u64,
    /// Those that the source has not: removed.
    pub gone: u64,
}

impl Origin {
    /// The endpoints' paths, in order.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        let endpoints = self.shared.endpoints.iter();
        endpoints
            .map(|endpoint| endpoint.spec.path.as_str())
            .collect()
    }

    /// Rows in the table of an endpoint, as the source estimates; `None` for a query.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub async fn estimate(&self, endpoint: usize) -> Result<Option<u64>, SourceError> {
        let Content::Table { name, .. } = &self.shared.endpoints[endpoint].spec.content else {
            return Ok(None);
        };
        let connection = self.shared.connector.open().await?;
        crate::source::estimate(&connection, name).await.map(Some)
    }

    /// Puts every row of an endpoint's table into Redis, in the order of keys. `written` hears how
    /// many so far.
    ///
    /// # Errors
    /// When the source or Redis fails, or the endpoint is a query, whose keys nobody knows.
    pub async fn warm(
        &self,
        endpoint: usize,
        mut written: impl FnMut(u64),
    ) -> Result<u64, UpkeepError> {
        let rows = self.rows_in_redis(endpoint)?;
        let served = &self.shared.endpoints[endpoint];
        let Content::Table { name, .. } = &served.spec.content else {
            return Err(UpkeepError::Endpoint {
                path: served.spec.path.clone(),
                problem: "a query's keys are not known, so it cannot be warmed",
            });
        };
        let connection = self.shared.connector.open().await?;
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let (first, after) = (
            read_first(name, &served.spec.key),
            read_after(name, &served.spec.key),
        );
        let (mut last, mut count) = (None::<Key>, 0);
        loop {
            let page = async {
                let client = connection.client();
                match &last {
                    None => client.query(&first, &[&limit]).await,
                    Some(key) => client.query(&after, &[&KeyText(key), &limit]).await,
                }
            };
            let page = connection.answer(&served.spec.path, page).await?;
            let keys: Vec<Key> = page.iter().map(|row| Key::printed(row.get(0))).collect();
            let Some(end) = keys.last().cloned() else {
                return Ok(count);
            };
            count += self.fill_patiently(rows, endpoint, &keys).await?;
            written(count);
            last = Some(end);
        }
    }

    /// Fills a page; again, when Redis has too much to do.
    async fn fill_patiently(
        &self,
        rows: &Rows,
        endpoint: usize,
        keys: &[Key],
    ) -> Result<u64, UpkeepError> {
        let mut tries = 0;
        loop {
            match self.fill_all(rows, endpoint, keys.to_vec()).await {
                Err(UpkeepError::Redis(error)) if tries < TRIES => {
                    tracing::debug!(%error, "redis is late: the page again");
                    tries += 1;
                    sleep(PAUSE).await;
                }
                outcome => return outcome,
            }
        }
    }

    /// Reads rows under leases and puts them into Redis; how many are in.
    async fn fill_all(
        &self,
        rows: &Rows,
        endpoint: usize,
        keys: Vec<Key>,
    ) -> Result<u64, UpkeepError> {
        let leases = stream::iter(keys).map(|key| async {
            let place = self.place_of(endpoint, key);
            let lease = rows.lease(&place.name, LEASE).await?;
            // Whoever has the lease is about to put the row in.
            Ok::<_, CallError>(lease.map(|lease| (place, lease)))
        });
        let leased: Vec<(Place, Lease)> = leases
            .buffer_unordered(WRITES)
            .try_filter_map(|leased| async { Ok(leased) })
            .try_collect()
            .await?;
        let keys: Vec<Key> = leased.iter().map(|(place, _)| place.key.clone()).collect();
        let read_at = self.now();
        let found = self.read_all(endpoint, &keys).await?;
        let columns = &self.shared.endpoints[endpoint].description.columns;
        let writes = stream::iter(leased).map(|(place, lease)| {
            let row = found.get(&place.key);
            async move {
                let Some(row) = row else {
                    rows.release(&lease).await;
                    return Ok(0);
                };
                let kept = self.kept(&place, &self.answer(&place, row, read_at));
                let is_in = rows.fill(&lease, columns.fields(row), &kept).await?;
                Ok::<_, CallError>(u64::from(is_in))
            }
        });
        let written = writes.buffer_unordered(WRITES);
        Ok(written
            .try_fold(0, |sum, one| async move { Ok(sum + one) })
            .await?)
    }

    /// Compares every row of an endpoint that is in Redis with the source, and puts right what
    /// differs. `checked` hears how many so far.
    ///
    /// # Errors
    /// When the source or Redis fails.
    pub async fn verify(
        &self,
        endpoint: usize,
        mut checked: impl FnMut(u64),
    ) -> Result<Verified, UpkeepError> {
        let rows = self.rows_in_redis(endpoint)?;
        let served = &self.shared.endpoints[endpoint];
        let mut verified = Verified::default();
        let mut scan = rows.scan(&served.spec.prefix).await?;
        while let Some(names) = scan.next().await? {
            // What is no key of this endpoint belongs to a longer prefix, or to nobody.
            let keys: Vec<Key> = names
                .iter()
                .filter_map(|name| served.description.key.printed(name))
                .collect();
            let found = self.read_all(endpoint, &keys).await?;
            for key in keys {
                let place = self.place_of(endpoint, key);
                let Some(kept) = rows.read(&place.name).await? else {
                    continue;
                };
                verified.rows += 1;
                let columns = &served.description.columns;
                let expected = found.get(&place.key);
                if expected == Some(&columns.read_fields(kept.fields())) {
                    continue;
                }
                match expected {
                    None => {
                        verified.gone += 1;
                        rows.rewrite(&place.name, None, false).await?;
                    }
                    Some(_) => {
                        verified.different += 1;
                        self.fill_patiently(rows, endpoint, std::slice::from_ref(&place.key))
                            .await?;
                    }
                }
            }
            checked(verified.rows);
        }
        Ok(verified)
    }

    /// The rows of these keys, read as misses are: many in a statement.
    async fn read_all(
        &self,
        endpoint: usize,
        keys: &[Key],
    ) -> Result<HashMap<Key, Row>, SourceError> {
        let mut all = HashMap::with_capacity(keys.len());
        for part in keys.chunks(PAGE) {
            let reads = part
                .iter()
                .map(|key| self.shared.reader.read(endpoint, key.clone()));
            for (key, found) in part.iter().zip(join_all(reads).await) {
                if let Some(row) = found.map_err(SourceError::Shared)? {
                    all.insert(key.clone(), row);
                }
            }
        }
        Ok(all)
    }

    fn rows_in_redis(&self, endpoint: usize) -> Result<&Rows, UpkeepError> {
        self.shared
            .rows
            .as_ref()
            .ok_or_else(|| UpkeepError::Endpoint {
                path: self.shared.endpoints[endpoint].spec.path.clone(),
                problem: "there is no Redis; name one as origin.redis",
            })
    }

    async fn rewrite_keys(
        &self,
        rows: &Rows,
        endpoint: usize,
        keys: &[Key],
    ) -> Result<(), RewriteError> {
        let read_at = self.now();
        let found = self.read_all(endpoint, keys).await?;
        let columns = &self.shared.endpoints[endpoint].description.columns;
        let mut writes = Vec::with_capacity(keys.len());
        for key in keys {
            let place = self.place_of(endpoint, key.clone());
            let row = found.get(key).map(|row| {
                let kept = self.kept(&place, &self.answer(&place, row, read_at));
                (columns.fields(row).collect(), kept)
            });
            writes.push(async move { rows.rewrite(&place.name, row, false).await });
        }
        let mut writes = stream::iter(writes).buffer_unordered(WRITES);
        while let Some(written) = writes.next().await {
            written.map_err(RewriteError::Redis)?;
        }
        Ok(())
    }
}

impl Rewrite for Origin {
    async fn rewrite(&self, table: &str, keys: Option<&[Key]>) -> Result<(), RewriteError> {
        let Some(rows) = &self.shared.rows else {
            return Ok(());
        };
        for endpoint in self.over(table) {
            if let Some(keys) = keys {
                self.rewrite_keys(rows, endpoint, keys).await?;
                continue;
            }
            // All of the table's: those that Redis has.
            let served = &self.shared.endpoints[endpoint];
            let mut scan = rows
                .scan(&served.spec.prefix)
                .await
                .map_err(RewriteError::Redis)?;
            while let Some(names) = scan.next().await.map_err(RewriteError::Redis)? {
                let keys = names
                    .iter()
                    .filter_map(|name| served.description.key.printed(name));
                self.rewrite_keys(rows, endpoint, &keys.collect::<Vec<_>>())
                    .await?;
            }
        }
        Ok(())
    }
}
