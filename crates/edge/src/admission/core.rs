//! Who may come in now, who waits, who is refused: without clock, thread or socket.
//!
//! Time is a duration since the start and is handed in, so that overload can be simulated in
//! virtual time. `T` is whatever wakes a waiting request up.

use std::time::Duration;

use super::limit::Limit;
use super::options::AdmissionOptions;
use super::queue::Queue;
use super::{Passport, Priority};

/// What becomes of a request that waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Admitted,
    Refused,
}

/// Whether a newcomer may wait.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Wait<T> {
    /// Too many wait, and none of them is the one to go.
    Refused,
    /// It waits; who has to go for it, if anybody, is refused.
    InLine { instead: Option<(Priority, T)> },
}

#[derive(Debug)]
pub(crate) struct Core<T> {
    limit: Limit,
    max_waiting: usize,
    target: Duration,
    patience: Duration,
    /// In flight, by priority. Below zero for a moment when a body is waited for by a request that
    /// has gone.
    held: [i64; 4],
    queue: Queue<T>,
    /// When the queue was last seen empty, and when somebody last had to wait.
    empty_at: Duration,
    waited_at: Duration,
    congested: bool,
    looked_at: Duration,
}

impl<T> Core<T> {
    pub(crate) fn new(options: &AdmissionOptions) -> Self {
        Self {
            limit: Limit::new(options),
            max_waiting: options.max_waiting,
            target: options.target,
            patience: options.longest_wait(),
            held: [0; 4],
            queue: Queue::new(),
            empty_at: Duration::ZERO,
            waited_at: Duration::ZERO,
            congested: false,
            looked_at: Duration::ZERO,
        }
    }

    pub(crate) fn limit(&self) -> f64 {
        self.limit.get()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.queue.len()
    }

    pub(crate) fn in_flight(&self) -> u32 {
        u32::try_from(self.held.iter().sum::<i64>()).unwrap_or(0)
    }

    /// Somebody has been waiting for so long without a break that waiting helps nobody. It lasts until
    /// nobody has had to wait for a while: a line that is empty because all in it were refused, as
    /// after a moment in which nothing ran, is no relief.
    pub(crate) fn is_congested(&self, now: Duration) -> bool {
        self.congested || self.queue.len() > 0 && now.saturating_sub(self.empty_at) > self.patience
    }

    /// Looks at the line before anything is done with it.
    fn watch(&mut self, now: Duration) {
        if self.queue.len() > 0 {
            self.congested = self.is_congested(now);
            self.waited_at = now;
        } else {
            self.congested &= now.saturating_sub(self.waited_at) <= self.target;
            self.empty_at = now;
        }
    }

    /// Takes a place for a newcomer if there is one and nobody waits for it already.
    pub(crate) fn enter(&mut self, now: Duration, passport: Passport) -> bool {
        self.watch(now);
        if self.queue.len() > 0 {
            return false;
        }
        let free = self.has_room(false, passport.priority);
        if free {
            self.take_place(passport.priority);
        }
        free
    }

    /// A newcomer that found no place waits, unless too many do already.
    pub(crate) fn wait(
        &mut self,
        now: Duration,
        passport: Passport,
        waiter: impl FnOnce() -> T,
    ) -> Wait<T> {
        self.limit.somebody_waited();
        self.waited_at = now;
        let bound = if self.is_congested(now) {
            // As many as leave within the time that one request takes.
            self.max_waiting.min(whole(self.limit.get()))
        } else {
            self.max_waiting
        };
        let mut instead = None;
        if self.queue.len() >= bound {
            instead = self.queue.make_room_for(passport);
            if instead.is_none() {
                return Wait::Refused;
            }
        }
        self.queue.push(now, passport, waiter());
        Wait::InLine { instead }
    }

    /// A request has left; `took` says how long it was worked on, if that tells anything. True when
    /// the limit was looked at anew.
    pub(crate) fn leave(
        &mut self,
        now: Duration,
        priority: Priority,
        took: Option<Duration>,
    ) -> bool {
        self.held[priority as usize] -= 1;
        let in_flight = self.in_flight();
        self.limit.in_flight(in_flight);
        took.is_some_and(|took| self.limit.sample(now, priority, took))
    }

    /// A request waits for its client: it holds nothing meanwhile.
    pub(crate) fn park(&mut self, priority: Priority) {
        self.held[priority as usize] -= 1;
    }

    /// The client has gone on sending; its request goes on, whatever the limit says.
    pub(crate) fn unpark(&mut self, priority: Priority) {
        self.take_place(priority);
    }

    pub(crate) fn lag(&mut self, lag: Duration) {
        self.limit.lag(lag);
    }

    /// The next one whose waiting is over, to be asked again until there is none.
    pub(crate) fn next(&mut self, now: Duration) -> Option<(Priority, T, Verdict)> {
        self.watch(now);
        if self.queue.len() == 0 {
            return None;
        }
        let congested = self.is_congested(now);
        let bound = if congested {
            self.target
        } else {
            self.patience
        };
        // Looking through all that wait is not for every request.
        if now.saturating_sub(self.looked_at) >= bound / 8 {
            let late = now.saturating_sub(bound);
            let very_late = now.saturating_sub(self.patience);
            if let Some((priority, waiter)) = self.queue.take_older(late, very_late) {
                return Some((priority, waiter, Verdict::Refused));
            }
            self.looked_at = now;
        }
        // In congestion, who has used up half of its time will hardly be answered in time.
        let late = if congested {
            now.saturating_sub(bound / 2)
        } else {
            Duration::ZERO
        };
        for priority in Priority::ALL {
            if !self.has_room(congested, priority) {
                continue;
            }
            if let Some(waiter) = self.queue.take(priority, late) {
                self.take_place(priority);
                return Some((priority, waiter, Verdict::Admitted));
            }
        }
        None
    }

    fn take_place(&mut self, priority: Priority) {
        self.held[priority as usize] += 1;
        let in_flight = self.in_flight();
        self.limit.in_flight(in_flight);
    }

    /// In congestion a part of the limit is kept for what matters more.
    fn has_room(&self, congested: bool, priority: Priority) -> bool {
        let room = self.limit.get();
        if f64::from(self.in_flight()) + 1.0 > room {
            return false;
        }
        let lower: i64 = self.held[priority as usize..].iter().sum();
        !congested || whole(room * priority.share()).max(1) > usize::try_from(lower).unwrap_or(0)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a limit: positive and far below 2^53"
)]
fn whole(limit: f64) -> usize {
    limit as usize
}

#[cfg(test)]
mod simulation;
#[cfg(test)]
mod tests;
