//! When requests are due: a rate for so long, then another one, in even steps or as people come.

use std::time::Duration;

/// A rate for some time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) per_second: f64,
    pub(crate) lasts: Duration,
}

/// How requests of a step follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrivals {
    /// At equal distances.
    #[cfg_attr(
        not(test),
        expect(
            dead_code,
            reason = "tests need exact times; the bench's clients come as people do"
        )
    )]
    Even,
    /// Independent of each other, as from many clients; the same every time for one seed.
    Poisson { seed: u64 },
}

/// Steps, one after the other.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Profile {
    pub(crate) steps: Vec<Step>,
    pub(crate) arrivals: Arrivals,
}

/// A request's time, from the beginning, and its step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Due {
    pub(crate) at: Duration,
    pub(crate) step: usize,
}

impl Profile {
    /// As people come, at rates for the same time each.
    pub(crate) fn poisson(rates: &[f64], lasts: Duration) -> Self {
        let steps = rates.iter().map(|rate| Step {
            per_second: *rate,
            lasts,
        });
        Self {
            steps: steps.collect(),
            arrivals: Arrivals::Poisson { seed: 1 },
        }
    }

    /// Where a step begins.
    pub(crate) fn start_of(&self, step: usize) -> Duration {
        self.steps.iter().take(step).map(|step| step.lasts).sum()
    }

    pub(crate) fn lasts(&self) -> Duration {
        self.start_of(self.steps.len())
    }

    pub(super) fn schedule(&self) -> Schedule {
        let seed = match self.arrivals {
            Arrivals::Even => None,
            Arrivals::Poisson { seed } => Some(Random(seed)),
        };
        Schedule {
            steps: self.steps.clone(),
            random: seed,
            step: 0,
            begins: 0.0,
            sent: 0.0,
            last: 0.0,
        }
    }
}

/// The due times, in order.
#[derive(Debug)]
pub(super) struct Schedule {
    steps: Vec<Step>,
    random: Option<Random>,
    step: usize,
    /// The step's begin, in seconds, and what it has given out.
    begins: f64,
    sent: f64,
    last: f64,
}

impl Iterator for Schedule {
    type Item = Due;

    fn next(&mut self) -> Option<Due> {
        loop {
            let step = self.steps.get(self.step)?;
            let end = self.begins + step.lasts.as_secs_f64();
            let at = if step.per_second <= 0.0 {
                end
            } else {
                match &mut self.random {
                    // The first in the middle of its share, so that two steps never meet.
                    None => self.begins + (self.sent + 0.5) / step.per_second,
                    Some(random) => self.last + random.exponential() / step.per_second,
                }
            };
            if at < end {
                (self.sent, self.last) = (self.sent + 1.0, at);
                return Some(Due {
                    at: Duration::from_secs_f64(at),
                    step: self.step,
                });
            }
            // Such arrivals remember nothing, so the next step's may begin anew at its begin.
            (self.begins, self.sent, self.last) = (end, 0.0, end);
            self.step += 1;
        }
    }
}

/// Splitmix64: enough for arrival times, and the same everywhere.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// With a mean of 1.
    fn exponential(&mut self) -> f64 {
        // 53 bits, and never 0: its logarithm has no end.
        let part = ((self.next() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
        -part.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn steps(rates: &[f64], arrivals: Arrivals) -> Profile {
        let lasts = Duration::from_secs(2);
        Profile {
            arrivals,
            ..Profile::poisson(rates, lasts)
        }
    }

    #[test]
    fn even_steps_give_exactly_their_rate() {
        let profile = steps(&[100.0, 0.0, 300.0], Arrivals::Even);
        let dues: Vec<Due> = profile.schedule().collect();
        let of = |step| dues.iter().filter(|due| due.step == step).count();
        assert_eq!((of(0), of(1), of(2)), (200, 0, 600));
        assert_eq!(dues[0].at, Duration::from_millis(5));
        assert!(dues[200].at > profile.start_of(2));
        assert_eq!(profile.lasts(), Duration::from_secs(6));
    }

    proptest! {
        #[test]
        fn times_rise_within_their_steps_and_come_near_the_rate(seed: u64, rate in 500.0..5_000.0_f64) {
            let profile = steps(&[rate, rate * 2.0], Arrivals::Poisson { seed });
            let dues: Vec<Due> = profile.schedule().collect();
            prop_assert!(dues.windows(2).all(|pair| pair[0].at <= pair[1].at));
            for (step, wanted) in [(0, rate * 2.0), (1, rate * 4.0)] {
                let within = dues.iter().filter(|due| due.step == step);
                let within: Vec<_> = within.collect();
                let (from, until) = (profile.start_of(step), profile.start_of(step + 1));
                prop_assert!(within.iter().all(|due| from <= due.at && due.at < until));
                // Six standard deviations.
                let off = (within.len() as f64 - wanted).abs();
                prop_assert!(off < 6.0 * wanted.sqrt(), "{} for {wanted}", within.len());
            }
        }
    }
}
