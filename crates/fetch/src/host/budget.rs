//! Retries cannot multiply calls: each first try pays for a tenth of one.

use std::time::Duration;

use tokio::time::Instant;

const PER_FIRST_TRY: f64 = 0.1;
/// For hosts that are called rarely: a retry every ten seconds is no storm.
const PER_SECOND: f64 = 0.1;
/// Saved up by a send that goes well, for the moment when it does not.
const MOST: f64 = 1_000.0;
const AT_FIRST: f64 = 10.0;

#[derive(Debug)]
pub(crate) struct Budget {
    tokens: f64,
    seen: Instant,
}

impl Budget {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            tokens: AT_FIRST,
            seen: now,
        }
    }

    pub(crate) fn first_try(&mut self, now: Instant) {
        self.refill(now, PER_FIRST_TRY);
    }

    /// Whether there is a token for a retry; takes it.
    pub(crate) fn retry(&mut self, now: Instant) -> bool {
        self.refill(now, 0.0);
        let enough = self.tokens >= 1.0;
        if enough {
            self.tokens -= 1.0;
        }
        enough
    }

    fn refill(&mut self, now: Instant, extra: f64) {
        let passed = now.saturating_duration_since(self.seen).max(Duration::ZERO);
        self.seen = now;
        self.tokens = (self.tokens + passed.as_secs_f64() * PER_SECOND + extra).min(MOST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retries_stay_below_a_tenth_of_the_first_tries_and_a_few() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        let retries: usize = (0..10_000)
            .map(|_| {
                budget.first_try(now);
                (0..5).filter(|_| budget.retry(now)).count()
            })
            .sum();
        assert!((1_000..=1_011).contains(&retries), "{retries}");
    }

    #[test]
    fn what_was_not_used_is_kept_up_to_a_bound() {
        let now = Instant::now();
        let mut budget = Budget::new(now);
        (0..100_000).for_each(|_| budget.first_try(now));
        assert_eq!((0..2_000).filter(|_| budget.retry(now)).count(), 1_000);
        let later = now + Duration::from_secs(20);
        assert_eq!((0..1_000).filter(|_| budget.retry(later)).count(), 2);
    }
}
