//! A clock that tests hold in their hand: it moves only when told to.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use corkboard_core::time::{Clock, Timestamp};

/// Wall time under a test's control. Clones show the same time.
#[derive(Debug, Clone, Default)]
pub struct HeldClock {
    micros: Arc<AtomicI64>,
}

impl HeldClock {
    /// A clock that shows `time` until it is moved.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self {
            micros: Arc::new(AtomicI64::new(time.as_micros())),
        }
    }

    /// Moves forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now().plus(by));
    }

    /// Jumps to any time, backwards too.
    pub fn set(&self, time: Timestamp) {
        self.micros.store(time.as_micros(), Ordering::SeqCst);
    }
}

impl Clock for HeldClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.micros.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_only_when_told_and_clones_agree() {
        let clock = HeldClock::at(Timestamp::from_seconds(100));
        let other = clock.clone();
        assert_eq!(other.now(), Timestamp::from_seconds(100));
        clock.advance(Duration::from_secs(5));
        assert_eq!(other.now(), Timestamp::from_seconds(105));
        other.set(Timestamp::from_seconds(1));
        assert_eq!(clock.now(), Timestamp::from_seconds(1));
    }
}
