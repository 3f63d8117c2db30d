//! Many rows at once: rewriting what has changed, filling Redis beforehand, comparing it with the
//! source.
//!
//! Whoever writes a row to Redis that was read a moment ago may be overtaken by a change. The
//! applier need not care, for the change comes to it again; warming and repairing write under a lease
//! that the applier voids.

mod fill;
mod look;
mod pages;
mod patience;
mod rewrite;
mod verify;
mod warm;

use corkboard_cache::CallError;

use super::{Origin, Place};
use crate::key::Key;
use crate::rows::Rows;
use crate::source::SourceError;
pub use verify::Verified;
pub use warm::Warmed;

/// Rows read and written in one go.
const PAGE: usize = 1_000;
/// Pages under way at a time: while the source reads one, Redis takes another.
const PAGES: usize = 3;

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

    /// Of those rows that have a name in Redis.
    fn places(&self, endpoint: usize, keys: &[Key]) -> Vec<Place> {
        let places = keys.iter().map(|key| self.place_of(endpoint, key.clone()));
        places.filter(|place| place.in_redis).collect()
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
