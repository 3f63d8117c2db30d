//! Whether a line only stands, or grows; and who is let through.

use std::time::Duration;

use tokio::time::Instant;

use super::LineBounds;

/// Nobody was refused for so long: then an empty line is relief, and not the work of refusals.
const RELIEF: Duration = Duration::from_millis(100);
/// A line has been growing for so many times the patience: a crowd has come whole by then, and the
/// first who came into the whole of it has left.
const LASTING: u32 = 2;

/// The part of the patience that everybody has waited for in a line that is too long, and the part for
/// which that has to last: by then most who asked would rather have been told.
const TOO_LONG: f64 = 0.6;
const TOO_LONG_LASTS: f64 = 0.25;

/// After so much of the patience has been waited for, a line that becomes longer by this part than it was at
/// the most in the next part of the patience: who came since then would be too late. A crowd has come whole
/// before its first have waited that long, and what piled up while nothing moved only shrinks.
const LONG: f64 = 0.42;
const LONG_LASTS: f64 = 0.05;
const LONGER: f64 = 1.05;

#[derive(Debug)]
pub(super) struct Watch {
    patience: Duration,
    target: Option<Duration>,
    /// When somebody last left no more behind than were ahead, or had hardly waited.
    steady_at: Instant,
    /// When somebody last came to the front before it was too long.
    short_at: Instant,
    /// Since when everybody has waited long, and how many were behind at the most soon after.
    long: Option<(Instant, usize)>,
    refused_at: Option<Instant>,
    /// Since when these were counted.
    counted_since: Instant,
    served: u64,
    refused: u64,
    /// More come than can be served.
    grows: bool,
}

impl Watch {
    pub(super) fn new(bounds: LineBounds, now: Instant) -> Self {
        Self {
            patience: bounds.patience,
            target: bounds.target,
            steady_at: now,
            short_at: now,
            long: None,
            refused_at: None,
            counted_since: now,
            served: 0,
            refused: 0,
            grows: false,
        }
    }

    /// Nobody waits.
    pub(super) fn emptied(&mut self, now: Instant) {
        (self.steady_at, self.short_at) = (now, now);
        self.long = None;
        let refused = |at| now.duration_since(at) < RELIEF;
        self.grows &= self.refused_at.is_some_and(refused);
    }

    /// More come than can be served.
    pub(super) fn grows(&self) -> bool {
        self.grows
    }

    /// So many were turned away before they joined the line.
    pub(super) fn turned_away(&mut self, now: Instant, count: u64) {
        if count > 0 {
            self.refused_at = Some(now);
        }
    }

    /// One has come to the front, who joined the line when so many were ahead of it. Whether it is
    /// to be served.
    pub(super) fn lets(
        &mut self,
        now: Instant,
        since: Instant,
        ahead: usize,
        behind: usize,
    ) -> bool {
        let waited = now.duration_since(since);
        let bound = match self.target {
            None => self.patience,
            Some(target) => {
                if behind <= ahead || waited <= target {
                    self.steady_at = now;
                }
                if waited <= self.patience.mul_f64(TOO_LONG) {
                    self.short_at = now;
                }
                self.grows |= now.duration_since(self.steady_at) > self.patience * LASTING
                    || now.duration_since(self.short_at) > self.patience.mul_f64(TOO_LONG_LASTS)
                    || self.grows_beyond_what_is_long(now, waited, behind);
                if self.grows { target } else { self.patience }
            }
        };
        let lets = waited <= bound;
        self.count(now, lets);
        lets
    }

    fn grows_beyond_what_is_long(&mut self, now: Instant, waited: Duration, behind: usize) -> bool {
        if waited <= self.patience.mul_f64(LONG) {
            self.long = None;
            return false;
        }
        let (since, most) = self.long.get_or_insert((now, behind));
        if now.duration_since(*since) < self.patience.mul_f64(LONG_LASTS) {
            *most = behind.max(*most);
        }
        behind as f64 > *most as f64 * LONGER
    }

    fn count(&mut self, now: Instant, is_served: bool) {
        if is_served {
            self.served += 1;
        } else {
            self.refused += 1;
            self.refused_at = Some(now);
        }
        // Half of the patience is enough to tell, and one moment in which nothing moved is not.
        if now.duration_since(self.counted_since) > self.patience / 2 {
            self.grows |= self.target.is_some() && self.refused > self.served;
            (self.counted_since, self.served, self.refused) = (now, 0, 0);
        }
    }
}
