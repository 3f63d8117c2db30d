//! Until when it is known that changes made elsewhere would have been heard of.
//!
//! A look at Redis over the very connection that changes arrive on proves that everything announced
//! before it has arrived. Trust lasts from the moment the look was *sent*, for less than a second:
//! a connection that is cut without a word is noticed by silence.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// From the sending of a look that was answered.
const LASTS: Duration = Duration::from_millis(800);

#[derive(Debug)]
pub(super) struct Trust {
    start: Instant,
    /// Milliseconds after `start`; zero: not at all.
    until: AtomicU64,
}

impl Trust {
    pub(super) fn new() -> Self {
        Self {
            start: Instant::now(),
            until: AtomicU64::new(0),
        }
    }

    pub(super) fn holds(&self) -> bool {
        let now = self.start.elapsed().as_millis() as u64;
        now < self.until.load(Ordering::Acquire)
    }

    /// A look that was sent then has been answered.
    pub(super) fn renew(&self, sent: Instant) {
        let until = sent.duration_since(self.start) + LASTS;
        self.until
            .store(until.as_millis() as u64, Ordering::Release);
    }

    pub(super) fn revoke(&self) {
        self.until.store(0, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn silence_ends_trust_within_a_second() {
        let trust = Trust::new();
        assert!(!trust.holds());
        trust.renew(Instant::now());
        tokio::time::advance(Duration::from_millis(799)).await;
        assert!(trust.holds());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!trust.holds());
        trust.renew(Instant::now());
        trust.revoke();
        assert!(!trust.holds());
    }
}
