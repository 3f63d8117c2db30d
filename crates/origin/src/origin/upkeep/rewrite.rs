//! Rewriting what has changed: the applier's part.

use corkboard_cache::CallError;
use corkboard_core::story::story;
use futures_util::{TryStreamExt, stream};
use tokio::time::sleep;

use super::patience::Retries;
use super::{Origin, PAGE, PAGES, Place};
use crate::hooks::{Rewrite, RewriteError};
use crate::key::Key;
use crate::rows::Rows;
use crate::source::Connection;

impl Rewrite for Origin {
    async fn rewrite(
        &self,
        source: &Connection,
        table: &str,
        keys: Option<&[Key]>,
    ) -> Result<(), RewriteError> {
        let Some(rows) = &self.shared.rows else {
            return Ok(());
        };
        let task = Rewriting {
            origin: self,
            rows,
            source,
            retries: Retries::default(),
        };
        for endpoint in self.over(table) {
            match keys {
                Some(keys) => task.some(endpoint, keys).await?,
                None => {
                    task.all(endpoint).await?;
                    // A row that was read before the change may be put in behind our back, as long
                    // as its lease holds; which leases there are is not known.
                    sleep(self.lease()).await;
                    task.all(endpoint).await?;
                }
            }
        }
        Ok(())
    }

    fn tables(&self) -> Vec<String> {
        Self::tables(self)
    }
}

struct Rewriting<'a> {
    origin: &'a Origin,
    rows: &'a Rows,
    source: &'a Connection,
    retries: Retries,
}

impl Rewriting<'_> {
    async fn some(&self, endpoint: usize, keys: &[Key]) -> Result<(), RewriteError> {
        let pages = stream::iter(keys.chunks(PAGE).map(Ok));
        pages
            .try_for_each_concurrent(PAGES, |page| self.page(endpoint, page))
            .await
    }

    /// Everything that Redis has of an endpoint.
    async fn all(&self, endpoint: usize) -> Result<(), RewriteError> {
        let pages = self
            .origin
            .keys_in_redis(self.rows, endpoint, &self.retries);
        pages
            .map_err(RewriteError::from)
            .try_for_each_concurrent(PAGES, |page| async move {
                self.page(endpoint, &page.keys).await
            })
            .await
    }

    async fn page(&self, endpoint: usize, keys: &[Key]) -> Result<(), RewriteError> {
        let there = self.void(endpoint, keys).await?;
        let keys: Vec<Key> = there.iter().map(|place| place.key.clone()).collect();
        let read_at = self.origin.now();
        let found = match self.origin.read_page(self.source, endpoint, &keys).await {
            Ok(found) => found,
            Err(error) if error.is_passing() => return Err(error.into()),
            // The table is not as it was. What cannot be read cannot be kept either, and other
            // tables' changes must not wait for an operator.
            Err(error) => {
                let error = story(&error);
                tracing::error!(error, "changed rows cannot be read: they leave Redis");
                Default::default()
            }
        };
        let columns = &self.origin.shared.endpoints[endpoint].description.columns;
        let write = |place: &Place| {
            let row = found.get(&place.key)?;
            let fields = columns.fields(row).collect::<Vec<_>>();
            let answer = self.origin.answer(place, row, read_at);
            // Of NULLs alone: a hash without fields is none.
            (!fields.is_empty()).then(|| self.origin.kept(place, &answer).with(fields))
        };
        let (mut writes, mut gone) = (Vec::with_capacity(there.len()), Vec::new());
        for place in &there {
            match write(place) {
                Some(row) => writes.push((&place.name, row)),
                None => gone.push(place.name.clone()),
            }
        }
        let write = || async {
            self.rows.remove_many(&gone).await?;
            self.rows.rewrite_many(&writes).await
        };
        Ok(self.retries.until_answered(write).await?)
    }

    /// Leases go first: whoever read the old row cannot put it in any more. What Redis does not have
    /// need not be read.
    async fn void(&self, endpoint: usize, keys: &[Key]) -> Result<Vec<Place>, CallError> {
        let places = self.origin.places(endpoint, keys);
        let names: Vec<_> = places.iter().map(|place| place.name.clone()).collect();
        let void = || self.rows.void_many(&names);
        let are_there = self.retries.until_answered(void).await?;
        let there = places.into_iter().zip(are_there);
        Ok(there
            .filter_map(|(place, is)| is.then_some(place))
            .collect())
    }
}
