//! Whether Redis is asked: not while it is gone, and little by little when it is back.
//!
//! Whoever comes back finds a cold Redis. Keys are let back by their hash, a growing share of them,
//! so that refilling it and serving readers do not compete for the source all at once.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// So many calls in a row without an answer, and Redis is left out.
const FAILURES: u32 = 5;
/// Of a thousand keys, those let back at once.
const FIRST_SHARE: u64 = 50;

#[derive(Debug)]
pub(super) struct Circuit {
    start: Instant,
    closed: AtomicBool,
    failures: AtomicU32,
    /// When the last key is let back, in milliseconds after `start`.
    full_at: AtomicU64,
    readmission: Duration,
}

impl Circuit {
    /// Open until [`Circuit::close`].
    pub(super) fn new(readmission: Duration) -> Self {
        Self {
            start: Instant::now(),
            closed: AtomicBool::new(false),
            failures: AtomicU32::new(0),
            full_at: AtomicU64::new(0),
            readmission,
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Whether a key with this hash may be asked for.
    pub(super) fn admits(&self, hash: u64, now: Instant) -> bool {
        if !self.is_closed() {
            return false;
        }
        let full_at = self.full_at.load(Ordering::Acquire);
        let now = self.millis(now);
        if now >= full_at {
            return true;
        }
        let all = self.readmission.as_millis().max(1) as u64;
        let share = 1_000 - 1_000 * (full_at - now).min(all) / all;
        hash % 1_000 < share.max(FIRST_SHARE)
    }

    pub(super) fn succeeded(&self) {
        self.failures.store(0, Ordering::Release);
    }

    /// Whether this failure of so many calls was the one too many.
    pub(super) fn failed(&self, calls: usize) -> bool {
        let calls = u32::try_from(calls).unwrap_or(FAILURES).min(FAILURES);
        let before = self.failures.fetch_add(calls, Ordering::AcqRel);
        before + calls >= FAILURES && self.open()
    }

    /// Whether it was closed.
    pub(super) fn open(&self) -> bool {
        self.closed.swap(false, Ordering::AcqRel)
    }

    /// Lets everybody back at once, or little by little.
    pub(super) fn close(&self, slowly: bool) {
        self.failures.store(0, Ordering::Release);
        let wait = if slowly {
            self.readmission.as_millis() as u64
        } else {
            0
        };
        let now = self.millis(Instant::now());
        self.full_at.store(now + wait, Ordering::Release);
        self.closed.store(true, Ordering::Release);
    }

    fn millis(&self, now: Instant) -> u64 {
        now.duration_since(self.start).as_millis() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admitted(circuit: &Circuit) -> usize {
        let now = Instant::now();
        (0..1_000).filter(|hash| circuit.admits(*hash, now)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_let_back_little_by_little() {
        let circuit = Circuit::new(Duration::from_secs(2));
        assert_eq!(admitted(&circuit), 0);
        circuit.close(true);
        assert_eq!(admitted(&circuit), 50);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(admitted(&circuit), 500);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(admitted(&circuit), 1_000);
    }

    #[tokio::test]
    async fn failures_in_a_row_open_it_and_others_do_not() {
        let circuit = Circuit::new(Duration::from_secs(2));
        circuit.close(false);
        for _ in 0..3 {
            assert!((1..FAILURES).all(|_| !circuit.failed(1)));
            circuit.succeeded();
        }
        assert_eq!(admitted(&circuit), 1_000);
        assert!((1..FAILURES).all(|_| !circuit.failed(1)));
        assert!(circuit.failed(1));
        assert!(!circuit.failed(1), "it is open already");
        assert_eq!(admitted(&circuit), 0);
    }
}
