//! One target, from its peak to ten times that and back.

use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::costs::{Costs, Used};
use super::{CONNECTIONS, FACTORS, LOAD_CPU, MOST_PER_SECOND, Target};
use crate::console::say;
use crate::failure::{Failure, Result};
use crate::spike::open::{Load, Profile, Slice, Step, StepTally, Tally};
use crate::statistics::rounded;

/// Each try at the peak offers so much more than the last.
const STEEPER: f64 = 1.5;
/// The search is over when so small a part of what is offered is answered.
const OVER: f64 = 0.6;
const MOST_TRIES: usize = 16;
/// The ordinary load, as a part of the peak.
const ORDINARY: f64 = 0.8;
/// Of the former share of good answers, to be itself again.
const RECOVERED: f64 = 0.99;
/// So many quarters of a second in a row must be as good.
const STEADY: usize = 4;

/// What was measured of one target.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Surface {
    pub(crate) name: String,
    /// Most good answers a second that came in the later part of a try.
    pub(crate) peak: f64,
    pub(crate) search: Vec<Point>,
    /// 80 %, the multiples, 80 %.
    pub(crate) steps: Vec<Point>,
    /// By quarters of a second.
    pub(crate) timeline: Vec<Moment>,
    /// The highest multiple that could be offered.
    pub(crate) highest_factor: f64,
    /// Its goodput, as a part of the peak.
    pub(crate) goodput_share: f64,
    /// p99 of what is accepted there, as a multiple of that at 80 %.
    pub(crate) p99_ratio: f64,
    /// From the end of the overload; absent when it was not seen to recover.
    pub(crate) recovery_seconds: Option<f64>,
    /// Requests of the whole run that were neither answered in time nor refused in order.
    pub(crate) disorderly: u64,
    /// Absent where hardly anything was refused.
    #[serde(default)]
    pub(crate) costs: Option<Costs>,
}

/// One rate.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Point {
    /// Multiple of the peak; 0 in the search for it.
    pub(crate) factor: f64,
    pub(crate) offered: f64,
    pub(crate) goodput: f64,
    pub(crate) refused: f64,
    pub(crate) late: u64,
    pub(crate) other: u64,
    pub(crate) failed: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) refusal_p99_ms: f64,
    /// Until a request was sent.
    pub(crate) sending_p99_ms: f64,
    /// Part of its CPU that the generator used.
    pub(crate) generator_busy: f64,
    /// Part of a CPU that the node used; only of the steps.
    #[serde(default)]
    pub(crate) server_busy: f64,
    /// Part of a CPU that the source's database used, too.
    #[serde(default)]
    pub(crate) source_busy: f64,
}

/// A quarter of a second.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Moment {
    pub(crate) at: f64,
    pub(crate) offered: f64,
    pub(crate) goodput: f64,
    pub(crate) p99_ms: f64,
}

pub(super) async fn measure(target: &Target<'_>) -> Result<Surface> {
    let (search, peak) = search(target).await?;
    if peak <= 0.0 {
        return Err(Failure::unexpected(format!(
            "{}: nothing was answered",
            target.name
        )));
    }
    let profile = profile(target, peak);
    let load = load(target, profile.clone()).run();
    let (tally, used) = tokio::join!(load, cpu_of_steps(target, &profile));
    let mut surface = of(target.name, peak, search, &profile, &tally?);
    let seconds = profile.steps.iter().map(|step| step.lasts.as_secs_f64());
    for ((point, used), seconds) in surface.steps.iter_mut().zip(used?).zip(seconds) {
        point.server_busy = rounded(used.node / seconds);
        point.source_busy = rounded(used.source / seconds);
    }
    let last = surface.steps.len() - 1;
    surface.costs = Costs::of(&surface.steps[0], &surface.steps[last - 1]);
    Ok(surface)
}

/// CPU seconds that were used in each step.
async fn cpu_of_steps(target: &Target<'_>, profile: &Profile) -> Result<Vec<Used>> {
    let (begun, mut steps) = (Instant::now(), Vec::new());
    let mut before = Used::so_far(target)?;
    for step in 0..profile.steps.len() {
        sleep_until(begun + profile.start_of(step + 1)).await;
        let now = Used::so_far(target)?;
        steps.push(now.since(before));
        before = now;
    }
    Ok(steps)
}

/// Offers ever more until most of it is not answered. The peak is what comes out while a line
/// may stand already, by the time of the answers: by that of the requests, those who still wait in
/// line when a try ends would count as answered in it.
async fn search(target: &Target<'_>) -> Result<(Vec<Point>, f64)> {
    let (mut rate, mut points, mut peak) = (target.from, Vec::new(), 0.0_f64);
    for _ in 0..MOST_TRIES {
        let profile = Profile::poisson(&[rate], target.seconds.ramp);
        let tally = load(target, profile).run().await?;
        let point = Point::of(0.0, &tally.steps[0]);
        let given = tally.given_since(target.seconds.ramp / 3);
        peak = peak.max(given);
        let is_over = given < point.offered * OVER;
        say(&point.line());
        points.push(point);
        if is_over || rate >= MOST_PER_SECOND {
            break;
        }
        rate = (rate * STEEPER).min(MOST_PER_SECOND);
    }
    Ok((points, peak))
}

/// 80 %, the multiples that can be offered, 80 %.
fn profile(target: &Target<'_>, peak: f64) -> Profile {
    let (lengths, ordinary) = (target.seconds, peak * ORDINARY);
    let step = |per_second, lasts| Step { per_second, lasts };
    let mut steps = vec![step(ordinary, lengths.before)];
    for factor in FACTORS {
        let rate = peak * factor;
        steps.push(step(rate.min(MOST_PER_SECOND), lengths.spike));
        if rate >= MOST_PER_SECOND {
            break;
        }
    }
    steps.push(step(ordinary, lengths.after));
    Profile {
        steps,
        ..Profile::poisson(&[], lengths.before)
    }
}

fn load(target: &Target<'_>, profile: Profile) -> Load {
    Load {
        connections: CONNECTIONS,
        cpu: Some(LOAD_CPU),
        ..Load::new(target.server, target.requests.clone(), profile)
    }
}

fn of(name: &str, peak: f64, search: Vec<Point>, profile: &Profile, tally: &Tally) -> Surface {
    let steps: Vec<Point> = profile
        .steps
        .iter()
        .zip(&tally.steps)
        .map(|(step, tally)| Point::of(step.per_second / peak, tally))
        .collect();
    steps.iter().for_each(|point| say(&point.line()));
    let last = steps.len() - 1;
    let (before, highest) = (&steps[0], &steps[last - 1]);
    let spike_ends = profile.start_of(last).as_secs_f64();
    Surface {
        name: name.to_owned(),
        peak: rounded(peak),
        highest_factor: highest.factor,
        goodput_share: rounded(highest.goodput / peak),
        p99_ratio: rounded(highest.p99_ms / before.p99_ms.max(f64::MIN_POSITIVE)),
        recovery_seconds: recovery(&tally.slices, before, spike_ends),
        disorderly: tally.steps.iter().map(StepTally::disorderly).sum(),
        timeline: tally.slices.iter().map(Moment::of).collect(),
        search,
        steps,
        costs: None,
    }
}

/// From `ends` until as large a part of what is offered is answered again as before.
fn recovery(slices: &[Slice], before: &Point, ends: f64) -> Option<f64> {
    let share = RECOVERED * before.goodput / before.offered.max(f64::MIN_POSITIVE);
    let after: Vec<&Slice> = slices.iter().filter(|slice| slice.at >= ends).collect();
    let steady = after.windows(STEADY).find(|some| {
        let sum = |of: fn(&Slice) -> u64| some.iter().map(|slice| of(slice)).sum::<u64>() as f64;
        sum(|slice| slice.ok) >= share * sum(|slice| slice.offered)
    });
    steady.map(|some| rounded(some[0].at - ends))
}

impl Point {
    pub(super) fn of(factor: f64, step: &StepTally) -> Self {
        let each_second = |count: u64| rounded(count as f64 / step.seconds);
        Self {
            factor: rounded(factor),
            offered: each_second(step.offered),
            goodput: each_second(step.ok),
            refused: each_second(step.refused),
            late: step.late,
            other: step.other,
            failed: step.failed,
            p50_ms: step.accepted.quantile_ms(0.5),
            p99_ms: step.accepted.quantile_ms(0.99),
            refusal_p99_ms: step.refusals.quantile_ms(0.99),
            sending_p99_ms: step.sending.quantile_ms(0.99),
            generator_busy: rounded(step.cpu_seconds / step.seconds),
            server_busy: 0.0,
            source_busy: 0.0,
        }
    }

    fn line(&self) -> String {
        format!(
            "  {:.0}/s offered: {:.0} good, {:.0} refused, {} late, {} other, {} failed; p50 {} ms, p99 {} ms",
            self.offered,
            self.goodput,
            self.refused,
            self.late,
            self.other,
            self.failed,
            self.p50_ms,
            self.p99_ms
        )
    }
}

impl Moment {
    fn of(slice: &Slice) -> Self {
        Self {
            at: slice.at,
            offered: slice.offered as f64 / Slice::SECONDS,
            goodput: slice.ok as f64 / Slice::SECONDS,
            p99_ms: slice.accepted.quantile_ms(0.99),
        }
    }
}
