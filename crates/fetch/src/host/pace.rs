//! When the next call may leave: the cap on calls per second, and the endpoint's own `Retry-After`.

use std::time::Duration;

use tokio::time::Instant;

/// The cap is kept over this time; within it calls may be bunched.
const BUNCH: Duration = Duration::from_millis(100);

#[derive(Debug)]
pub(crate) struct Pace {
    /// Between two calls; `None` without a cap.
    every: Option<Duration>,
    /// When the next call is due, were they spread evenly.
    due: Instant,
    paused_until: Option<Instant>,
}

impl Pace {
    /// `per_second` calls; 0 is no cap.
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        Self {
            every: (per_second > 0).then(|| Duration::from_secs(1) / per_second),
            due: now,
            paused_until: None,
        }
    }

    /// A place in the order of calls: when to leave. Later than `deadline` no place is taken.
    pub(crate) fn reserve(&mut self, now: Instant, deadline: Instant) -> Result<Instant, Instant> {
        let Some(every) = self.every else {
            return Ok(now);
        };
        let earliest = now.checked_sub(BUNCH).unwrap_or(now);
        let due = self.due.max(earliest);
        let leave = due.max(now);
        if leave > deadline {
            return Err(leave);
        }
        self.due = due + every;
        Ok(leave)
    }

    /// Nothing leaves before.
    pub(crate) fn pause(&mut self, until: Instant) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    pub(crate) fn paused(&self, now: Instant) -> Option<Instant> {
        self.paused_until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_spread_to_the_cap_and_bunched_a_little() {
        let now = Instant::now();
        let end = now + Duration::from_secs(10);
        let mut pace = Pace::new(100, now);
        let leaves: Vec<Instant> = std::iter::from_fn(|| pace.reserve(now, end).ok()).collect();
        assert!((1_000..=1_011).contains(&leaves.len()), "{}", leaves.len());
        assert!(leaves.is_sorted());
        let at_once = leaves.iter().filter(|leave| **leave == now).count();
        assert!((1..=11).contains(&at_once), "{at_once}");
        assert!(pace.reserve(now, end).is_err());
        let free = Pace::new(0, now).reserve(now, now);
        assert_eq!(free, Ok(now));
    }

    #[test]
    fn idle_time_is_not_saved_up() {
        let now = Instant::now();
        let mut pace = Pace::new(10, now);
        let later = now + Duration::from_secs(60);
        let at_once = (0..20)
            .filter(|_| pace.reserve(later, later + Duration::from_secs(9)) == Ok(later))
            .count();
        assert_eq!(at_once, 2);
    }

    #[test]
    fn the_longest_pause_counts() {
        let now = Instant::now();
        let mut pace = Pace::new(0, now);
        let (soon, late) = (now + Duration::from_secs(1), now + Duration::from_secs(2));
        pace.pause(late);
        pace.pause(soon);
        assert_eq!(pace.paused(now), Some(late));
        assert_eq!(pace.paused(late), None);
    }
}
