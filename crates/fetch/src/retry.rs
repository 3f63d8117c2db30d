//! What is worth another try, and when.

use std::time::Duration;

use corkboard_core::connected::FetchVerdict;

use crate::call::Answer;
use crate::problem::Problem;

/// Statuses that may pass by themselves, the synthetic ones included.
const RETRYABLE: [u16; 10] = [408, 425, 429, 500, 502, 503, 504, 529, 598, 599];

const FIRST: Duration = Duration::from_millis(250);
const LONGEST: Duration = Duration::from_secs(20);

/// Whether another try may end better.
pub(crate) fn is_retryable(status: u16) -> bool {
    RETRYABLE.contains(&status)
}

/// The pause behind the `attempt`-th try (counted from 1): anything up to 250 ms doubled with every
/// try, at most 20 s; and never less than what the endpoint asked for.
pub(crate) fn pause(attempt: u8, asked: Option<Duration>) -> Duration {
    let doublings = u32::from(attempt.saturating_sub(1)).min(16);
    let longest = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    let mut random = [0_u8; 4];
    // Without entropy it is the whole pause: still a pause.
    let share = getrandom::fill(&mut random).map_or(u32::MAX, |()| u32::from_be_bytes(random));
    let jittered = longest.mul_f64(f64::from(share) / f64::from(u32::MAX));
    // Those who were told the same time do not all come at it.
    asked.map_or(jittered, |asked| asked.saturating_add(jittered))
}

/// A failure without a retry to come.
pub(crate) fn given_up(retries: u8) -> FetchVerdict {
    if retries > 0 {
        FetchVerdict::GaveUp
    } else {
        FetchVerdict::Settled
    }
}

/// Whether to try again. A call that was only held back cost the endpoint nothing: it may be tried
/// again without having been asked for, and does not count. A retry that was held back because
/// there are too many of them does, or it might never end.
pub(crate) fn verdict(answer: &Answer, attempt: u8, retries: u8) -> FetchVerdict {
    let problem = answer.problem.as_ref();
    let held_back = problem.is_some_and(Problem::held_back);
    let too_many = matches!(problem, Some(Problem::NoRetry));
    // Tokens come with first tries, so it is worth waiting for some.
    let pause_of = if too_many { u8::MAX } else { attempt };
    let after = pause(pause_of, answer.retry_after);
    if held_back && !too_many {
        FetchVerdict::Again { after, attempt }
    } else if !is_retryable(answer.status) {
        FetchVerdict::Settled
    } else if attempt > retries {
        given_up(retries)
    } else {
        let attempt = attempt + 1;
        FetchVerdict::Again { after, attempt }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_lie_anywhere_below_a_doubling_bound() {
        for (attempt, longest) in [(1, 250), (2, 500), (5, 4_000), (8, 20_000), (255, 20_000)] {
            let longest = Duration::from_millis(longest);
            let pauses: Vec<Duration> = (0..200).map(|_| pause(attempt, None)).collect();
            assert!(pauses.iter().all(|pause| *pause <= longest), "{attempt}");
            assert!(pauses.iter().any(|pause| *pause < longest / 4), "{attempt}");
            assert!(
                pauses.iter().any(|pause| *pause > longest / 4 * 3),
                "{attempt}"
            );
        }
    }

    #[test]
    fn the_endpoint_has_a_say() {
        let asked = Duration::from_secs(7);
        assert!((0..100).all(|_| pause(1, Some(asked)) >= asked));
        assert!(pause(1, Some(Duration::MAX)) >= asked);
    }

    #[test]
    fn what_the_request_got_wrong_is_not_tried_again() {
        for status in [
            0, 200, 204, 301, 400, 401, 403, 404, 405, 410, 413, 422, 501, 505,
        ] {
            assert!(!is_retryable(status), "{status}");
        }
    }
}
