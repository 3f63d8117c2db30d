//! Cards that could not be made are not tried again at every read: a template that aborts or an
//! endpoint that fails must not cost each time.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use corkboard_core::id::DispatchId;
use corkboard_core::user::UserId;
use tokio::time::Instant;

/// When it is full of recent ones, all are forgotten: trying again early is harmless.
const MOST: usize = 20_000;

/// Remembers for a while who could not be given a card of which dispatch.
#[derive(Debug)]
pub(super) struct GivenUp {
    retry_after: Duration,
    since: Mutex<HashMap<(DispatchId, UserId), Instant>>,
}

impl GivenUp {
    pub(super) fn new(retry_after: Duration) -> Self {
        Self {
            retry_after,
            since: Mutex::default(),
        }
    }

    pub(super) fn add(&self, dispatch: DispatchId, user: &UserId) {
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.len() >= MOST {
            since.retain(|_, at| at.elapsed() < self.retry_after);
        }
        if since.len() >= MOST {
            since.clear();
        }
        since.insert((dispatch, user.clone()), Instant::now());
    }

    pub(super) fn holds(&self, dispatch: DispatchId, user: &UserId) -> bool {
        let since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.is_empty() {
            return false;
        }
        since
            .get(&(dispatch, user.clone()))
            .is_some_and(|at| at.elapsed() < self.retry_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corkboard_core::id::Id;

    #[tokio::test(start_paused = true)]
    async fn a_failure_is_remembered_for_a_while_and_memory_stays_bounded() {
        let given_up = GivenUp::new(Duration::from_secs(60));
        let user = |n: usize| UserId::parse(format!("u-{n}")).unwrap();
        let dispatch = DispatchId::from_bytes([1; 16]);
        given_up.add(dispatch, &user(0));
        assert!(given_up.holds(dispatch, &user(0)));
        assert!(!given_up.holds(DispatchId::from_bytes([2; 16]), &user(0)));
        tokio::time::advance(Duration::from_secs(61)).await;
        assert!(!given_up.holds(dispatch, &user(0)));
        for n in 0..MOST * 2 {
            given_up.add(dispatch, &user(n));
        }
        assert!(given_up.since.lock().unwrap().len() <= MOST);
        assert!(given_up.holds(dispatch, &user(MOST * 2 - 1)));
    }
}
