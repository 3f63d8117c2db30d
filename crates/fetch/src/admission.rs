//! How many calls run, and how many may wait to.
//!
//! Both are bounded: a call first takes a ticket, and without one is answered at once; with one it
//! waits for a slot within its own deadline. First come, first served.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

#[derive(Debug)]
pub(crate) struct Admission {
    tickets: Arc<Semaphore>,
    slots: Semaphore,
}

/// The right to run or to wait. Taken before a task is spawned.
#[derive(Debug)]
pub(crate) struct Ticket {
    _permit: OwnedSemaphorePermit,
}

/// The right to be on the network.
#[derive(Debug)]
pub(crate) struct Slot<'a> {
    _permit: tokio::sync::SemaphorePermit<'a>,
}

impl Admission {
    pub(crate) fn new(max_in_flight: usize, max_queued: usize) -> Self {
        let in_flight = max_in_flight.min(Semaphore::MAX_PERMITS / 2);
        let queued = max_queued.min(Semaphore::MAX_PERMITS / 2);
        Self {
            tickets: Arc::new(Semaphore::new(in_flight + queued)),
            slots: Semaphore::new(in_flight),
        }
    }

    pub(crate) fn ticket(&self) -> Option<Ticket> {
        let permit = Arc::clone(&self.tickets).try_acquire_owned().ok()?;
        Some(Ticket { _permit: permit })
    }

    /// `None` when none came free in time.
    pub(crate) async fn slot(&self, _ticket: &Ticket, deadline: Instant) -> Option<Slot<'_>> {
        let permit = timeout_at(deadline, self.slots.acquire())
            .await
            .ok()?
            .ok()?;
        Some(Slot { _permit: permit })
    }
}
