//! Comparing Redis with the source.

use futures_util::{StreamExt, TryStreamExt};

use super::fill::Filling;
use super::look::KeyPage;
use super::pages::{Found as Expected, Pages};
use super::patience::Retries;
use super::{Origin, PAGES, Place, UpkeepError};
use crate::hooks::tell;
use crate::key::Key;
use crate::rows::Found;

/// What a comparison of Redis with the source has found. A row that is only in the source is no
/// finding: it comes when it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Verified {
    /// Rows in Redis; when it had to begin again, those of the last look.
    pub rows: u64,
    /// Of them, those that the source has otherwise: put right.
    pub different: u64,
    /// Those that would stay for longer than their `ttl`: it was set.
    pub overlong: u64,
    /// Those that the source has not: removed.
    pub gone: u64,
    /// Pages that Redis or the source had to be asked for again.
    pub retried: u64,
    /// How often it began again, because Redis had started again meanwhile.
    pub begun_again: u64,
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
    /// differs; where there is a journal, origins hear of it. `checked` hears how many so far.
    ///
    /// # Errors
    /// When the source or Redis fails for longer than a minute.
    pub async fn verify(
        &self,
        endpoint: usize,
        mut checked: impl FnMut(u64),
    ) -> Result<Verified, UpkeepError> {
        let (pages, retries) = (Pages::of(self), Retries::default());
        let filling = Filling {
            rows: self.rows_in_redis(endpoint)?,
            pages: &pages,
            retries: &retries,
        };
        let keys = self.keys_in_redis(filling.rows, endpoint, &retries);
        let compared = keys
            .map_err(UpkeepError::from)
            .map_ok(|page| self.verify_page(&filling, endpoint, page))
            .try_buffered(PAGES);
        let mut compared = std::pin::pin!(compared);
        let mut verified = Verified::default();
        while let Some(page) = compared.next().await {
            let page = page?;
            if page.begun_again > 0 {
                verified.rows = 0;
            }
            verified.rows += page.rows;
            verified.different += page.different;
            verified.overlong += page.overlong;
            verified.gone += page.gone;
            verified.begun_again += page.begun_again;
            checked(verified.rows);
        }
        verified.retried = retries.count();
        Ok(verified)
    }

    async fn verify_page(
        &self,
        filling: &Filling<'_>,
        endpoint: usize,
        page: KeyPage,
    ) -> Result<Verified, UpkeepError> {
        let mut verified = Verified {
            begun_again: page.begins_again.into(),
            ..Verified::default()
        };
        // Redis first: what is put in meanwhile is not older than what is read then.
        let kept = self.kept_of(filling, endpoint, &page.keys).await?;
        let keys: Vec<Key> = kept.iter().map(|(place, _)| place.key.clone()).collect();
        let expected = self.expected_of(filling, endpoint, &keys).await?;
        let (mut wrong, mut gone, mut gone_keys) = (Vec::new(), Vec::new(), Vec::new());
        for (place, kept) in kept {
            verified.rows += 1;
            match self.judge(&place, &kept, &expected) {
                Finding::Fine => continue,
                Finding::Different => verified.different += 1,
                Finding::Overlong => verified.overlong += 1,
                Finding::Gone => {
                    verified.gone += 1;
                    gone.push(place.name);
                    gone_keys.push(place.key);
                    continue;
                }
            }
            wrong.push(place.key);
        }
        let remove = || filling.rows.remove_many(&gone);
        filling.retries.until_answered(remove).await?;
        self.fill_page(filling, endpoint, &wrong).await?;
        wrong.extend(gone_keys);
        self.tell_of(filling, endpoint, &wrong).await?;
        Ok(verified)
    }

    /// Whoever has read a wrong row from Redis has it in memory.
    async fn tell_of(
        &self,
        filling: &Filling<'_>,
        endpoint: usize,
        keys: &[Key],
    ) -> Result<(), UpkeepError> {
        let table = &self.shared.endpoints[endpoint].description.table;
        let Some(table) = table.as_deref().filter(|_| !keys.is_empty()) else {
            return Ok(());
        };
        let told = || async {
            let connection = filling.pages.connection().await?;
            Ok(tell(&connection, table, keys).await?)
        };
        filling.retries.until_answered(told).await
    }

    /// What Redis has of these keys.
    async fn kept_of(
        &self,
        filling: &Filling<'_>,
        endpoint: usize,
        keys: &[Key],
    ) -> Result<Vec<(Place, Found)>, UpkeepError> {
        let places = self.places(endpoint, keys);
        let names: Vec<_> = places.iter().map(|place| place.name.clone()).collect();
        let read = || filling.rows.read_many(&names);
        let found = filling.retries.until_answered(read).await?;
        let found = places.into_iter().zip(found);
        Ok(found
            .filter_map(|(place, found)| Some((place, found?)))
            .collect())
    }

    /// What the source has of them.
    async fn expected_of(
        &self,
        filling: &Filling<'_>,
        endpoint: usize,
        keys: &[Key],
    ) -> Result<Expected, UpkeepError> {
        let read = || self.read_any(filling.pages, endpoint, keys, filling.retries);
        filling.retries.until_answered(read).await
    }

    fn judge(&self, place: &Place, kept: &Found, expected: &Expected) -> Finding {
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
