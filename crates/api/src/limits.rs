//! Rate limits by workspace (GCRA): a steady rate and a burst.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use corkboard_core::id::WorkspaceId;
use governor::clock::{Clock, DefaultClock};
use governor::state::keyed::HashMapStateStore;
use governor::{Quota, RateLimiter};

/// A limit that each workspace has for itself. There are as many cells as there are workspaces.
pub(crate) struct WorkspaceLimit {
    limiter: Option<RateLimiter<WorkspaceId, HashMapStateStore<WorkspaceId>, DefaultClock>>,
    clock: DefaultClock,
}

impl WorkspaceLimit {
    /// `per_second` 0 means no limit.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        let limiter = NonZeroU32::new(per_second).map(|rate| {
            let burst = NonZeroU32::new(burst).unwrap_or(rate);
            RateLimiter::hashmap(Quota::per_second(rate).allow_burst(burst))
        });
        Self {
            limiter,
            clock: DefaultClock::default(),
        }
    }

    /// Counts a request; the error is how long to wait for the next one.
    pub(crate) fn check(&self, workspace: WorkspaceId) -> Result<(), Duration> {
        let Some(limiter) = &self.limiter else {
            return Ok(());
        };
        limiter
            .check_key(&workspace)
            .map_err(|early| early.wait_time_from(self.clock.now()))
    }
}

impl fmt::Debug for WorkspaceLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkspaceLimit")
            .field("limited", &self.limiter.is_some())
            .finish()
    }
}
