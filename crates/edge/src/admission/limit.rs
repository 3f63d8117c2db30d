//! How many requests may be worked on at once: found by watching what one more of them costs.
//!
//! Time passes in windows. While no more requests are in flight than the floor, what they take is
//! what work takes when nothing waits for anything: the baseline, one for each priority. Beyond the
//! floor, a window that takes longer than the baseline by more than the tolerance shrinks the limit
//! in proportion; one in which somebody had to wait and that takes no longer lets it grow. So a
//! slower database lowers the limit until at the floor the new baseline is learned, within half a second, and
//! the limit climbs again from there, quickly until a window takes too long; nothing has to be probed. Times are averaged as logarithms: one slow
//! request in a hundred says nothing about the rest.

use std::time::Duration;

use super::Priority;
use super::options::AdmissionOptions;

/// A window is over after this time, if it has seen enough.
const WINDOW: Duration = Duration::from_millis(100);
const ENOUGH: u32 = 16;
/// A window with fewer requests than [`ENOUGH`] is over after this time.
const LONGEST_WINDOW: Duration = Duration::from_secs(1);
/// How much longer than its baseline work may take before the limit shrinks.
const TOLERANCE: f64 = 1.25;
/// What one window may take off the limit at the most.
const STEEPEST: f64 = 0.7;
/// How far one window moves the baseline down, and how far up.
const SAME_PACE: f64 = 0.2;
const ANOTHER_PACE: f64 = 0.5;
/// What one window adds to the limit on the way up from the floor with a new baseline: how many places
/// there are now is unknown, and every window with fewer is work not done. Otherwise it adds its root.
const SWIFT: f64 = 0.5;
/// What one window of late scheduling takes off the limit.
const LATE: f64 = 0.9;

#[derive(Debug)]
pub(crate) struct Limit {
    floor: f64,
    ceiling: f64,
    slow_start: Duration,
    target: Duration,
    value: f64,
    /// On the way up from the floor with a new baseline, until a window has taken too long.
    swift: bool,
    /// Logarithms of microseconds.
    baseline: [Option<f64>; 4],
    window: Window,
}

#[derive(Debug, Default)]
struct Window {
    began: Duration,
    most_in_flight: u32,
    somebody_waited: bool,
    least_lag: Option<Duration>,
    sums: [(f64, u32); 4],
}

impl Limit {
    pub(crate) fn new(options: &AdmissionOptions) -> Self {
        let floor = f64::from(options.min_in_flight.max(1));
        Self {
            floor,
            ceiling: f64::from(options.max_in_flight).max(floor),
            slow_start: options.slow_start,
            target: options.target,
            value: floor,
            swift: false,
            baseline: [None; 4],
            window: Window::default(),
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
        let least = self.window.least_lag.unwrap_or(lag);
        self.window.least_lag = Some(least.min(lag));
    }

    pub(crate) fn in_flight(&mut self, in_flight: u32) {
        self.window.most_in_flight = self.window.most_in_flight.max(in_flight);
    }

    /// A request was answered after `took`. True when the limit was looked at anew.
    pub(crate) fn sample(&mut self, now: Duration, priority: Priority, took: Duration) -> bool {
        let (sum, count) = &mut self.window.sums[priority as usize];
        *sum += (took.as_secs_f64() * 1e6).max(1.0).ln();
        *count += 1;
        let age = now.saturating_sub(self.window.began);
        if age < WINDOW {
            return false;
        }
        let seen: u32 = self.window.sums.iter().map(|(_, count)| count).sum();
        if seen < ENOUGH && age < LONGEST_WINDOW {
            return false;
        }
        let next = Window {
            began: now,
            ..Window::default()
        };
        let window = std::mem::replace(&mut self.window, next);
        self.learn(now, &window);
        true
    }

    fn learn(&mut self, now: Duration, window: &Window) {
        let alone = f64::from(window.most_in_flight) <= self.floor;
        let excess = self.compare(window, alone);
        let late = window.least_lag.is_some_and(|lag| lag > self.target);
        if late {
            self.value *= LATE;
            self.swift = false;
        } else if !alone && excess > TOLERANCE {
            self.value *= (TOLERANCE / excess).max(STEEPEST);
            self.swift = false;
        } else if window.somebody_waited && excess <= TOLERANCE {
            let step = if self.swift {
                SWIFT * self.value
            } else {
                self.value.sqrt()
            };
            self.value += step;
        }
        self.value = self.value.clamp(self.floor, self.ceiling_at(now));
        // Another pace: what the limit was before says nothing about what it should be.
        self.swift |= alone && excess > TOLERANCE;
    }

    /// How much longer than the baseline the window's requests took, as a factor; learns from it.
    fn compare(&mut self, window: &Window, alone: bool) -> f64 {
        let (mut sum, mut all) = (0.0, 0.0);
        for (baseline, (logs, count)) in self.baseline.iter_mut().zip(window.sums) {
            if count == 0 {
                continue;
            }
            let count = f64::from(count);
            let mean = logs / count;
            let known = *baseline.get_or_insert(mean);
            if alone || mean < known {
                // Slower although nothing waits: that is another pace, and until it is learned the
                // limit stays at the floor.
                let step = if mean > known {
                    ANOTHER_PACE
                } else {
                    SAME_PACE
                };
                *baseline = Some(known + step * (mean - known));
            }
            sum += (mean - known) * count;
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
