//! What a simulation brought: who was answered when, and who was refused.

use std::collections::HashMap;

use super::*;

/// One answered request.
pub(super) struct Done {
    pub(super) arrived: u64,
    pub(super) finished: u64,
    pub(super) passport: Passport,
}

#[derive(Default)]
pub(super) struct Outcome {
    pub(super) done: Vec<Done>,
    pub(super) refused: HashMap<Passport, u64>,
}

impl Outcome {
    /// Answers within 250 ms, a second, of those that arrived in the span (in seconds).
    pub(super) fn goodput(&self, from: f64, to: f64) -> f64 {
        let good = self
            .done
            .iter()
            .filter(|done| done.finished - done.arrived <= 250_000 && done.is_within(from, to));
        good.count() as f64 / (to - from)
    }

    pub(super) fn p99(&self, from: f64, to: f64, of: impl Fn(&Passport) -> bool) -> u64 {
        let mut took: Vec<u64> = self
            .done
            .iter()
            .filter(|done| done.is_within(from, to) && of(&done.passport))
            .map(|done| done.finished - done.arrived)
            .collect();
        took.sort_unstable();
        took[took.len() * 99 / 100]
    }

    pub(super) fn success(&self, of: impl Fn(&Passport) -> bool) -> f64 {
        let done = self.done.iter().filter(|done| of(&done.passport)).count() as f64;
        let refused: u64 = self
            .refused
            .iter()
            .filter(|(passport, _)| of(passport))
            .map(|(_, count)| count)
            .sum();
        done / (done + refused as f64)
    }
}

impl Done {
    pub(super) fn is_within(&self, from: f64, to: f64) -> bool {
        (from..to).contains(&(self.arrived as f64 / 1e6))
    }
}
