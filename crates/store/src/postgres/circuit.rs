//! Whether a database is worth asking: one that does not answer costs each caller its whole patience,
//! and whoever works for several databases is kept from the others.
//!
//! After an answer that did not come, callers are refused at once, except for one each second who
//! finds out. Any answer, also an error, lets everybody in again.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// Between two callers who find out.
const PAUSE: Duration = Duration::from_secs(1);

/// Of one database. Its time counts from when it was made.
#[derive(Debug)]
pub(super) struct Circuit {
    began: Instant,
    /// 0: it answers. Otherwise the millisecond from which the next caller may find out.
    retry_at: AtomicU64,
}

impl Circuit {
    pub(super) fn new() -> Self {
        Self {
            began: Instant::now(),
            retry_at: AtomicU64::new(0),
        }
    }

    /// Whether this caller may ask.
    pub(super) fn admits(&self) -> bool {
        let retry_at = self.retry_at.load(Ordering::Relaxed);
        if retry_at == 0 {
            return true;
        }
        let now = self.now();
        let next = now + millis(PAUSE);
        now >= retry_at
            && self
                .retry_at
                .compare_exchange(retry_at, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
    }

    /// It did not answer in time.
    pub(super) fn failed(&self) {
        let next = self.now() + millis(PAUSE);
        self.retry_at.store(next, Ordering::Relaxed);
    }

    /// It answered.
    pub(super) fn answered(&self) {
        // A look first: every statement comes by here.
        if self.retry_at.load(Ordering::Relaxed) != 0 {
            self.retry_at.store(0, Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        // Never 0, which means something else.
        1 + millis(self.began.elapsed())
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_one_caller_a_second_finds_out() {
        let circuit = Circuit::new();
        assert!(circuit.admits() && circuit.admits());
        circuit.failed();
        assert!(!circuit.admits());
        tokio::time::advance(PAUSE).await;
        let admitted = (0..100).filter(|_| circuit.admits()).count();
        assert_eq!(admitted, 1);
        tokio::time::advance(PAUSE).await;
        assert!(circuit.admits());
    }

    #[tokio::test(start_paused = true)]
    async fn any_answer_lets_everybody_in_again() {
        let circuit = Circuit::new();
        circuit.failed();
        circuit.answered();
        assert!(circuit.admits() && circuit.admits());
    }
}
