//! Filling Redis before a send.

use futures_util::{Stream, StreamExt, TryStreamExt, stream};

use super::fill::Filling;
use super::pages::Pages;
use super::patience::Retries;
use super::{Origin, PAGE, PAGES, UpkeepError};
use crate::endpoint::Content;
use crate::key::Key;
use crate::source::{Printed, SourceError, read_after, read_first};

/// What filling Redis has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Warmed {
    /// Rows that are in.
    pub rows: u64,
    /// Pages that Redis or the source had to be asked for again.
    pub retried: u64,
}

impl Origin {
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
    /// many so far. Begun again, it puts all of them in again.
    ///
    /// # Errors
    /// When the source or Redis fails for longer than a minute, or the endpoint is a query, whose keys
    /// nobody knows.
    pub async fn warm(
        &self,
        endpoint: usize,
        mut written: impl FnMut(u64),
    ) -> Result<Warmed, UpkeepError> {
        let served = &self.shared.endpoints[endpoint];
        let Content::Table { name, .. } = &served.spec.content else {
            return Err(UpkeepError::Endpoint {
                path: served.spec.path.clone(),
                problem: "a query's keys are not known, so it cannot be warmed",
            });
        };
        let (pages, retries) = (Pages::of(self), Retries::default());
        let filling = Filling {
            rows: self.rows_in_redis(endpoint)?,
            pages: &pages,
            retries: &retries,
        };
        let keys = Keys {
            pages: &pages,
            retries: &retries,
            path: &served.spec.path,
            first: read_first(name, &served.spec.key),
            after: read_after(name, &served.spec.key),
        };
        let filling = &filling;
        let filled = keys
            .all()
            .map_ok(|page| async move { self.fill_page(filling, endpoint, &page).await })
            .try_buffered(PAGES);
        let mut filled = std::pin::pin!(filled);
        let mut rows = 0;
        while let Some(page) = filled.next().await {
            rows += page?;
            written(rows);
        }
        let retried = retries.count();
        Ok(Warmed { rows, retried })
    }
}

/// The keys of a table, in order.
struct Keys<'a> {
    pages: &'a Pages,
    retries: &'a Retries,
    path: &'a str,
    first: String,
    after: String,
}

impl<'a> Keys<'a> {
    fn all(self) -> impl Stream<Item = Result<Vec<Key>, UpkeepError>> + Send + 'a {
        stream::try_unfold((self, None), |(keys, last)| async move {
            let page = keys.next(last.as_ref()).await?;
            let last = page.last().cloned();
            Ok(last.map(|last| (page, (keys, Some(last)))))
        })
    }

    /// The page after this key; empty after the last.
    async fn next(&self, last: Option<&Key>) -> Result<Vec<Key>, UpkeepError> {
        let read = || async { self.read(last).await.map_err(UpkeepError::from) };
        self.retries.until_answered(read).await
    }

    async fn read(&self, last: Option<&Key>) -> Result<Vec<Key>, SourceError> {
        let connection = self.pages.connection().await?;
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let page = async {
            let client = connection.client();
            match last {
                None => client.query(&self.first, &[&limit]).await,
                Some(key) => {
                    client
                        .query(&self.after, &[&Printed::key(key), &limit])
                        .await
                }
            }
        };
        let page = connection.answer(self.path, page).await?;
        Ok(page.iter().map(|row| Key::printed(row.get(0))).collect())
    }
}
