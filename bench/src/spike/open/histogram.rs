//! Latencies by the million in a fixed space: buckets that grow with what they hold, 64 to each
//! doubling, so that a quantile is off by less than 1.6 %.

use std::time::Duration;

/// Buckets of each doubling.
const FINE: u64 = 64;
/// `FINE` is 2 to this power.
const FINE_BITS: u32 = 6;

/// Counts of durations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// By bucket, as far as there is anything.
    counts: Vec<u64>,
    count: u64,
    longest: Duration,
}

impl Histogram {
    pub(crate) fn add(&mut self, took: Duration) {
        let bucket = bucket(took);
        if self.counts.len() <= bucket {
            self.counts.resize(bucket + 1, 0);
        }
        self.counts[bucket] += 1;
        self.count += 1;
        self.longest = self.longest.max(took);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (own, others) in self.counts.iter_mut().zip(&other.counts) {
            *own += others;
        }
        self.count += other.count;
        self.longest = self.longest.max(other.longest);
    }

    #[cfg(test)]
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    #[cfg(test)]
    pub(crate) fn longest(&self) -> Duration {
        self.longest
    }

    /// What so large a part of the durations does not exceed; zero of none.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rank between 1 and the count"
    )]
    pub(crate) fn quantile(&self, part: f64) -> Duration {
        let rank = (self.count as f64 * part).ceil().max(1.0) as u64;
        let mut below = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            below += count;
            if below >= rank {
                return upper_end(bucket).min(self.longest);
            }
        }
        Duration::ZERO
    }

    pub(crate) fn quantile_ms(&self, part: f64) -> f64 {
        crate::statistics::rounded(self.quantile(part).as_secs_f64() * 1e3)
    }
}

fn bucket(took: Duration) -> usize {
    let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    let doublings = (u64::BITS - nanos.leading_zeros()).saturating_sub(FINE_BITS + 1);
    // Below FINE the value itself; beyond, its highest bits and how many there are below them.
    let place = u64::from(doublings) * FINE + (nanos >> doublings);
    usize::try_from(place).unwrap_or(usize::MAX)
}

/// The largest duration of a bucket.
fn upper_end(bucket: usize) -> Duration {
    let bucket = bucket as u64;
    let doublings = (bucket / FINE).saturating_sub(1);
    let start = u128::from(bucket - doublings * FINE) << doublings;
    let end = start + (1_u128 << doublings) - 1;
    Duration::from_nanos(u64::try_from(end).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn nothing_has_no_quantile_and_one_value_is_every_quantile() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(0.99), Duration::ZERO);
        histogram.add(Duration::from_millis(7));
        assert_eq!(histogram.quantile(0.01), Duration::from_millis(7));
        assert_eq!(histogram.quantile(1.0), histogram.longest());
    }

    proptest! {
        #[test]
        fn a_quantile_is_off_by_less_than_two_percent(
            mut nanos in prop::collection::vec(0..u64::MAX / 4, 1..200), part in 0.0..=1.0_f64,
        ) {
            let (mut first, mut second) = (Histogram::default(), Histogram::default());
            for (number, nano) in nanos.iter().enumerate() {
                let half = if number % 2 == 0 { &mut first } else { &mut second };
                half.add(Duration::from_nanos(*nano));
            }
            first.merge(&second);
            nanos.sort_unstable();
            let rank = ((nanos.len() as f64 * part).ceil().max(1.0)) as usize;
            let exact = nanos[rank - 1] as f64;
            let found = first.quantile(part).as_nanos() as f64;
            prop_assert!(found >= exact && found <= exact * 1.016 + 1.0, "{found} for {exact}");
            prop_assert_eq!(first.count(), nanos.len() as u64);
        }

        #[test]
        fn a_longer_time_is_never_in_an_earlier_bucket(nanos in 0..u64::MAX - 1, more in 0..1_000_000_u64) {
            let longer = nanos.saturating_add(more);
            let (short, long) = (bucket(Duration::from_nanos(nanos)), bucket(Duration::from_nanos(longer)));
            prop_assert!(short <= long);
            prop_assert!(upper_end(short) >= Duration::from_nanos(nanos));
        }
    }
}
