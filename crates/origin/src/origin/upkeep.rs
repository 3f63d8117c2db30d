//! Many rows at once: rewriting what has changed, filling Redis beforehand, comparing it with the
//! source.
//!
//! Whoever writes a row to Redis that was read a moment ago may be overtaken by a change. The
//! applier need not care, for the change comes to it again; warming and repairing write under a lease
//! that the applier voids.

mod rewrite;
mod verify;
mod warm;

use std::collections::HashMap;
use std::time::Duration;

use corkboard_cache::CallError;
use futures_util::future::join_all;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;

use super::{Origin, Place};
use crate::key::Key;
use crate::row::Row;
use crate::rows::{Lease, Rows};
use crate::source::SourceError;
pub use verify::Verified;

/// Rows read and written in one go.
const PAGE: usize = 1_000;
/// Calls to Redis under way at a time.
const CALLS: usize = 64;
/// What was not done is tried again so often, after a pause: leases of others must end first.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// Asks Redis again when it is late: what was done of so many rows is not to be done again for one.
async fn patiently<T, F>(call: impl Fn() -> F) -> Result<T, CallError>
where
    F: Future<Output = Result<T, CallError>>,
{
    let mut tries = 0;
    loop {
        match call().await {
            Err(error) if tries < TRIES => {
                tracing::debug!(%error, "redis is late: once more");
                tries += 1;
                sleep(PAUSE).await;
            }
            outcome => return outcome,
        }
    }
}

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

impl Origin {
    /// The endpoints' paths, in order.
    #[must_use]
    pub fn paths(&self) -> Vec<&str> {
        let endpoints = self.shared.endpoints.iter();
        endpoints
            .map(|endpoint| endpoint.spec.path.as_str())
            .collect()
    }

    /// Puts rows into Redis under leases; again, when others hold leases: they may be about to put
    /// the row in, or gone. How many rows there are.
    async fn fill_patiently(
        &self,
        rows: &Rows,
        endpoint: usize,
        keys: &[Key],
    ) -> Result<u64, UpkeepError> {
        let (mut keys, mut count, mut tries) = (keys.to_vec(), 0, 0);
        loop {
            let (filled, left) = self.fill_all(rows, endpoint, &keys).await?;
            count += filled;
            if left.is_empty() || tries == TRIES {
                return Ok(count);
            }
            keys = left;
            tries += 1;
            sleep(PAUSE).await;
        }
    }

    /// Reads rows under leases and puts them into Redis; how many rows were done, and the keys that
    /// were not, because others have their leases or ours have ended.
    async fn fill_all(
        &self,
        rows: &Rows,
        endpoint: usize,
        keys: &[Key],
    ) -> Result<(u64, Vec<Key>), UpkeepError> {
        let leases = stream::iter(keys.to_vec()).map(|key| async {
            let place = self.place_of(endpoint, key);
            let lease = patiently(|| rows.lease(&place.name, self.lease())).await?;
            Ok::<_, CallError>((place, lease))
        });
        let answers: Vec<_> = leases.buffer_unordered(CALLS).try_collect().await?;
        let (mut leased, mut left) = (Vec::<(Place, Lease)>::new(), Vec::new());
        for (place, lease) in answers {
            match lease {
                Some(lease) => leased.push((place, lease)),
                None => left.push(place.key),
            }
        }
        let keys: Vec<Key> = leased.iter().map(|(place, _)| place.key.clone()).collect();
        let read_at = self.now();
        let found = self.read_all(endpoint, &keys).await?;
        let columns = &self.shared.endpoints[endpoint].description.columns;
        let writes = stream::iter(leased).map(|(place, lease)| {
            let row = found.get(&place.key);
            async move {
                let Some(row) = row else {
                    rows.release(&lease).await;
                    return Ok(None);
                };
                let kept = self.kept(&place, &self.answer(&place, row, read_at));
                let fields = columns.fields(row).collect::<Vec<_>>();
                let can_be_in = !fields.is_empty();
                let is_in = patiently(|| rows.fill(&lease, fields.iter().copied(), &kept)).await?;
                // The lease was voided by a change, or is over because all went slowly.
                Ok::<_, CallError>((can_be_in && !is_in).then_some(place.key))
            }
        });
        let late: Vec<_> = writes.buffer_unordered(CALLS).try_collect().await?;
        let late: Vec<Key> = late.into_iter().flatten().collect();
        let filled = found.len() - late.len();
        left.extend(late);
        Ok((filled as u64, left))
    }

    /// The rows of these keys, read as misses are: many in a statement, behind the same bounds.
    async fn read_all(
        &self,
        endpoint: usize,
        keys: &[Key],
    ) -> Result<HashMap<Key, Row>, SourceError> {
        let mut all = HashMap::with_capacity(keys.len());
        for part in keys.chunks(PAGE) {
            let mut tries = 0;
            loop {
                let reads = part
                    .iter()
                    .map(|key| self.shared.reader.read(endpoint, key.clone()));
                let found: Result<Vec<_>, _> = join_all(reads).await.into_iter().collect();
                match found {
                    Ok(found) => {
                        let found = part.iter().cloned().zip(found);
                        all.extend(found.filter_map(|(key, row)| Some((key, row?))));
                        break;
                    }
                    // Readers go first.
                    Err(error) if matches!(*error, SourceError::Overloaded) && tries < TRIES => {
                        tries += 1;
                        sleep(PAUSE).await;
                    }
                    Err(error) => return Err(SourceError::Shared(error)),
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
}
