//! Comparing Redis with the source.

use std::collections::HashMap;

use corkboard_cache::CallError;
use futures_util::{StreamExt, TryStreamExt, stream};

use super::{CALLS, Origin, Place, UpkeepError, patiently};
use crate::key::Key;
use crate::row::Row;
use crate::rows::{Found, Rows};

/// What a comparison of Redis with the source has found. A row that is only in the source is no
/// finding: it comes when it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Rows in Redis.
    pub rows: u64,
    /// Of them, those that the source has otherwise: put right.
    pub different: u64,
    /// Those that would stay for longer than their `ttl`: it was set.
    pub overlong: u64,
    /// Those that the source has not: removed.
    pub gone: u64,
}

/// What is wrong with a row in Redis.
enum Finding {
    Fine,
    Different,
    Overlong,
    Gone,
}

impl Origin {
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
            // Redis first: what is put in meanwhile is not older than what is read then.
            let kept = self.kept_of(rows, endpoint, keys).await?;
            let keys: Vec<Key> = kept.iter().map(|(place, _)| place.key.clone()).collect();
            let expected = self.read_all(endpoint, &keys).await?;
            let mut wrong = Vec::new();
            for (place, kept) in kept {
                verified.rows += 1;
                match self.judge(&place, &kept, &expected) {
                    Finding::Fine => continue,
                    Finding::Different => verified.different += 1,
                    Finding::Overlong => verified.overlong += 1,
                    Finding::Gone => {
                        verified.gone += 1;
                        patiently(|| rows.rewrite(&place.name, None, false)).await?;
                        continue;
                    }
                }
                wrong.push(place.key);
            }
            self.fill_patiently(rows, endpoint, &wrong).await?;
            checked(verified.rows);
        }
        Ok(verified)
    }

    /// What Redis has of these keys.
    async fn kept_of(
        &self,
        rows: &Rows,
        endpoint: usize,
        keys: Vec<Key>,
    ) -> Result<Vec<(Place, Found)>, CallError> {
        let reads = stream::iter(keys).map(|key| async {
            let place = self.place_of(endpoint, key);
            let found = patiently(|| rows.read(&place.name)).await?;
            Ok::<_, CallError>(found.map(|found| (place, found)))
        });
        let found: Vec<_> = reads.buffer_unordered(CALLS).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    fn judge(&self, place: &Place, kept: &Found, expected: &HashMap<Key, Row>) -> Finding {
        let columns = &self.shared.endpoints[place.endpoint].description.columns;
        match expected.get(&place.key) {
            None => Finding::Gone,
            Some(row) if *row != columns.read_fields(kept.fields()) => Finding::Different,
            // Without an end it is taken for new for ever.
            Some(_) if kept.left.is_none_or(|left| left > self.ttl(place)) => Finding::Overlong,
            Some(_) => Finding::Fine,
        }
    }
}
