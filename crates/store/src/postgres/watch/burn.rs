//! How fast transaction ids are used, and how long the rest lasts. Arithmetic only.
//!
//! The counter of a server is looked at without moving it, again and again; its differences are the
//! rate. It has 64 bits (an epoch and the 32-bit id), so it does not wrap when the ids do, and it
//! survives restarts. When it goes back, or jumps further than ids can go, it is another counter:
//! a standby was promoted, a backup restored, the URL points elsewhere. History then begins anew.

use std::collections::VecDeque;
use std::time::Duration;

use corkboard_core::time::Timestamp;

/// Ids are compared modulo 2^32: half of them may be in use at a time.
const USABLE: u64 = 1 << 31;
/// The server assigns no more ids when this many are left.
const RESERVED: u64 = 3_000_000;

/// A busy hour must not hide in a quiet day.
const HOUR: Duration = Duration::from_secs(3_600);
/// A quiet hour must not hide a busy day.
const DAY: Duration = Duration::from_secs(86_400);
/// A day of samples, one a minute, and some more.
const MOST_SAMPLES: usize = 1_600;
/// Rates over less than this say little about the days to come.
const MEANINGFUL: Duration = Duration::from_secs(600);

/// The counter's history, of a day at most.
#[derive(Debug, Clone, Default)]
pub struct Burn {
    samples: VecDeque<(Timestamp, u64)>,
}

/// Ids used per second, and the time over which that was seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub over: Duration,
}

impl Rate {
    /// Whether it was seen for long enough to wake somebody.
    #[must_use]
    pub fn is_meaningful(&self) -> bool {
        self.over >= MEANINGFUL
    }

    /// Ids used in that time at this rate.
    #[must_use]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate is not negative, and the cast saturates"
    )]
    pub fn ids_in(&self, time: Duration) -> u64 {
        (self.per_second * time.as_secs_f64()) as u64
    }
}

impl Burn {
    /// Notes that `next` was the server's next transaction id at `at`.
    pub fn record(&mut self, at: Timestamp, next: u64) {
        if let Some(&(last_at, last)) = self.samples.back() {
            let another = next < last || next - last >= USABLE;
            if another || at < last_at {
                self.samples.clear();
            } else if at == last_at {
                return;
            }
        }
        self.samples.push_back((at, next));
        // One sample from before the window stays, so that the window is always full.
        let start = at.minus(DAY);
        while self.samples.get(1).is_some_and(|(at, _)| *at <= start)
            || self.samples.len() > MOST_SAMPLES
        {
            self.samples.pop_front();
        }
    }

    /// Forgets everything: the next sample is of another server.
    pub fn clear(&mut self) {
        self.samples.clear();
    }

    /// The rate over the last hour and over the last day, whichever is worse. `None` before there
    /// are two samples; over what there is while there is less than an hour.
    #[must_use]
    pub fn worst(&self) -> Option<Rate> {
        let (hour, day) = (self.over(HOUR), self.over(DAY));
        let worse = |a: Rate, b: Rate| if b.per_second > a.per_second { b } else { a };
        match (hour, day) {
            (Some(hour), Some(day)) => Some(worse(hour, day)),
            (one, other) => one.or(other),
        }
    }

    fn over(&self, window: Duration) -> Option<Rate> {
        let &(now, next) = self.samples.back()?;
        let start = now.minus(window);
        // The latest sample that is not inside the window, so that all of the window is covered.
        let first = self.samples.partition_point(|(at, _)| *at <= start);
        let &(at, then) = self.samples.get(first.saturating_sub(1))?;
        let over = now.since(at);
        if over.is_zero() {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a rate, for people")]
        let used = next.saturating_sub(then) as f64;
        Some(Rate {
            per_second: used / over.as_secs_f64(),
            over,
        })
    }
}

/// Ids left before the server refuses writes, when its oldest row has this age.
#[must_use]
pub fn ids_left(age: u32) -> u64 {
    (USABLE - RESERVED).saturating_sub(u64::from(age))
}

/// Days until the server refuses writes, if nothing is frozen until then. Infinite at rest.
#[must_use]
pub fn runway_days(age: u32, per_second: f64) -> f64 {
    let left = ids_left(age);
    if left == 0 {
        return 0.0;
    }
    if per_second <= 0.0 {
        return f64::INFINITY;
    }
    #[expect(clippy::cast_precision_loss, reason = "days, for people")]
    let seconds = left as f64 / per_second;
    seconds / DAY.as_secs_f64()
}

#[cfg(test)]
mod tests;
