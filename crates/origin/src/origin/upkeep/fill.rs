//! Filling a page of rows under leases, as a reader fills one.

use std::time::Duration;

use tokio::time::sleep;

use super::pages::Pages;
use super::patience::Retries;
use super::{Origin, Place, UpkeepError};
use crate::key::Key;
use crate::rows::{Lease, Rows};

/// Rows whose leases others have are tried again so often, after a pause: those may be about to put the
/// row in, or gone, and then their leases end.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(500);

/// What filling takes.
#[derive(Debug)]
pub(super) struct Filling<'a> {
    pub(super) rows: &'a Rows,
    pub(super) pages: &'a Pages,
    pub(super) retries: &'a Retries,
}

impl Origin {
    /// Puts rows into Redis; how many the source has.
    pub(super) async fn fill_page(
        &self,
        filling: &Filling<'_>,
        endpoint: usize,
        keys: &[Key],
    ) -> Result<u64, UpkeepError> {
        let (mut keys, mut count, mut tries) = (keys.to_vec(), 0, 0);
        let mut attempt = filling.retries.begin();
        while !keys.is_empty() {
            match self.fill_once(filling, endpoint, &keys).await {
                Ok((filled, left)) => {
                    count += filled;
                    keys = left;
                    if keys.is_empty() || tries == TRIES {
                        break;
                    }
                    tries += 1;
                    sleep(PAUSE).await;
                }
                // A lease is of one time of Redis's life: the page begins with new ones.
                Err(error) => attempt.again(error).await?,
            }
        }
        Ok(count)
    }

    /// How many rows were done, and the keys that were not, because others have their leases or ours
    /// have ended.
    async fn fill_once(
        &self,
        filling: &Filling<'_>,
        endpoint: usize,
        keys: &[Key],
    ) -> Result<(u64, Vec<Key>), UpkeepError> {
        let (rows, places) = (filling.rows, self.places(endpoint, keys));
        let names: Vec<_> = places.iter().map(|place| place.name.clone()).collect();
        let leases = rows.lease_many(&names, self.lease()).await?;
        let (mut leased, mut left) = (Vec::<(Place, Lease)>::new(), Vec::new());
        for (place, lease) in places.into_iter().zip(leases) {
            match lease {
                Some(lease) => leased.push((place, lease)),
                None => left.push(place.key),
            }
        }
        let keys: Vec<Key> = leased.iter().map(|(place, _)| place.key.clone()).collect();
        let read_at = self.now();
        let reading = self.read_any(filling.pages, endpoint, &keys, filling.retries);
        let found = reading.await?;
        let columns = &self.shared.endpoints[endpoint].description.columns;
        let (mut writes, mut written) = (Vec::with_capacity(found.len()), Vec::new());
        for (place, lease) in &leased {
            let row = found.get(&place.key);
            let fields = row.map(|row| (row, columns.fields(row).collect::<Vec<_>>()));
            match fields.filter(|(_, fields)| !fields.is_empty()) {
                Some((row, fields)) => {
                    let kept = self.kept(place, &self.answer(place, row, read_at));
                    writes.push((lease, kept.with(fields)));
                    written.push(&place.key);
                }
                // No row, or one of NULLs alone, for which Redis has no hash.
                None => rows.release(lease),
            }
        }
        let are_in = rows.fill_many(&writes).await?;
        // A lease was voided by a change, or is over because all went slowly.
        let late = written.into_iter().zip(are_in).filter(|(_, is_in)| !is_in);
        let late: Vec<Key> = late.map(|(key, _)| key.clone()).collect();
        let filled = found.len() - late.len();
        left.extend(late);
        Ok((filled as u64, left))
    }
}
