//! How large a part of the keys is asked for in a Redis that has lost what it had.
//!
//! To look for a value in vain, take the lease, ask the source and fill Redis costs several times what asking the
//! source does. Were all keys looked for in an empty Redis, a node under load would answer less
//! than without one, until everything is filled again. So keys are let back by their hash, as many as leave
//! no more than a tenth of all reads with the filling; what has been filled makes room for others.
//!
//! After a while everybody is let back whatever is found, though not at once: where hardly anything is asked for
//! twice, Redis finds little on any day.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// All keys.
const ALL: u32 = 1_000;
/// Those that are let back at once.
const FIRST: u32 = 50;
/// Reads that may find nothing in Redis, of all. Such a read costs three to four times one of the source: with
/// a tenth of them a source that was busy all the time gives about four fifths of what it gave, with a
/// quarter not much more than half.
const BEARABLE: f64 = 0.1;
/// Looks are counted for so long before more keys are let back, and then so many times more at the most.
const WINDOW: Duration = Duration::from_millis(50);
const STEP: f64 = 1.25;
/// When it has lasted too long, so many times more in each window.
const LAST_STEP: f64 = 1.01;
/// Fewer looks than this in a window are no load that could be too much.
const FEW: u32 = 16;
/// A Redis that has grown cold is empty under load when so many looks find nothing within so short a time.
const MANY: u32 = 2_000;
const SOON: Duration = Duration::from_secs(1);
/// A Redis that grows cold again so soon (times the longest readmission) does so by its nature.
const REST: u32 = 3;

#[derive(Debug)]
pub(super) struct Readmission {
    start: Instant,
    longest: Duration,
    /// Of a thousand keys.
    share: AtomicU32,
    /// From when on more are let back whatever is found, from when on another one may begin by itself, and
    /// until when looks in vain are counted for that: in milliseconds after `start`.
    over_at: AtomicU64,
    rests_until: AtomicU64,
    doubts_until: AtomicU64,
    in_vain: AtomicU32,
    window: Mutex<Window>,
}

#[derive(Debug)]
struct Window {
    began: Instant,
    looks: u32,
    found: u32,
}

impl Window {
    fn new(began: Instant) -> Self {
        Self {
            began,
            looks: 0,
            found: 0,
        }
    }
}

impl Readmission {
    /// Everybody is let in until [`Readmission::begin`].
    pub(super) fn new(longest: Duration) -> Self {
        let start = Instant::now();
        Self {
            start,
            longest,
            share: AtomicU32::new(ALL),
            over_at: AtomicU64::new(0),
            rests_until: AtomicU64::new(0),
            doubts_until: AtomicU64::new(0),
            in_vain: AtomicU32::new(0),
            window: Mutex::new(Window::new(start)),
        }
    }

    /// Redis is back.
    pub(super) fn begin(&self, now: Instant) {
        let (over_at, longest) = (self.millis(now + self.longest), millis(self.longest));
        self.over_at.store(over_at, Ordering::Release);
        let rests_until = over_at + u64::from(REST) * longest;
        self.rests_until.store(rests_until, Ordering::Release);
        *self.window() = Window::new(now);
        self.share.store(FIRST, Ordering::Release);
    }

    /// Looks have begun to find nothing, in a Redis that was never away. It may have lost everything.
    pub(super) fn doubt(&self, now: Instant) {
        if self.is_over() && self.millis(now) >= self.rests_until.load(Ordering::Acquire) {
            self.in_vain.store(0, Ordering::Release);
            self.doubts_until
                .store(self.millis(now + SOON), Ordering::Release);
        }
    }

    /// A look in vain. What little comes is looked for and filled as ever.
    fn confirm(&self) {
        let doubts_until = self.doubts_until.load(Ordering::Acquire);
        if doubts_until == 0 {
            return;
        }
        let now = Instant::now();
        if self.millis(now) > doubts_until {
            self.doubts_until.store(0, Ordering::Release);
        } else if self.in_vain.fetch_add(1, Ordering::AcqRel) + 1 == MANY {
            self.doubts_until.store(0, Ordering::Release);
            tracing::info!("hardly anything is in redis: it is filled little by little");
            self.begin(now);
        }
    }

    /// Everybody is let back.
    pub(super) fn end(&self) {
        self.share.store(ALL, Ordering::Release);
    }

    /// Whether a key with this hash is let in.
    pub(super) fn admits(&self, hash: u64, now: Instant) -> bool {
        if self.is_over() {
            return true;
        }
        self.go_on(&mut self.window(), now);
        hash % u64::from(ALL) < u64::from(self.share.load(Ordering::Acquire))
    }

    /// Somebody who was let in has looked.
    pub(super) fn note(&self, found: bool) {
        if self.is_over() {
            if !found {
                self.confirm();
            }
            return;
        }
        let mut window = self.window();
        window.looks += 1;
        window.found += u32::from(found);
    }

    fn is_over(&self) -> bool {
        self.share.load(Ordering::Acquire) >= ALL
    }

    fn go_on(&self, window: &mut Window, now: Instant) {
        let windows = now
            .saturating_duration_since(window.began)
            .div_duration_f64(WINDOW);
        if windows < 1.0 {
            return;
        }
        let counted = std::mem::replace(window, Window::new(now));
        let share = f64::from(self.share.load(Ordering::Acquire));
        // Where nobody asks, nobody looks at the time either.
        let steps = if counted.looks < FEW { windows } else { 1.0 };
        let next = counted.bearable_share(share);
        let mut next = next.min(share * STEP.powf(steps) + 1.0);
        if self.millis(now) >= self.over_at.load(Ordering::Acquire) {
            next = next.max(share * LAST_STEP + 1.0);
        }
        if next > share {
            self.share
                .store(whole(next.min(f64::from(ALL))), Ordering::Release);
        }
    }

    fn window(&self) -> MutexGuard<'_, Window> {
        // Numbers: nothing in it can be left half done.
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn millis(&self, now: Instant) -> u64 {
        millis(now.saturating_duration_since(self.start))
    }
}

impl Window {
    /// Of a thousand keys, those with which no more than a bearable part of all reads would find nothing: of
    /// those that come to the `share` now, nothing is there.
    fn bearable_share(&self, share: f64) -> f64 {
        if self.looks < FEW {
            return f64::from(ALL);
        }
        let found = f64::from(self.found) / f64::from(self.looks);
        share * found + f64::from(ALL) * BEARABLE
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 8)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 1,000"
)]
fn whole(share: f64) -> u32 {
    share as u32
}

#[cfg(test)]
mod tests;
