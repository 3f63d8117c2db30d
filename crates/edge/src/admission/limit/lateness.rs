//! How late tasks run: work that never waits piles up before the scheduler, where nobody counts it.

use std::time::Duration;

use super::window::WINDOW;

/// The least lateness counts, of so long that there were several: a single hiccup says nothing.
#[derive(Debug)]
pub(super) struct Lateness {
    bound: Duration,
    began: Duration,
    least: Option<Duration>,
}

impl Lateness {
    pub(super) fn new(bound: Duration) -> Self {
        Self {
            bound,
            began: Duration::ZERO,
            least: None,
        }
    }

    pub(super) fn add(&mut self, lag: Duration) {
        self.least = Some(self.least.map_or(lag, |least| least.min(lag)));
    }

    /// Whether every task since the last look was late. Looks again after a window's time only.
    pub(super) fn is_late(&mut self, now: Duration) -> bool {
        if now.saturating_sub(self.began) < WINDOW {
            return false;
        }
        self.began = now;
        self.least.take().is_some_and(|least| least > self.bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_late_task_says_nothing_before_there_were_several() {
        let mut lateness = Lateness::new(Duration::from_millis(20));
        lateness.add(Duration::from_millis(30));
        assert!(!lateness.is_late(Duration::from_millis(99)));
        assert!(lateness.is_late(Duration::from_millis(100)));
        assert!(!lateness.is_late(Duration::from_millis(200)));
    }
}
