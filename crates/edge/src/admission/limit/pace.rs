//! A line or another pace: what a smaller limit does to throughput tells them apart.
//!
//! When work takes longer, the limit shrinks. If throughput stays and times fall, there was a line,
//! and fewer in it is right. If throughput falls with the limit and times stay, nothing waited for
//! anything: work itself takes longer. By chance, throughput may also have fallen for a reason of
//! its own in that very moment, and a line would be taken for the pace of work for good; so the
//! verdict holds only once throughput has come back with the former limit.
//!
//! There is something in between: work done for many at once, as by readers that take all who wait in one
//! statement. The more are in flight the longer each takes, and the less each costs. There a step up is right as
//! long as throughput follows.

use std::time::Duration;

use super::window::Window;

/// The part of the former number in flight at which a smaller limit has shown what it does.
const FEWER: f64 = 0.75;

/// The part of a step up (as logarithms) by which throughput has to follow. In a line it is nothing. Where a
/// crowd costs less by the head, throughput stops to follow by so much when three quarters or more of all that
/// can be had are there; a half of it, which is where throughput for the time it takes is highest, may leave
/// no more than a half.
const FOLLOWS: f64 = 0.25;

/// By priority, the mean of the logarithms of microseconds.
pub(super) type Paces = [Option<f64>; 4];

/// What a window showed of the limit that was in force.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) limit: f64,
    pub(super) somebody_waited: bool,
    pub(super) certain: bool,
    in_flight: f64,
    /// Answers a second.
    rate: f64,
    means: [Option<(f64, f64)>; 4],
}

/// A change of the limit whose effect has not been seen yet.
#[derive(Debug)]
pub(super) enum Trial {
    /// The limit has been shrinking since, because work took longer than its baseline.
    Shrinking { since: Seen },
    /// The limit was raised a lot. Without more throughput it goes back, and the baseline becomes
    /// what was known before, if another was learned above the floor. With more, what takes longer now is no
    /// line.
    Raised { from: Seen, known: Option<Paces> },
}

impl Seen {
    pub(super) fn new(window: &Window, now: Duration, limit: f64) -> Self {
        Self {
            limit,
            somebody_waited: window.somebody_waited,
            certain: window.is_certain(),
            in_flight: f64::from(window.most_in_flight.max(1)),
            rate: f64::from(window.seen()) / window.age(now).as_secs_f64().max(1e-3),
            means: window.means(),
        }
    }

    /// Whether the limit has shrunk enough since then to show what that does.
    pub(super) fn shows_anything(&self, since: &Self) -> bool {
        self.certain && self.in_flight <= FEWER * since.in_flight
    }

    /// Whether fewer took as long and got less done, and it was the limit that made them fewer.
    pub(super) fn shows_another_pace(&self, since: &Self) -> bool {
        self.shows_anything(since)
            && self.somebody_waited
            && self.faster(since) < self.more(since) / 2.0
            && self.longer(since) > self.more(since) / 2.0
    }

    /// Whether more than then got no more done, though there was more to do. A baseline in doubt
    /// needs a proof; otherwise what is not certain refutes nothing.
    pub(super) fn refutes(&self, from: &Self, in_doubt: bool) -> bool {
        let refuted = if self.certain {
            !self.follows(from)
        } else {
            in_doubt
        };
        self.somebody_waited && refuted
    }

    /// Whether it is certain that a step up from then has brought more throughput.
    pub(super) fn bears_out(&self, from: &Self) -> bool {
        from.in_flight <= FEWER * self.in_flight
            && self.certain
            && self.somebody_waited
            && self.follows(from)
    }

    fn follows(&self, from: &Self) -> bool {
        self.faster(from) >= self.more(from) * FOLLOWS
    }

    /// The paces seen, and those of `known` for priorities that were not.
    pub(super) fn paces_or(&self, known: Paces) -> Paces {
        std::array::from_fn(|priority| {
            self.means[priority]
                .map(|(mean, _)| mean)
                .or(known[priority])
        })
    }

    // Compared with another window, as logarithms: in flight, throughput, time. Where nothing
    // waits, throughput changes as the number in flight does; in a line, the time does.

    fn more(&self, other: &Self) -> f64 {
        (self.in_flight / other.in_flight).ln()
    }

    fn faster(&self, other: &Self) -> f64 {
        (self.rate / other.rate).ln()
    }

    /// A priority is compared with itself only.
    fn longer(&self, other: &Self) -> f64 {
        let (mut change, mut all) = (0.0, 0.0);
        for (mean, before) in self.means.into_iter().zip(other.means) {
            if let (Some((mean, count)), Some((before, _))) = (mean, before) {
                change += (mean - before) * count;
                all += count;
            }
        }
        if all > 0.0 {
            change / all
        } else {
            // Nothing to compare: for all that is known, times fell.
            f64::NEG_INFINITY
        }
    }
}

#[cfg(test)]
mod tests;
