//! One load in which Redis is struck and mended again and again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::Offered;
use super::fault::Fault;
use super::judge::{Moment, Span, judge};
use super::plan::{Due, Plan, Rate};
use super::watch::{self, Sample, Watch};
use crate::console::say;
use crate::failure::Result;
use crate::spike::open::{Load, StepTally, Tally};
use crate::spike::redis::Redis;
use crate::statistics::rounded;

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
    /// At the database at a time, from the strike until the next one.
    pub(crate) most_statements: u64,
    pub(crate) most_connections: u64,
    pub(crate) statements_before: f64,
    pub(crate) statements_meanwhile: f64,
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
        let bore = watch::between(self.samples, struck, until);
        let rate =
            |from, until| rounded(watch::between(self.samples, from, until).statements_each_second);
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
            most_statements: bore.most_statements,
            most_connections: bore.most_connections,
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
