//! When those that were refused may come back: not all at once.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// A value for `Retry-After` in whole seconds: `average`, half of it more or less, so that those who were
/// refused together do not come back together.
#[must_use]
pub fn retry_after(average: Duration) -> u64 {
    let millis = u64::try_from(average.as_millis()).unwrap_or(u64::MAX);
    let least = millis / 2;
    let asked = least.saturating_add(dice() % millis.saturating_add(1));
    asked.div_ceil(1_000).max(1)
}

/// Even and cheap; nothing is kept secret by it (splitmix64 over a counter).
fn dice() -> u64 {
    static THROWS: AtomicU64 = AtomicU64::new(0);
    let mut z = THROWS.fetch_add(0x9e37_79b9_7f4a_7c15, Relaxed);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_asked_back_at_different_times_around_the_one_wanted() {
        let asked: Vec<u64> = (0..10_000)
            .map(|_| retry_after(Duration::from_secs(4)))
            .collect();
        for second in 3..=6 {
            let part = asked.iter().filter(|asked| **asked == second).count();
            assert!((2_000..3_000).contains(&part), "{second} s: {part}");
        }
        assert!(asked.iter().all(|asked| (2..=6).contains(asked)));
    }
}
