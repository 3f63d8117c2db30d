//! The few numbers that a run is reduced to: medians, spreads, percentiles, a slope.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How long many requests took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) count: u64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    pub(crate) max_ms: f64,
}

impl Latency {
    /// All zero for none.
    pub(crate) fn of(took: impl IntoIterator<Item = Duration>) -> Self {
        let mut took: Vec<f64> = took
            .into_iter()
            .map(|one| one.as_secs_f64() * 1e3)
            .collect();
        took.sort_by(f64::total_cmp);
        Self {
            count: took.len() as u64,
            p50_ms: rounded(percentile(&took, 0.50)),
            p99_ms: rounded(percentile(&took, 0.99)),
            max_ms: rounded(percentile(&took, 1.0)),
        }
    }
}

/// The smallest of the sorted values that so large a part of them does not exceed; 0 of nothing.
pub(crate) fn percentile(sorted: &[f64], part: f64) -> f64 {
    let rank = (sorted.len() as f64 * part).ceil().max(1.0) as usize;
    sorted.get(rank - 1).copied().unwrap_or(0.0)
}

/// Three digits behind the point are more than such numbers are good for.
pub(crate) fn rounded(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// The middle value; the mean of the two middle ones for an even count; 0 of nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

/// How far the rounds lie apart: largest less smallest, as a part of the median.
pub(crate) fn spread(values: &[f64]) -> f64 {
    let middle = median(values);
    if middle == 0.0 {
        return 0.0;
    }
    let most = values.iter().copied().fold(f64::MIN, f64::max);
    let least = values.iter().copied().fold(f64::MAX, f64::min);
    (most - least) / middle
}

/// The slope of the line that fits the points best: units of `y` for each unit of `x`. 0 when all
/// points have the same `x`.
pub(crate) fn slope(points: &[(f64, f64)]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful of points")]
    let count = points.len() as f64;
    let mean = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).sum::<f64>() / count;
    let (mean_x, mean_y) = (mean(|point| point.0), mean(|point| point.1));
    let (mut over, mut under) = (0.0, 0.0);
    for (x, y) in points {
        over += (x - mean_x) * (y - mean_y);
        under += (x - mean_x) * (x - mean_x);
    }
    if under > 0.0 { over / under } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn close(left: f64, right: f64) -> bool {
        (left - right).abs() <= 1e-9 * (1.0 + right.abs())
    }

    #[test]
    fn the_median_is_the_middle_and_not_moved_by_an_outlier() {
        assert!(close(median(&[3.0, 1.0, 900.0]), 3.0));
        assert!(close(median(&[1.0, 2.0, 4.0, 3.0]), 2.5));
        assert!(close(median(&[]), 0.0));
    }

    #[test]
    fn the_spread_is_relative_to_the_median() {
        assert!(close(spread(&[90.0, 100.0, 110.0]), 0.2));
        assert!(close(spread(&[5.0]), 0.0));
        assert!(close(spread(&[]), 0.0));
    }

    #[test]
    fn points_on_one_place_have_no_slope() {
        assert!(close(slope(&[(1.0, 1.0), (1.0, 5.0)]), 0.0));
        assert!(close(slope(&[]), 0.0));
    }

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let took = Latency::of((1..=200).rev().map(Duration::from_millis));
        assert!(
            close(took.p50_ms, 100.0) && close(took.p99_ms, 198.0),
            "{took:?}"
        );
        assert!(close(took.max_ms, 200.0) && took.count == 200);
        assert_eq!(Latency::of([]), Latency::default());
    }

    proptest! {
        #[test]
        fn percentiles_grow_with_their_part(values in prop::collection::vec(0.0..1e6_f64, 1..99), part in 0.0..1.0_f64) {
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            let (some, all) = (percentile(&sorted, part), percentile(&sorted, 1.0));
            prop_assert!(some <= all && sorted.contains(&some));
            let below = sorted.iter().filter(|value| **value <= some).count() as f64;
            prop_assert!(below >= part * sorted.len() as f64 - 1e-9);
        }

        #[test]
        fn points_on_a_line_give_its_slope(
            rise in -100.0..100.0_f64, start in -100.0..100.0_f64,
            places in prop::collection::btree_set(-1_000_i32..1_000, 2..20),
        ) {
            let points: Vec<_> =
                places.into_iter().map(|x| (f64::from(x), start + rise * f64::from(x))).collect();
            prop_assert!((slope(&points) - rise).abs() < 1e-6);
        }

        #[test]
        fn the_median_lies_within_the_values(values in prop::collection::vec(-1e9..1e9_f64, 1..50)) {
            let middle = median(&values);
            prop_assert!(values.iter().any(|value| *value <= middle));
            prop_assert!(values.iter().any(|value| *value >= middle));
        }
    }
}
