//! How long to wait after a failure: doubling, bounded, and never the same for two workers.

use std::time::Duration;

const LONGEST: Duration = Duration::from_mins(1);

/// The pause after the `attempt`-th failure (counted from 1): between half and all of
/// `first * 2^(attempt - 1)`, at most a minute.
pub(crate) fn pause(first: Duration, attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let whole = first.saturating_mul(1 << doublings).min(LONGEST);
    let mut random = [0_u8; 2];
    // Without entropy the pause is the shorter half: still a pause.
    let share = getrandom::fill(&mut random).map_or(0, |()| u16::from_be_bytes(random));
    whole / 2 + (whole / 2).mul_f64(f64::from(share) / f64::from(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_minute_and_stay_in_the_upper_half() {
        let first = Duration::from_millis(100);
        for (attempt, whole) in [
            (1, 100),
            (2, 200),
            (5, 1_600),
            (30, 60_000),
            (u32::MAX, 60_000),
        ] {
            let whole = Duration::from_millis(whole);
            for _ in 0..50 {
                let pause = pause(first, attempt);
                assert!(pause >= whole / 2 && pause <= whole, "{attempt}: {pause:?}");
            }
        }
    }

    #[test]
    fn two_workers_do_not_pause_alike() {
        let pauses: std::collections::BTreeSet<_> =
            (0..20).map(|_| pause(Duration::from_secs(1), 3)).collect();
        assert!(pauses.len() > 1);
    }
}
