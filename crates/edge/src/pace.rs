//! How much has to move in the time that is given: the minimum rate, over stretches of waiting.
//!
//! A limit for a whole transfer is either too short for a large one over a thin line, or long enough
//! for a drip. So time is cut into stretches, each of which has to bring its part; what came
//! before earns nothing, or a fast start would pay for a drip of minutes.

use std::time::Duration;

/// What a stretch of this length has to bring.
pub(crate) fn least(bytes_a_second: u64, stretch: Duration) -> u64 {
    let least = u128::from(bytes_a_second).saturating_mul(stretch.as_millis()) / 1_000;
    u64::try_from(least).unwrap_or(u64::MAX)
}

/// The stretch that a sender is in.
#[derive(Debug)]
pub(crate) struct Pace {
    stretch: Duration,
    least: u64,
    waited: Duration,
    moved: u64,
}

/// The other end is slower than it may be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooSlow;

impl Pace {
    pub(crate) fn new(bytes_a_second: u64, stretch: Duration) -> Self {
        Self {
            stretch,
            least: least(bytes_a_second, stretch),
            waited: Duration::ZERO,
            moved: 0,
        }
    }

    /// How much longer it may be waited for before this stretch is over.
    pub(crate) fn left(&self) -> Duration {
        self.stretch.saturating_sub(self.waited)
    }

    pub(crate) fn moved(&mut self, bytes: usize) {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.moved = self.moved.saturating_add(bytes);
    }

    /// It was waited for so long; at the end of a stretch, what has moved must be enough.
    pub(crate) fn waited(&mut self, time: Duration) -> Result<(), TooSlow> {
        self.waited += time;
        if self.waited < self.stretch {
            return Ok(());
        }
        if self.moved < self.least {
            return Err(TooSlow);
        }
        self.waited = Duration::ZERO;
        self.moved = 0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_rate_is_asked_of_every_stretch_by_itself() {
        let mut pace = Pace::new(100, 10 * SECOND);
        pace.moved(1_000_000);
        assert_eq!(pace.waited(10 * SECOND), Ok(()));
        assert_eq!(pace.left(), 10 * SECOND);
        pace.moved(999);
        assert_eq!(pace.waited(9 * SECOND), Ok(()));
        assert_eq!(pace.left(), SECOND);
        assert_eq!(pace.waited(SECOND), Err(TooSlow));
    }

    #[test]
    fn exactly_the_rate_is_enough() {
        let mut pace = Pace::new(100, Duration::from_millis(1_500));
        pace.moved(150);
        assert_eq!(pace.waited(2 * SECOND), Ok(()));
        pace.moved(149);
        assert_eq!(pace.waited(2 * SECOND), Err(TooSlow));
    }

    #[test]
    fn no_rate_and_no_time_overflows() {
        assert_eq!(least(u64::MAX, Duration::MAX), u64::MAX);
        assert_eq!(least(0, Duration::MAX), 0);
    }
}
