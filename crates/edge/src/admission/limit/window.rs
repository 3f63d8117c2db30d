//! A stretch of time in which answers are counted before anything is said of them.
//!
//! It is over after 100 ms. Where there are many answers it is over sooner: what hundreds of them
//! took is known as well after 25 ms, and until it is known work is refused, or let in, in vain.

use std::time::Duration;

use super::super::Priority;

/// A window is over after this time, if it has seen enough.
pub(super) const WINDOW: Duration = Duration::from_millis(100);
pub(super) const ENOUGH: u32 = 16;
/// A window with fewer requests than [`ENOUGH`] is over after this time.
const LONGEST_WINDOW: Duration = Duration::from_secs(1);
/// A window is over after this time already, if it has seen many.
const SHORTEST_WINDOW: Duration = Duration::from_millis(25);
/// Not where throughput itself is asked for: answers may come by the dozen.
const SHORTEST_JUDGEMENT: Duration = Duration::from_millis(50);
pub(super) const MANY: u32 = 256;

#[derive(Debug)]
pub(super) struct Window {
    began: Duration,
    shortest: Duration,
    /// Answers still to come to requests from before the limit was changed.
    from_before: u32,
    pub(super) most_in_flight: u32,
    pub(super) somebody_waited: bool,
    /// By priority: logarithms of microseconds, and how many.
    pub(super) sums: [(f64, u32); 4],
}

impl Window {
    /// What the first `from_before` requests take says nothing of the limit as it is now.
    pub(super) fn new(began: Duration, from_before: u32) -> Self {
        Self {
            began,
            shortest: SHORTEST_WINDOW,
            from_before,
            most_in_flight: 0,
            somebody_waited: false,
            sums: [(0.0, 0); 4],
        }
    }

    /// Throughput will be judged by it.
    pub(super) fn look_twice(&mut self) {
        self.shortest = SHORTEST_JUDGEMENT;
    }

    /// Counts an answer. True when the window is over.
    pub(super) fn add(&mut self, now: Duration, priority: Priority, took: Duration) -> bool {
        let (sum, count) = &mut self.sums[priority as usize];
        *sum += (took.as_secs_f64() * 1e6).max(1.0).ln();
        *count += 1;
        let age = self.age(now);
        if self.from_before > 0 && age < WINDOW {
            self.from_before -= 1;
            if self.from_before == 0 {
                let shortest = self.shortest;
                *self = Self {
                    shortest,
                    ..Self::new(now, 0)
                };
            }
            return false;
        }
        let seen = self.seen();
        age >= self.shortest && seen >= MANY
            || age >= WINDOW && seen >= ENOUGH
            || age >= LONGEST_WINDOW
    }

    pub(super) fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.began)
    }

    pub(super) fn seen(&self) -> u32 {
        self.sums.iter().map(|(_, count)| count).sum()
    }

    /// Whether it says for certain how work goes under the limit as it is now.
    pub(super) fn is_certain(&self) -> bool {
        self.from_before == 0 && self.seen() >= MANY
    }

    /// By priority: the mean of the logarithms and how many it is of.
    pub(super) fn means(&self) -> [Option<(f64, f64)>; 4] {
        self.sums.map(|(sum, count)| {
            let count = f64::from(count);
            (count > 0.0).then(|| (sum / count, count))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(20);

    #[test]
    fn answers_to_requests_from_before_are_left_out() {
        let mut window = Window::new(Duration::ZERO, 500);
        let now = Duration::from_millis(30);
        assert!(!(0..500).any(|_| window.add(now, Priority::Read, TOOK)));
        assert_eq!((window.seen(), window.age(now)), (0, Duration::ZERO));
    }

    #[test]
    fn throughput_is_judged_by_a_longer_window_also_without_those_from_before() {
        for from_before in [0, 500] {
            let mut window = Window::new(Duration::ZERO, from_before);
            window.look_twice();
            let over = |window: &mut Window, millis, answers| {
                let now = Duration::from_millis(millis);
                (0..answers).any(|_| window.add(now, Priority::Read, TOOK))
            };
            assert!(!over(&mut window, 0, from_before));
            assert!(!over(&mut window, 49, MANY + 1));
            assert!(over(&mut window, 50, 1));
        }
    }

    #[test]
    fn a_window_in_which_they_have_not_all_come_is_not_certain() {
        let mut window = Window::new(Duration::ZERO, 500);
        assert!(!(0..300).any(|_| window.add(TOOK, Priority::Read, TOOK)));
        assert!(window.add(WINDOW, Priority::Read, TOOK) && !window.is_certain());
    }
}
