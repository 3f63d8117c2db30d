//! A node whose cache is empty: after a start, and when it is lost in the middle of the day.
//!
//! What the cache holds needs no worker and takes a moment; everything else is a database's work,
//! of which the load asks for several times more than there is. Each answer fills the cache.

use std::collections::HashSet;

use super::*;

pub(super) const HIT_MICROS: u64 = 500;
const KEYS: u32 = 20_000;
/// Three times what the workers can do without a cache.
const LOAD: f64 = 3.0;

pub(super) struct Cache {
    held: HashSet<u32>,
    /// In microseconds; the cache is lost then.
    lost_at: Option<u64>,
    random: Random,
}

impl Cache {
    fn empty(lost_at: Option<u64>) -> Self {
        Self {
            held: HashSet::new(),
            lost_at,
            random: Random(0x1234_5678_9abc_def1),
        }
    }

    pub(super) fn any_key(&mut self) -> u32 {
        (self.random.next() * f64::from(KEYS)) as u32
    }

    pub(super) fn has(&mut self, key: u32, now: u64) -> bool {
        if self.lost_at.is_some_and(|at| now >= at) {
            self.lost_at = None;
            self.held.clear();
        }
        self.held.contains(&key)
    }

    pub(super) fn fill(&mut self, key: u32) {
        self.held.insert(key);
    }
}

fn options() -> AdmissionOptions {
    AdmissionOptions::new(inspect)
}

/// What the second that begins then brought, as a part of what was asked for.
fn served(outcome: &Outcome, second: f64) -> f64 {
    outcome.goodput(second, second + 1.0) / (LOAD * CAPACITY)
}

/// From `cold` on: never less than the database gives, then everything.
fn assert_warms_up(outcome: &Outcome, cold: f64) {
    for second in 0..10 {
        let part = served(outcome, cold + f64::from(second));
        assert!(part >= 0.9 / LOAD, "{second} s after: {part:.2}");
    }
    let warm = served(outcome, cold + 12.0);
    assert!(warm > 0.98, "12 s after: {warm:.2}");
    let late = outcome.p99(cold, cold + 10.0, ANY);
    assert!(late < 250_000, "p99 of the answered {late} us");
}

#[test]
fn a_node_that_starts_with_an_empty_cache_into_full_load_serves_what_it_can_and_then_all() {
    let cache = Some(Cache::empty(None));
    let outcome = run(15.0, &reads(LOAD), &options(), true, pool(), cache);
    assert_warms_up(&outcome, 0.0);
}

#[test]
fn a_cache_that_is_lost_later_is_survived_without_a_new_start() {
    let cache = Some(Cache::empty(Some(20_000_000)));
    let outcome = run(35.0, &reads(LOAD), &options(), true, pool(), cache);
    assert!(served(&outcome, 19.0) > 0.98, "it was warm before");
    assert_warms_up(&outcome, 20.0);
}

#[test]
fn without_admission_control_a_cold_cache_makes_everybody_wait_for_seconds() {
    let cache = Some(Cache::empty(None));
    let outcome = run(15.0, &reads(LOAD), &options(), false, pool(), cache);
    let worst = (1..10)
        .map(|second| served(&outcome, f64::from(second)))
        .fold(1.0, f64::min);
    let late = outcome.p99(0.0, 10.0, ANY);
    assert!(
        worst < 0.75 / LOAD && late > 1_000_000,
        "the simulation would show nothing: {worst:.2}, p99 {late} us"
    );
}
