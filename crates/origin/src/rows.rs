//! Rows in Redis, in the layout that is public: a hash for each row, a field for each column.
//!
//! The name is the endpoint's prefix and the key's value. Beside it, under names of our own: the
//! *lease* of whoever is reading the row from the source, and the *last* body that was read, which
//! outlives the hash for when the source is down.

mod many;

use std::time::Duration;

use bytes::Bytes;
use corkboard_cache::{
    CallError, HashKept, HashLease, HashLeased, HashLooked, HashRow, HashScan, Key as Name, Redis,
};
use corkboard_core::time::Timestamp;

/// The rows of all endpoints. Clones share the connections.
#[derive(Debug, Clone)]
pub struct Rows {
    redis: Redis,
}

/// The right to fill one row.
pub(crate) type Lease = HashLease;

/// A row that is there.
#[derive(Debug)]
pub(crate) struct Found {
    row: HashRow,
    /// How long it will be; `None`: for ever.
    pub(crate) left: Option<Duration>,
}

/// How a row is kept.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) lifetime: Duration,
    /// How long the body outlives it.
    pub(crate) last: Duration,
    pub(crate) body: Bytes,
    pub(crate) read_at: Timestamp,
}

impl From<HashRow> for Found {
    fn from(row: HashRow) -> Self {
        Self {
            left: row.left,
            row,
        }
    }
}

impl Found {
    /// Fields that are no UTF-8 are nobody's columns.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, &str)> {
        self.row.fields.iter().filter_map(|(name, value)| {
            Some((
                std::str::from_utf8(name).ok()?,
                std::str::from_utf8(value).ok()?,
            ))
        })
    }
}

impl Rows {
    /// Rows in this Redis.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        Self { redis }
    }

    /// Whether Redis has answered, and taken writes, within the last second.
    pub(crate) fn are_there(&self) -> bool {
        self.redis.is_trusted()
    }

    pub(crate) async fn read(&self, name: &Name) -> Result<Option<Found>, CallError> {
        let row = self.redis.hash(name).await?;
        Ok(row.map(Found::from))
    }

    /// Whether most rows are not there: then [`Rows::look`] is better than [`Rows::read`] for whoever
    /// would go on to the source.
    pub(crate) fn are_cold(&self) -> bool {
        self.redis.is_cold()
    }

    /// The row, or else the lease on it.
    pub(crate) async fn look(&self, name: &Name, lease: Duration) -> Result<HashLooked, CallError> {
        self.redis.look_at_hash(name, lease).await
    }

    pub(crate) async fn lease(
        &self,
        name: &Name,
        lease: Duration,
    ) -> Result<HashLeased, CallError> {
        self.redis.lease_hash(name, lease).await
    }

    pub(crate) fn release(&self, lease: &Lease) {
        self.redis.release_hash_later(lease);
    }

    /// Does not wait for it. It is not in when the row was rewritten since the lease was given, nor when
    /// it has nothing but NULLs, for which Redis has no hash.
    pub(crate) fn fill<'a>(
        &self,
        lease: &Lease,
        fields: impl Iterator<Item = (&'a str, &'a str)>,
        kept: &Kept,
    ) {
        let fields: Vec<_> = fields.collect();
        if fields.is_empty() {
            self.release(lease);
        } else {
            self.redis
                .fill_hash_later(lease, &fields, &kept.for_redis());
        }
    }

    /// Looks through the names with this prefix, a page at a time.
    pub(crate) fn scan(&self, prefix: &str) -> Scan {
        Scan {
            scan: self.redis.scan_hashes(prefix.as_bytes()),
            prefix: prefix.len(),
        }
    }

    /// The last body that was read from the source, and when.
    pub(crate) async fn last(&self, name: &Name) -> Option<(Timestamp, Bytes)> {
        let kept = self.redis.last_of_hash(name).await.ok()??;
        let (millis, body) = kept.split_first_chunk::<8>()?;
        let read_at = Timestamp::from_millis(i64::from_be_bytes(*millis));
        Some((read_at, Bytes::copy_from_slice(body)))
    }
}

/// A look through names.
#[derive(Debug)]
pub(crate) struct Scan {
    scan: HashScan,
    prefix: usize,
}

/// Some names without their prefix, possibly none.
#[derive(Debug)]
pub(crate) struct NamePage {
    pub(crate) names: Vec<String>,
    /// All names come once more.
    pub(crate) begins_again: bool,
}

impl Scan {
    /// The next names; `None` after the last. A name may come twice. After a failure it goes on.
    pub(crate) async fn next(&mut self) -> Result<Option<NamePage>, CallError> {
        let Some(page) = self.scan.next().await? else {
            return Ok(None);
        };
        let names = page.names.into_iter().filter_map(|name| {
            let key = name.get(self.prefix..)?;
            String::from_utf8(key.to_vec()).ok()
        });
        Ok(Some(NamePage {
            names: names.collect(),
            begins_again: page.begins_again,
        }))
    }
}

impl Kept {
    fn for_redis(&self) -> HashKept {
        let millis = self.read_at.as_millis().to_be_bytes();
        HashKept {
            lifetime: self.lifetime,
            last: [&millis[..], &self.body].concat(),
            last_lifetime: if self.last.is_zero() {
                Duration::ZERO
            } else {
                self.lifetime + self.last
            },
        }
    }
}
