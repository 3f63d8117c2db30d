//! Rewriting what has changed: the applier's part.

use corkboard_cache::CallError;
use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;

use super::{CALLS, Origin, PAGE, Place, patiently};
use crate::hooks::{Rewrite, RewriteError};
use crate::key::Key;
use crate::rows::Rows;

impl Rewrite for Origin {
    async fn rewrite(&self, table: &str, keys: Option<&[Key]>) -> Result<(), RewriteError> {
        let Some(rows) = &self.shared.rows else {
            return Ok(());
        };
        for endpoint in self.over(table) {
            match keys {
                Some(keys) => {
                    for page in keys.chunks(PAGE) {
                        self.rewrite_keys(rows, endpoint, page).await?;
                    }
                }
                None => {
                    self.rewrite_all(rows, endpoint).await?;
                    // A row that was read before the change may be put in behind our back, as long
                    // as its lease holds; which leases there are is not known.
                    sleep(self.lease()).await;
                    self.rewrite_all(rows, endpoint).await?;
                }
            }
        }
        Ok(())
    }
}

impl Origin {
    /// Everything that Redis has of an endpoint.
    async fn rewrite_all(&self, rows: &Rows, endpoint: usize) -> Result<(), RewriteError> {
        let served = &self.shared.endpoints[endpoint];
        let mut scan = rows.scan(&served.spec.prefix).await?;
        while let Some(names) = scan.next().await? {
            let keys = names
                .iter()
                .filter_map(|name| served.description.key.printed(name));
            let keys: Vec<Key> = keys.collect();
            self.rewrite_keys(rows, endpoint, &keys).await?;
        }
        Ok(())
    }

    async fn rewrite_keys(
        &self,
        rows: &Rows,
        endpoint: usize,
        keys: &[Key],
    ) -> Result<(), RewriteError> {
        // Leases go first: whoever read the old row cannot put it in any more. What Redis does not
        // have need not be read.
        let voids = stream::iter(keys.to_vec()).map(|key| async {
            let place = self.place_of(endpoint, key);
            let is_there = patiently(|| rows.void(&place.name)).await?;
            Ok::<_, CallError>(is_there.then_some(place))
        });
        let there: Vec<_> = voids.buffer_unordered(CALLS).try_collect().await?;
        let there: Vec<Place> = there.into_iter().flatten().collect();
        let keys: Vec<Key> = there.iter().map(|place| place.key.clone()).collect();
        let read_at = self.now();
        let found = match self.read_all(endpoint, &keys).await {
            Ok(found) => Some(found),
            Err(error) if error.is_passing() => return Err(error.into()),
            // The table is not as it was. What cannot be read cannot be kept either, and other
            // tables' changes must not wait for an operator.
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(error, "changed rows cannot be read: they leave Redis");
                None
            }
        };
        let columns = &self.shared.endpoints[endpoint].description.columns;
        let writes = stream::iter(there).map(|place| {
            let row = found.as_ref().and_then(|found| found.get(&place.key));
            let row = row.map(|row| {
                let kept = self.kept(&place, &self.answer(&place, row, read_at));
                (columns.fields(row).collect::<Vec<_>>(), kept)
            });
            async move { patiently(|| rows.rewrite(&place.name, row.clone(), false)).await }
        });
        let writes = writes.buffer_unordered(CALLS);
        Ok(writes.try_for_each(|()| async { Ok(()) }).await?)
    }
}
