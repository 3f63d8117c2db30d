//! How many may ask the source at a time, and how long others wait for their turn.
//!
//! The source is divided into parts (databases), each with its own permits: one that hangs takes
//! nobody's turn but its own. Who cannot be served soon is refused at once: an answer that comes
//! after its reader has gone is work for nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

/// Too many wait already, or the wait took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many wait for the source; try again later")]
pub struct Busy;

/// Permits for each part of a source.
#[derive(Debug)]
pub struct Admission {
    parts: Box<[Part]>,
    most_waiting: usize,
    patience: Duration,
}

#[derive(Debug)]
struct Part {
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Admission {
    /// `at_a_time` for each of `parts`, `most_waiting` more that wait `patience` at most.
    #[must_use]
    pub fn new(parts: usize, at_a_time: usize, most_waiting: usize, patience: Duration) -> Self {
        let part = || Part {
            permits: Arc::new(Semaphore::new(at_a_time.max(1))),
            waiting: AtomicUsize::new(0),
        };
        Self {
            parts: (0..parts.max(1)).map(|_| part()).collect(),
            most_waiting,
            patience,
        }
    }

    /// A turn at one part.
    ///
    /// # Errors
    ///
    /// [`Busy`] when there is none in time.
    pub async fn enter(&self, part: usize) -> Result<OwnedSemaphorePermit, Busy> {
        let part = &self.parts[part % self.parts.len()];
        if let Ok(permit) = Arc::clone(&part.permits).try_acquire_owned() {
            return Ok(permit);
        }
        let _waiting = Waiting::new(&part.waiting, self.most_waiting)?;
        let turn = Arc::clone(&part.permits).acquire_owned();
        match timeout(self.patience, turn).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Busy),
        }
    }
}

struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize, most: usize) -> Result<Self, Busy> {
        let waiting = Self(count);
        // Counted first, so that nobody slips by; dropped again if that was one too many.
        if count.fetch_add(1, Ordering::AcqRel) >= most {
            return Err(Busy);
        }
        Ok(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_waited_for_by_few_and_not_for_long() {
        let admission = Admission::new(2, 1, 1, Duration::from_millis(100));
        let held = admission.enter(0).await.unwrap();
        let (second, third) = tokio::join!(admission.enter(0), admission.enter(0));
        assert_eq!((second.err(), third.err()), (Some(Busy), Some(Busy)));
        assert!(admission.enter(1).await.is_ok(), "another part is free");
        drop(held);
        assert!(admission.enter(0).await.is_ok());
    }
}
