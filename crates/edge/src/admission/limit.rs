//! How many requests may be worked on at once: found by watching what one more of them costs.
//!
//! Time passes in windows (`window.rs`). While no more requests are in flight than the floor, what
//! they take is what work takes when nothing waits for anything: the baseline, one for each
//! priority. Beyond the floor, a window that takes longer than the baseline by more than the
//! tolerance shrinks the limit in proportion; one in which somebody had to wait and that takes no
//! longer lets it grow.
//!
//! Work may also take longer for another reason than a line: a cache has gone, a database is far
//! away. At the floor that is the new baseline; above it, a limit that shrinks shows soon whether
//! throughput goes with it (`pace.rs`), and then the present time becomes the baseline, the limit
//! goes back to what it was, and doubles while throughput follows, whatever times do: what they are after a
//! step that throughput has followed is the baseline from there. Nothing has to be probed while
//! all goes as usual. Times are averaged as logarithms: one slow request in a hundred says nothing
//! about the rest.

use std::time::Duration;

use super::Priority;
use super::options::AdmissionOptions;
use lateness::Lateness;
use pace::{Paces, Seen, Trial};
use window::Window;

mod lateness;
mod pace;
mod window;

/// How much longer than its baseline work may take before the limit shrinks.
const TOLERANCE: f64 = 1.25;
/// What one window may take off the limit at the most.
const STEEPEST: f64 = 0.7;
/// How far one window moves the baseline down, and how far up when it has not seen many.
const SAME_PACE: f64 = 0.2;
const ANOTHER_PACE: f64 = 0.5;
/// What one window multiplies the limit by on the way up with a new baseline: how many places there are
/// now is unknown, and every window with fewer is work not done. It has to be certain, for the step
/// to be judged by the next one; otherwise a window adds the root.
const SWIFT: f64 = 2.0;
/// What one window of late scheduling takes off the limit.
const LATE: f64 = 0.9;

#[derive(Debug)]
pub(crate) struct Limit {
    floor: f64,
    ceiling: f64,
    slow_start: Duration,
    value: f64,
    /// On the way up with a new baseline, until a window has taken too long.
    swift: bool,
    trial: Option<Trial>,
    /// Logarithms of microseconds.
    baseline: Paces,
    window: Window,
    lateness: Lateness,
    in_flight: u32,
}

impl Limit {
    pub(crate) fn new(options: &AdmissionOptions) -> Self {
        let floor = f64::from(options.min_in_flight.max(1));
        Self {
            floor,
            ceiling: f64::from(options.max_in_flight).max(floor),
            slow_start: options.slow_start,
            value: floor,
            swift: false,
            trial: None,
            baseline: [None; 4],
            window: Window::new(Duration::ZERO, 0),
            lateness: Lateness::new(options.target),
            in_flight: 0,
        }
    }

    /// Requests that may be in flight now.
    pub(crate) fn get(&self) -> f64 {
        self.value
    }

    /// Somebody had to wait: it is the limit that binds.
    pub(crate) fn somebody_waited(&mut self) {
        self.window.somebody_waited = true;
    }

    /// A task ran so much later than it was due.
    pub(crate) fn lag(&mut self, lag: Duration) {
        self.lateness.add(lag);
    }

    pub(crate) fn in_flight(&mut self, in_flight: u32) {
        self.in_flight = in_flight;
        self.window.most_in_flight = self.window.most_in_flight.max(in_flight);
    }

    /// A request was answered after `took`. True when the limit was looked at anew.
    pub(crate) fn sample(&mut self, now: Duration, priority: Priority, took: Duration) -> bool {
        if !self.window.add(now, priority, took) {
            return false;
        }
        let window = std::mem::replace(&mut self.window, Window::new(now, 0));
        let was = self.value;
        self.learn(now, &window);
        self.value = self.value.clamp(self.floor, self.ceiling_at(now));
        if self.trial.is_some() || self.value < was {
            self.window = Window::new(now, self.in_flight);
        }
        if matches!(self.trial, Some(Trial::Raised { .. })) {
            self.window.look_twice();
        }
        true
    }

    fn learn(&mut self, now: Duration, window: &Window) {
        let seen = Seen::new(window, now, self.value);
        let late = self.lateness.is_late(now);
        let mut borne_out = false;
        let since = match self.trial.take() {
            Some(Trial::Raised { from, known }) if late || seen.refutes(&from, known.is_some()) => {
                self.swift = false;
                self.value = from.limit;
                self.baseline = known.unwrap_or(self.baseline);
                return;
            }
            Some(Trial::Raised { from, .. }) => {
                borne_out = seen.bears_out(&from);
                None
            }
            Some(Trial::Shrinking { since }) => Some(since),
            None => None,
        };
        let alone = f64::from(window.most_in_flight) <= self.floor;
        let mut excess = self.compare(window, alone);
        if borne_out && excess > TOLERANCE {
            self.baseline = seen.paces_or(self.baseline);
            excess = 1.0;
        }
        // Slower although nothing waits: that is another pace, and what the limit was before says
        // nothing about what it should be.
        let another = alone && excess > TOLERANCE;
        self.swift = (self.swift || another) && !late;
        if late {
            self.value *= LATE;
        } else if excess <= TOLERANCE || another && seen.certain {
            if seen.somebody_waited {
                self.grow(seen);
            }
        } else if !alone {
            self.shrink(excess, seen, since);
        }
    }

    fn grow(&mut self, seen: Seen) {
        if self.swift && seen.certain {
            self.value *= SWIFT;
            self.trial = Some(Trial::Raised {
                from: seen,
                known: None,
            });
        } else {
            self.value += self.value.sqrt();
        }
    }

    fn shrink(&mut self, excess: f64, seen: Seen, since: Option<Seen>) {
        let since = since.unwrap_or_else(|| seen.clone());
        if seen.shows_another_pace(&since) {
            let known = self.baseline;
            self.baseline = seen.paces_or(known);
            self.value = since.limit;
            self.swift = true;
            self.trial = Some(Trial::Raised {
                from: seen,
                known: Some(known),
            });
            return;
        }
        self.swift = false;
        self.value *= (TOLERANCE / excess).max(STEEPEST);
        self.trial = Some(Trial::Shrinking {
            since: if seen.shows_anything(&since) {
                seen
            } else {
                since
            },
        });
    }

    /// How much longer than the baseline the window's requests took, as a factor. Learns from it: a
    /// shorter time always, a longer one only when nothing waited.
    fn compare(&mut self, window: &Window, alone: bool) -> f64 {
        let (mut sum, mut all) = (0.0, 0.0);
        for (baseline, mean) in self.baseline.iter_mut().zip(window.means()) {
            let Some((mean, count)) = mean else { continue };
            let known = *baseline.get_or_insert(mean);
            let longer = mean - known;
            let step = match longer > 0.0 {
                true if !alone => 0.0,
                true if window.is_certain() && longer > TOLERANCE.ln() => 1.0,
                true => ANOTHER_PACE,
                false => SAME_PACE,
            };
            *baseline = Some(known + step * longer);
            sum += longer * count;
            all += count;
        }
        if all == 0.0 { 1.0 } else { (sum / all).exp() }
    }

    /// After a cold start caches are empty and pools are closed: the ceiling rises with time.
    fn ceiling_at(&self, now: Duration) -> f64 {
        if now >= self.slow_start {
            return self.ceiling;
        }
        let part = now.as_secs_f64() / self.slow_start.as_secs_f64();
        self.floor + (self.ceiling - self.floor) * part
    }
}

#[cfg(test)]
mod tests;
