//! What an outage was like, out of what was answered in each quarter of a second.

use serde::{Deserialize, Serialize};

use crate::spike::open::Slice;
use crate::statistics::rounded;

/// Looked at before Redis is struck.
const BEFORE: f64 = 2.0;
/// Quarters that a second has: shorter dips are the arrivals' own.
const SECOND: usize = 4;
/// Of what was answered before, to be back.
const BACK: f64 = 0.9;

/// A quarter of a second, by the times at which requests were due; all a second.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(crate) struct Moment {
    pub(crate) at: f64,
    pub(crate) offered: f64,
    /// 200 in time.
    pub(crate) good: f64,
    /// 503 with Retry-After.
    pub(crate) refused: f64,
    /// Late, or failed in any other way.
    pub(crate) lost: f64,
}

/// When Redis was struck and mended, and until when it was left alone, in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Span {
    pub(super) struck: f64,
    pub(super) mended: f64,
    pub(super) until: f64,
}

/// Good answers a second, before and meanwhile, and what came after.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Judged {
    pub(super) offered: f64,
    pub(super) before: f64,
    pub(super) meanwhile: f64,
    pub(super) worst_second: f64,
    /// From its return until 90 % of what was answered before; `None` when that was not seen.
    pub(super) back_after: Option<f64>,
    /// The worst second after that, as a part of what was answered before.
    pub(super) worst_after: Option<f64>,
}

impl Moment {
    pub(super) fn of(slice: &Slice) -> Self {
        let each_second = |count: u64| count as f64 / Slice::SECONDS;
        let lost = slice.offered.saturating_sub(slice.ok + slice.refused);
        Self {
            at: slice.at,
            offered: each_second(slice.offered),
            good: each_second(slice.ok),
            refused: each_second(slice.refused),
            lost: each_second(lost),
        }
    }

    fn ends(&self) -> f64 {
        self.at + Slice::SECONDS
    }
}

pub(super) fn judge(moments: &[Moment], span: Span) -> Judged {
    let part = |holds: &dyn Fn(&Moment) -> bool| -> Vec<Moment> {
        moments.iter().filter(|one| holds(one)).copied().collect()
    };
    let before = part(&|one| one.at >= span.struck - BEFORE && one.ends() <= span.struck);
    // The quarter in which Redis was struck is one of the outage, however little of it was.
    let meanwhile = part(&|one| one.ends() > span.struck && one.at < span.mended);
    let after = part(&|one| one.at >= span.mended && one.ends() <= span.until);
    let normal = mean(&before, |one| one.good);
    let mut seconds = after.windows(SECOND);
    let back = seconds.position(|second| mean(second, |one| one.good) >= BACK * normal);
    let back = back.filter(|_| normal > 0.0);
    Judged {
        offered: mean(&before, |one| one.offered),
        before: normal,
        meanwhile: mean(&meanwhile, |one| one.good),
        worst_second: worst_second(&meanwhile).unwrap_or_default(),
        back_after: back.map(|place| rounded(after[place].at - span.mended)),
        worst_after: back.and_then(|place| Some(worst_second(&after[place..])? / normal)),
    }
}

fn mean(moments: &[Moment], of: impl Fn(&Moment) -> f64) -> f64 {
    moments.iter().map(of).sum::<f64>() / moments.len().max(1) as f64
}

fn worst_second(moments: &[Moment]) -> Option<f64> {
    let seconds = moments.windows(SECOND);
    let seconds = seconds.map(|second| mean(second, |one| one.good));
    seconds.min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A quarter for each number.
    fn moments(good: &[f64]) -> Vec<Moment> {
        let moment = |(place, good): (usize, &f64)| Moment {
            at: place as f64 * Slice::SECONDS,
            offered: 100.0,
            good: *good,
            refused: 100.0 - good,
            lost: 0.0,
        };
        good.iter().enumerate().map(moment).collect()
    }

    /// Two seconds before, one second of it, then what comes.
    fn judged(meanwhile: [f64; 4], after: &[f64]) -> Judged {
        let good = [&[100.0; 8][..], &meanwhile, after].concat();
        let until = good.len() as f64 * Slice::SECONDS;
        let span = Span {
            struck: 2.0,
            mended: 3.0,
            until,
        };
        judge(&moments(&good), span)
    }

    #[test]
    fn goodput_is_the_mean_of_the_whole_outage() {
        let judged = judged([0.0, 40.0, 80.0, 80.0], &[100.0; 8]);
        assert_eq!((judged.before, judged.meanwhile), (100.0, 50.0));
        assert_eq!(judged.worst_second, 50.0);
        assert_eq!(judged.back_after, Some(0.0));
    }

    #[test]
    fn the_quarter_in_which_it_is_struck_counts() {
        let good = [&[100.0; 8][..], &[0.0; 4], &[100.0; 8]].concat();
        let span = Span {
            struck: 2.2,
            mended: 2.9,
            until: 5.0,
        };
        let judged = judge(&moments(&good), span);
        assert_eq!((judged.before, judged.meanwhile), (100.0, 0.0));
    }

    #[test]
    fn back_is_a_whole_second_of_nine_tenths() {
        // A quarter alone is not enough.
        let after = [[0.0, 95.0, 0.0, 0.0], [89.0; 4], [91.0; 4], [91.0; 4]].concat();
        let judged = judged([50.0; 4], &after);
        assert_eq!(judged.back_after, Some(1.5));
        assert_eq!(judged.worst_after, Some(0.9));
    }

    #[test]
    fn what_never_comes_back_is_not_back() {
        let never = judged([50.0; 4], &[80.0; 20]);
        assert_eq!((never.back_after, never.worst_after), (None, None));
        let nothing = judge(
            &moments(&[0.0; 20]),
            Span {
                struck: 2.0,
                mended: 3.0,
                until: 5.0,
            },
        );
        assert_eq!(
            nothing.back_after, None,
            "there was nothing to come back to"
        );
    }

    #[test]
    fn a_second_collapse_is_seen() {
        let after = [[100.0; 4], [10.0; 4], [100.0; 4]].concat();
        let judged = judged([50.0; 4], &after);
        assert_eq!(judged.back_after, Some(0.0));
        assert_eq!(judged.worst_after, Some(0.1));
    }

    #[test]
    fn what_is_neither_good_nor_refused_is_lost() {
        let slice = Slice {
            at: 1.0,
            offered: 10,
            ok: 6,
            refused: 1,
            ..Slice::default()
        };
        let moment = Moment::of(&slice);
        assert_eq!(
            (moment.good, moment.refused, moment.lost),
            (24.0, 4.0, 12.0)
        );
    }
}
