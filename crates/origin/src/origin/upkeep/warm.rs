//! Filling Redis before a send.

use super::{Origin, PAGE, UpkeepError};
use crate::endpoint::Content;
use crate::key::Key;
use crate::source::{KeyText, SourceError, read_after, read_first};

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
}
