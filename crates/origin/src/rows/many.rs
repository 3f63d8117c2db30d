//! Many rows in one go.

use std::time::Duration;

use corkboard_cache::{CallError, HashWrite, Key as Name};

use super::{Found, Kept, Lease, Rows};

impl Rows {
    /// The rows that are there, in the order of the names.
    pub(crate) async fn read_many(&self, names: &[Name]) -> Result<Vec<Option<Found>>, CallError> {
        let rows = self.redis.hashes(names).await?;
        Ok(rows.into_iter().map(|row| row.map(Found::from)).collect())
    }

    /// Leases in the order of the names; `None` where somebody else has it.
    pub(crate) async fn lease_many(
        &self,
        names: &[Name],
        lease: Duration,
    ) -> Result<Vec<Option<Lease>>, CallError> {
        self.redis.lease_hashes(names, lease).await
    }

    /// For each, whether it is in: not when it was rewritten since the lease was given. A row has a
    /// field that is not NULL.
    pub(crate) async fn fill_many(
        &self,
        rows: &[(&Lease, HashWrite<'_>)],
    ) -> Result<Vec<bool>, CallError> {
        self.redis.fill_hashes(rows).await
    }

    /// Voids the leases of whoever is reading these rows; for each, whether it is there. What outlives
    /// a row that is not there goes, too.
    pub(crate) async fn void_many(&self, names: &[Name]) -> Result<Vec<bool>, CallError> {
        self.redis.void_hashes(names).await
    }

    /// Puts rows in place of those that are there; voids leases. A row has a field that is not NULL.
    pub(crate) async fn rewrite_many(
        &self,
        rows: &[(&Name, HashWrite<'_>)],
    ) -> Result<(), CallError> {
        self.redis.rewrite_hashes(rows).await
    }

    /// Takes rows away, and what lies beside them.
    pub(crate) async fn remove_many(&self, names: &[Name]) -> Result<(), CallError> {
        self.redis.remove_hashes(names).await
    }
}

impl Kept {
    /// A row with these fields, to be kept so.
    pub(crate) fn with<'a>(&self, fields: Vec<(&'a str, &'a str)>) -> HashWrite<'a> {
        HashWrite {
            fields,
            kept: self.for_redis(),
        }
    }
}
