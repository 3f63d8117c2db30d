//! What became of the requests, by step and by quarter of a second of their due time.

use std::time::Duration;

use tokio::time::Instant;

use super::answer::Kind;
use super::histogram::Histogram;
use super::profile::{Due, Profile};

/// The grain of the timeline.
const SLICE: Duration = Duration::from_millis(250);

/// Everything that was counted.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    pub(crate) steps: Vec<StepTally>,
    pub(crate) slices: Vec<Slice>,
    /// When the first step began.
    pub(crate) begun: Instant,
    deadline: Duration,
}

/// The requests that were due within one step.
#[derive(Debug, Clone, Default)]
pub(crate) struct StepTally {
    pub(crate) seconds: f64,
    pub(crate) offered: u64,
    /// 200 within the deadline.
    pub(crate) ok: u64,
    /// 503 with Retry-After.
    pub(crate) refused: u64,
    /// Answered too late, or never sent because no connection came free in time.
    pub(crate) late: u64,
    /// Any other status.
    pub(crate) other: u64,
    /// 200 with what somebody else had asked for.
    pub(crate) foreign: u64,
    /// No answer: the connection broke, or said something that is none.
    pub(crate) failed: u64,
    /// Sent once more because a kept connection had been closed.
    pub(crate) resent: u64,
    /// Of every 200, also of late ones, from the due time.
    pub(crate) accepted: Histogram,
    pub(crate) refusals: Histogram,
    /// From the due time until it was sent: while connections are free, the generator's own slowness.
    pub(crate) sending: Histogram,
    /// Of the generator's thread.
    pub(crate) cpu_seconds: f64,
}

/// A quarter of a second.
#[derive(Debug, Clone, Default)]
pub(crate) struct Slice {
    /// Its begin.
    pub(crate) at: f64,
    pub(crate) offered: u64,
    pub(crate) ok: u64,
    pub(crate) refused: u64,
    pub(crate) accepted: Histogram,
    /// Good answers that came in it, whenever they were due.
    pub(crate) given: u64,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Answered(Kind),
    /// In line, or in flight when the run was over.
    Unanswered,
    Broken,
}

impl StepTally {
    /// Good answers a second.
    pub(crate) fn goodput(&self) -> f64 {
        self.ok as f64 / self.seconds.max(f64::MIN_POSITIVE)
    }

    /// Neither a good answer nor an orderly refusal.
    pub(crate) fn disorderly(&self) -> u64 {
        self.late + self.other + self.foreign + self.failed
    }
}

impl Slice {
    pub(crate) const SECONDS: f64 = 0.25;
}

impl Tally {
    pub(super) fn new(profile: &Profile, deadline: Duration) -> Self {
        let steps = profile.steps.iter().map(|step| StepTally {
            seconds: step.lasts.as_secs_f64(),
            ..StepTally::default()
        });
        let slices = profile.lasts().as_millis().div_ceil(SLICE.as_millis());
        let slices = (0..slices).map(|number| Slice {
            at: number as f64 * Slice::SECONDS,
            ..Slice::default()
        });
        Self {
            steps: steps.collect(),
            slices: slices.collect(),
            begun: Instant::now(),
            deadline,
        }
    }

    pub(super) fn offered(&mut self, due: Due) {
        let (step, slice) = self.at(due);
        step.offered += 1;
        slice.offered += 1;
    }

    pub(super) fn sent(&mut self, due: Due, now: Duration) {
        self.at(due).0.sending.add(now.saturating_sub(due.at));
    }

    pub(super) fn resent(&mut self, due: Due) {
        self.at(due).0.resent += 1;
    }

    pub(super) fn ended(&mut self, due: Due, now: Duration, end: End) {
        let took = now.saturating_sub(due.at);
        let in_time = took <= self.deadline;
        if in_time && matches!(end, End::Answered(Kind::Ok)) {
            self.slice(now).given += 1;
        }
        let (step, slice) = self.at(due);
        match end {
            End::Answered(Kind::Ok) => {
                step.accepted.add(took);
                slice.accepted.add(took);
                if in_time {
                    step.ok += 1;
                    slice.ok += 1;
                } else {
                    step.late += 1;
                }
            }
            End::Answered(Kind::Refused) => {
                step.refused += 1;
                slice.refused += 1;
                step.refusals.add(took);
            }
            End::Answered(Kind::Other(_)) => step.other += 1,
            End::Answered(Kind::Foreign) => step.foreign += 1,
            End::Unanswered => step.late += 1,
            End::Broken => step.failed += 1,
        }
    }

    pub(super) fn used_cpu(&mut self, step: usize, seconds: f64) {
        if let Some(step) = self.steps.get_mut(step) {
            step.cpu_seconds += seconds;
        }
    }

    /// Good answers a second that came from `from` until the end of the last step. Unlike those that
    /// were due then, these cannot be more than the server makes, however long its line has grown.
    pub(crate) fn given_since(&self, from: Duration) -> f64 {
        // The last slice also has what came after the end.
        let whole = self.slices.len().saturating_sub(1);
        let slices = self.slices[..whole].iter();
        let slices = slices.filter(|slice| slice.at >= from.as_secs_f64());
        let (count, given) = slices.fold((0_u32, 0), |(count, given), slice| {
            (count + 1, given + slice.given)
        });
        given as f64 / (f64::from(count.max(1)) * Slice::SECONDS)
    }

    fn at(&mut self, due: Due) -> (&mut StepTally, &mut Slice) {
        let slice = self.place(due.at);
        (&mut self.steps[due.step], &mut self.slices[slice])
    }

    fn slice(&mut self, now: Duration) -> &mut Slice {
        let slice = self.place(now);
        &mut self.slices[slice]
    }

    /// A due time lies within its step, and the slices cover them all; answers may come later.
    fn place(&self, at: Duration) -> usize {
        let slice = at.as_millis() / SLICE.as_millis();
        let slice = usize::try_from(slice).unwrap_or(usize::MAX);
        slice.min(self.slices.len().saturating_sub(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_grows_is_no_goodput() {
        let profile = Profile::poisson(&[20.0], Duration::from_secs(2));
        let mut tally = Tally::new(&profile, Duration::from_secs(1));
        for number in 0..40_u32 {
            // 20 come in a second, 10 are answered: the later half, late for all that are sent early.
            let at = Duration::from_millis(50) * number;
            let due = Due { at, step: 0 };
            tally.offered(due);
            tally.ended(
                due,
                at * 3 / 2 + Duration::from_millis(1),
                End::Answered(Kind::Ok),
            );
        }
        assert!(tally.steps[0].goodput() > 19.0, "{tally:?}");
        let given = tally.given_since(Duration::from_secs(1));
        assert!((12.0..15.0).contains(&given), "{given}");
    }
}
