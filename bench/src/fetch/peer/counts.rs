//! What the endpoint counts: calls and answers, in all and by time.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

/// One step of the plot.
const STEP: Duration = Duration::from_millis(250);
/// Steps that are kept: beyond, everything counts into the last.
const MOST_STEPS: usize = 2_400;

/// Since the last script was begun.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) calls: u64,
    pub(crate) answered: u64,
    pub(crate) refused: u64,
    /// Most calls in slots at a time, and most that waited for one.
    pub(crate) busiest: usize,
    pub(crate) longest_queue: usize,
    /// Good answers in each quarter of a second since the first call.
    pub(crate) answered_by_step: Vec<u32>,
}

impl Seen {
    /// Seconds since the first call and good answers a second, for a plot.
    pub(crate) fn goodput(&self) -> Vec<(f64, f64)> {
        let each = self.answered_by_step.iter().enumerate();
        each.map(|(step, count)| {
            #[expect(clippy::cast_precision_loss, reason = "a few thousand steps")]
            let at = step as f64 * STEP.as_secs_f64();
            (at, f64::from(*count) / STEP.as_secs_f64())
        })
        .collect()
    }

    /// Good answers a second between two times since the first call, in whole steps.
    pub(crate) fn goodput_between(&self, from: f64, to: f64) -> f64 {
        let step = STEP.as_secs_f64();
        let inside = |(at, _): &(f64, f64)| *at >= from && at + step <= to;
        let rates: Vec<f64> = self
            .goodput()
            .into_iter()
            .filter(inside)
            .map(|(_, rate)| rate)
            .collect();
        #[expect(clippy::cast_precision_loss, reason = "a few thousand steps")]
        let count = rates.len().max(1) as f64;
        rates.iter().sum::<f64>() / count
    }

    pub(super) fn answer(&mut self, since_first: Duration) {
        self.answered += 1;
        let step = usize::try_from(since_first.as_millis() / STEP.as_millis());
        let step = step.unwrap_or(MOST_STEPS).min(MOST_STEPS - 1);
        if self.answered_by_step.len() <= step {
            self.answered_by_step.resize(step + 1, 0);
        }
        self.answered_by_step[step] += 1;
    }
}

/// When the first call of a script came.
#[derive(Debug, Default)]
pub(super) struct First(Option<Instant>);

impl First {
    /// Time since then; now is the first if there was none.
    pub(super) fn since(&mut self, now: Instant) -> Duration {
        now.duration_since(*self.0.get_or_insert(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goodput_is_counted_by_the_time_of_the_answer() {
        let mut seen = Seen::default();
        for milliseconds in [0, 100, 249, 250, 1_000] {
            seen.answer(Duration::from_millis(milliseconds));
        }
        assert_eq!(seen.answered_by_step, [3, 1, 0, 0, 1]);
        assert!((seen.goodput_between(0.0, 0.5) - 8.0).abs() < 1e-9);
        assert!((seen.goodput_between(0.5, 1.0) - 0.0).abs() < 1e-9);
    }
}
