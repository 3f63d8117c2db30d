//! One load in which Redis is struck and mended again and again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::Offered;
use super::fault::Fault;
use super::judge::{Moment, Span, judge};
use super::watch::{self, Sample, Watch};
use crate::console::say;
use crate::failure::Result;
use crate::spike::open::{Load, Profile, Step, StepTally, Tally};
use crate::spike::redis::Redis;
use crate::statistics::rounded;

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

/// A course, and what came of it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Course {
    /// The node's.
    pub(crate) memory: String,
    pub(crate) losses: Vec<Loss>,
    pub(crate) requests: u64,
    /// Answered too late, or never sent because no connection came free.
    pub(crate) late: u64,
    /// Statuses other than 200 and 503, and connections that broke.
    pub(crate) disorderly: u64,
    /// Answers that were another one's.
    pub(crate) foreign: u64,
    pub(crate) moments: Vec<Moment>,
}

/// One time that Redis went; rates are good answers a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Loss {
    pub(crate) fault: Fault,
    pub(crate) rate: Rate,
    /// In seconds of the course.
    pub(crate) struck: f64,
    pub(crate) mended: f64,
    pub(crate) offered: f64,
    pub(crate) before: f64,
    pub(crate) meanwhile: f64,
    pub(crate) worst_second: f64,
    /// `meanwhile` as a part of what was to be had: what was answered before, or what the database
    /// alone can serve if that is less.
    pub(crate) share: f64,
    pub(crate) back_after: Option<f64>,
    pub(crate) worst_after: Option<f64>,
    /// At the database, from the strike until the next one.
    pub(crate) most_statements: u64,
    pub(crate) statements_before: f64,
    pub(crate) statements_meanwhile: f64,
}

/// When something is to happen, from the beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Due {
    fault: Fault,
    rate: Rate,
    strike: Duration,
    mend: Duration,
    until: Duration,
}

impl Plan {
    /// With what is lost in the end last: filling Redis anew takes longest.
    pub(super) fn of_all(is_quick: bool) -> Self {
        use Fault::{Flushed, Hung, Killed, OutOfMemory, ReadOnly};
        let seconds = Duration::from_secs;
        if is_quick {
            return Self {
                legs: vec![
                    (Rate::Redis, vec![Hung, Killed]),
                    (Rate::Database, vec![Killed]),
                ],
                settling: seconds(3),
                outage: seconds(2),
                after: seconds(5),
            };
        }
        let all = vec![OutOfMemory, ReadOnly, Hung, Flushed, Killed];
        Self {
            legs: vec![
                (Rate::Redis, all),
                (Rate::Database, vec![Hung, Killed]),
                (Rate::Ordinary, vec![Killed]),
            ],
            settling: seconds(3),
            outage: seconds(5),
            after: seconds(7),
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

    fn profile(&self, offered: Offered) -> Profile {
        let steps = self.legs.iter().map(|(rate, faults)| Step {
            per_second: offered.at(*rate),
            lasts: self.lasts(faults.len()),
        });
        Profile {
            steps: steps.collect(),
            ..Profile::poisson(&[], self.settling)
        }
    }

    fn dues(&self) -> Vec<Due> {
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

pub(super) async fn run(
    load: Load,
    plan: &Plan,
    offered: Offered,
    redis: &mut Redis,
    watch: &Watch<'_>,
    memory: &str,
) -> Result<Course> {
    let load = Load {
        profile: plan.profile(offered),
        ..load
    };
    let dues = plan.dues();
    let both = async { tokio::try_join!(load.run(), happen(&dues, redis)) };
    let ((tally, happened), samples) = watch.during(both).await?;
    let moments: Vec<Moment> = tally.slices.iter().map(Moment::of).collect();
    let mut losses = Vec::with_capacity(dues.len());
    for (due, (struck, mended)) in dues.iter().zip(happened) {
        let seen = Seen {
            moments: &moments,
            samples: &samples,
            begun: tally.begun,
            alone: offered.alone,
        };
        let loss = seen.loss(*due, struck, mended);
        say(&loss.line());
        losses.push(loss);
    }
    Ok(Course::of(memory, losses, &tally, moments))
}

/// Does what is due; when each began and when each was over.
async fn happen(dues: &[Due], redis: &mut Redis) -> Result<Vec<(Instant, Instant)>> {
    let begun = Instant::now();
    let mut happened = Vec::with_capacity(dues.len());
    for due in dues {
        sleep_until(begun + due.strike).await;
        let struck = Instant::now();
        due.fault.strike(redis).await?;
        sleep_until(begun + due.mend).await;
        due.fault.mend(redis).await?;
        happened.push((struck, Instant::now()));
    }
    Ok(happened)
}

/// What there is to judge by.
#[derive(Debug)]
struct Seen<'a> {
    moments: &'a [Moment],
    samples: &'a [Sample],
    begun: Instant,
    alone: f64,
}

impl Seen<'_> {
    fn loss(&self, due: Due, struck: Instant, mended: Instant) -> Loss {
        let until = self.begun + due.until;
        let at = |time: Instant| time.saturating_duration_since(self.begun).as_secs_f64();
        let judged = judge(
            self.moments,
            Span {
                struck: at(struck),
                mended: at(mended),
                until: due.until.as_secs_f64(),
            },
        );
        let before = struck.checked_sub(Duration::from_secs(2)).unwrap_or(struck);
        let (most_statements, _) = watch::between(self.samples, struck, until);
        let rate = |from, until| rounded(watch::between(self.samples, from, until).1);
        let to_be_had = judged.before.min(self.alone).max(f64::MIN_POSITIVE);
        Loss {
            fault: due.fault,
            rate: due.rate,
            struck: rounded(at(struck)),
            mended: rounded(at(mended)),
            offered: rounded(judged.offered),
            before: rounded(judged.before),
            meanwhile: rounded(judged.meanwhile),
            worst_second: rounded(judged.worst_second),
            share: rounded(judged.meanwhile / to_be_had),
            back_after: judged.back_after,
            worst_after: judged.worst_after.map(rounded),
            most_statements,
            statements_before: rate(before, struck),
            statements_meanwhile: rate(struck, mended),
        }
    }
}

impl Course {
    fn of(memory: &str, losses: Vec<Loss>, tally: &Tally, moments: Vec<Moment>) -> Self {
        let sum = |of: fn(&StepTally) -> u64| tally.steps.iter().map(of).sum();
        Self {
            memory: memory.to_owned(),
            losses,
            requests: sum(|step| step.offered),
            late: sum(|step| step.late),
            disorderly: sum(|step| step.other + step.failed),
            foreign: sum(|step| step.foreign),
            moments,
        }
    }
}

impl Loss {
    fn line(&self) -> String {
        let back = self.back_after;
        format!(
            "  {}, {}: {:.0} good before, {:.0} meanwhile ({:.2} of what was to be had, worst second {:.0}), \
             back after {}, then at least {:.2}; at most {} statements, {:.0}/s",
            self.fault.name(),
            self.rate.name(),
            self.before,
            self.meanwhile,
            self.share,
            self.worst_second,
            back.map_or("never".to_owned(), |seconds| format!("{seconds:.2} s")),
            self.worst_after.unwrap_or_default(),
            self.most_statements,
            self.statements_meanwhile,
        )
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
