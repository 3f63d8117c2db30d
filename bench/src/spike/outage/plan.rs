//! What is offered in a course, and when Redis is struck and mended in it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Offered;
use super::fault::Fault;
use crate::spike::open::{Profile, Step};

/// What is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Rate {
    /// 80 % of what is served with Redis.
    Redis,
    /// As much as the database alone can serve.
    Database,
    /// 60 % of that.
    Ordinary,
}

impl Rate {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redis => "with Redis",
            Self::Database => "database, 100 %",
            Self::Ordinary => "database, 60 %",
        }
    }
}

/// What comes in which order, and how long it lasts.
#[derive(Debug)]
pub(super) struct Plan {
    legs: Vec<(Rate, Vec<Fault>)>,
    /// At a new rate, before Redis is struck.
    settling: Duration,
    outage: Duration,
    after: Duration,
}

/// When something is to happen, from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) fault: Fault,
    pub(super) rate: Rate,
    pub(super) strike: Duration,
    pub(super) mend: Duration,
    pub(super) until: Duration,
}

impl Plan {
    /// With what is lost in the end last: filling Redis anew takes longest.
    pub(super) fn of_all(is_quick: bool) -> Self {
        use Fault::{Flushed, Hung, Killed, OutOfMemory, ReadOnly};
        let seconds = Duration::from_secs;
        if is_quick {
            return Self {
                legs: vec![(Rate::Redis, vec![Killed]), (Rate::Database, vec![Hung])],
                settling: seconds(2),
                outage: seconds(3),
                after: seconds(4),
            };
        }
        let all = vec![OutOfMemory, ReadOnly, Hung, Flushed, Killed];
        Self {
            legs: vec![
                (Rate::Redis, all),
                (Rate::Database, vec![Hung]),
                (Rate::Ordinary, vec![Killed]),
            ],
            settling: seconds(3),
            outage: seconds(6),
            after: seconds(6),
        }
    }

    /// With memory as it ships most is not asked of Redis.
    pub(super) fn of_shipped() -> Self {
        Self {
            legs: vec![(Rate::Redis, vec![Fault::Killed])],
            ..Self::of_all(false)
        }
    }

    fn lasts(&self, faults: usize) -> Duration {
        self.settling + (self.outage + self.after) * u32::try_from(faults).unwrap_or(u32::MAX)
    }

    pub(super) fn profile(&self, offered: Offered) -> Profile {
        let steps = self.legs.iter().map(|(rate, faults)| Step {
            per_second: offered.at(*rate),
            lasts: self.lasts(faults.len()),
        });
        Profile {
            steps: steps.collect(),
            ..Profile::poisson(&[], self.settling)
        }
    }

    pub(super) fn dues(&self) -> Vec<Due> {
        let (mut dues, mut begins) = (Vec::new(), Duration::ZERO);
        for (rate, faults) in &self.legs {
            let mut strike = begins + self.settling;
            for fault in faults {
                let mend = strike + self.outage;
                let until = mend + self.after;
                dues.push(Due {
                    fault: *fault,
                    rate: *rate,
                    strike,
                    mend,
                    until,
                });
                strike = until;
            }
            begins += self.lasts(faults.len());
        }
        dues
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outage_lies_within_its_rate() {
        for plan in [Plan::of_all(false), Plan::of_all(true), Plan::of_shipped()] {
            let offered = Offered {
                alone: 100.0,
                with_redis: 300.0,
            };
            let profile = plan.profile(offered);
            for due in plan.dues() {
                let steps = (0..profile.steps.len()).filter(|step| {
                    profile.start_of(*step) < due.strike && due.until <= profile.start_of(step + 1)
                });
                let steps: Vec<f64> = steps.map(|step| profile.steps[step].per_second).collect();
                assert_eq!(steps, [offered.at(due.rate)], "{due:?}");
            }
            let last = plan.dues().last().map(|due| due.until);
            assert_eq!(last, Some(profile.lasts()));
        }
    }

    #[test]
    fn the_full_course_has_every_fault_beyond_what_the_database_can() {
        let dues = Plan::of_all(false).dues();
        let faults = dues.iter().filter(|due| due.rate == Rate::Redis);
        assert_eq!(faults.count(), 5);
    }
}
