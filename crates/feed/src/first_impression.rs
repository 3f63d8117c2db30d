//! Cards that are made when their user opens the feed.
//!
//! A read waits for them, but not longer than its deadline; what is not ready goes on in a task of
//! its own and is in the next read. One user's cards are made by one task at a time, however many
//! devices read. Whether a card may be made is decided where it is written: two nodes that make the
//! same card write it once.

mod given_up;
mod make;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use corkboard_core::id::WorkspaceId;
use corkboard_core::user::UserId;
use corkboard_store::card_store::UserCards;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::feeds::Deps;
use crate::live::Live;
use crate::options::FeedOptions;
use given_up::GivenUp;

/// Makes cards at first impression. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct FirstImpressions {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    deps: Deps,
    options: FeedOptions,
    tasks: TaskTracker,
    closing: CancellationToken,
    permits: Arc<Semaphore>,
    flights: Mutex<HashMap<(WorkspaceId, UserId), Arc<Flight>>>,
    given_up: GivenUp,
}

/// One user's cards being made.
#[derive(Debug)]
struct Flight {
    /// What was in force when it began.
    live: Arc<Live>,
    landed: CancellationToken,
}

impl FirstImpressions {
    pub(crate) fn new(deps: Deps, options: FeedOptions) -> Self {
        let inner = Inner {
            deps,
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            permits: Arc::new(Semaphore::new(options.first_impression_users.max(1))),
            flights: Mutex::default(),
            given_up: GivenUp::new(options.first_impression_retry),
            options,
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Makes what the user is to be given now. Returns when it is made, or when a read has waited
    /// long enough; true if `rows`, what the user has, may have grown. What goes wrong is logged and
    /// absent from the feed.
    pub(crate) async fn make(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        live: &Arc<Live>,
        rows: &UserCards,
    ) -> bool {
        let work = self.ensure(workspace, user, live, rows);
        let deadline = self.inner.options.first_impression_deadline;
        timeout(deadline, work).await.unwrap_or_else(|_| {
            metrics::counter!("corkboard_feed_first_impressions_late_total").increment(1);
            true
        })
    }

    /// Gives up what is being made (the next read makes it) and waits for the tasks to end.
    pub(crate) async fn finish(&self) {
        self.inner.closing.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    async fn ensure(
        &self,
        workspace: WorkspaceId,
        user: &UserId,
        live: &Arc<Live>,
        rows: &UserCards,
    ) -> bool {
        // Most reads find that there is nothing to make: that costs no task.
        if self.inner.flying(workspace, user).is_none() {
            match self.inner.wanted(workspace, user, live, rows).await {
                Ok(None) => return false,
                Ok(Some(_)) => {}
                Err(error) => {
                    tracing::warn!(%workspace, %error, "first impressions cannot be decided");
                    return false;
                }
            }
        }
        loop {
            let flight = self.join(workspace, user, live).await;
            flight.landed.cancelled().await;
            if Arc::ptr_eq(&flight.live, live) {
                return true;
            }
        }
    }

    /// The flight that is under way for the user, or a new one.
    async fn join(&self, workspace: WorkspaceId, user: &UserId, live: &Arc<Live>) -> Arc<Flight> {
        if let Some(flight) = self.inner.flying(workspace, user) {
            return flight;
        }
        let permit = Arc::clone(&self.inner.permits).acquire_owned().await;
        let mut flights = self.inner.flights();
        if let Some(flight) = flights.get(&(workspace, user.clone())) {
            return Arc::clone(flight);
        }
        let flight = Arc::new(Flight {
            live: Arc::clone(live),
            landed: CancellationToken::new(),
        });
        flights.insert((workspace, user.clone()), Arc::clone(&flight));
        drop(flights);
        let landing = Landing {
            inner: Arc::clone(&self.inner),
            key: (workspace, user.clone()),
            flight: Arc::clone(&flight),
        };
        self.inner.tasks.spawn(async move {
            let _permit = permit;
            let inner = &landing.inner;
            let (workspace, user) = &landing.key;
            let work = inner.make_all(*workspace, user, &landing.flight.live);
            let work = timeout(inner.options.first_impression_limit, work);
            if let Some(Err(_)) = inner.closing.run_until_cancelled(work).await {
                tracing::warn!(%workspace, "cards at first impression took too long");
            }
        });
        flight
    }
}

impl Inner {
    fn flying(&self, workspace: WorkspaceId, user: &UserId) -> Option<Arc<Flight>> {
        self.flights().get(&(workspace, user.clone())).cloned()
    }

    fn flights(&self) -> MutexGuard<'_, HashMap<(WorkspaceId, UserId), Arc<Flight>>> {
        self.flights.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a flight however its task ends.
struct Landing {
    inner: Arc<Inner>,
    key: (WorkspaceId, UserId),
    flight: Arc<Flight>,
}

impl Drop for Landing {
    fn drop(&mut self) {
        self.inner.flights().remove(&self.key);
        self.flight.landed.cancel();
    }
}
