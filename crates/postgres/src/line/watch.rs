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

#[derive(Debug)]
pub(super) struct Watch {
    patience: Duration,
    target: Option<Duration>,
    /// When somebody last left no more behind than were ahead, or had hardly waited.
    steady_at: Instant,
    /// When somebody last came to the front before it was too long.
    short_at: Instant,
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
        let refused = |at| now.duration_since(at) < RELIEF;
        self.grows &= self.refused_at.is_some_and(refused);
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
                    || now.duration_since(self.short_at) > self.patience.mul_f64(TOO_LONG_LASTS);
                if self.grows { target } else { self.patience }
            }
        };
        let lets = waited <= bound;
        self.count(now, lets);
        lets
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
