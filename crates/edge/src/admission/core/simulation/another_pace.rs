//! Work that takes longer for another reason than a line: a cache that answered in a millisecond is
//! gone, and everything comes from a database far away that bears much, given enough places.

use super::*;

/// The database: so many at a time, 20 ms each.
const PLACES: usize = 500;
const FAR: f64 = PLACES as f64 * 1e6 / MEAN_MICROS;
/// Half more than the database gives.
const OFFERED: f64 = 1.5 * FAR;
/// The cache is gone from here to there, in seconds.
const GONE: f64 = 5.0;
const BACK: f64 = 8.0;

fn is_there(now: u64) -> bool {
    !(GONE..BACK).contains(&(now as f64 / 1e6))
}

fn from_the_cache(random: &mut Random) -> u64 {
    500 + random.exponential(500.0)
}

fn far_database() -> Backend {
    Backend {
        beside: |now, random| is_there(now).then(|| from_the_cache(random)),
        ..Backend::of(PLACES, |_| MEAN_MICROS)
    }
}

/// The good answers given in each tenth of a second, of those that can be had (`rate` a second).
fn tenths(outcome: &Outcome, from: f64, to: f64, rate: f64) -> Vec<f64> {
    let mut tenths = vec![0.0; ((to - from) * 10.0).round() as usize];
    for done in &outcome.done {
        let tenth = (done.finished as f64 / 1e6 - from) * 10.0;
        if tenth >= 0.0
            && done.finished - done.arrived <= 250_000
            && let Some(part) = tenths.get_mut(tenth as usize)
        {
            *part += 10.0 / rate;
        }
    }
    tenths
        .into_iter()
        .map(|part| (part * 100.0).round() / 100.0)
        .collect()
}

fn offered(rate: f64) -> Vec<Stream> {
    (0..10)
        .map(|tenant| stream(Priority::Read, tenant, rate / 10.0))
        .collect()
}

fn after_the_loss(seconds: f64, backend: Backend) -> Outcome {
    let options = AdmissionOptions {
        slow_start: Duration::ZERO,
        ..AdmissionOptions::new(inspect)
    };
    run(seconds, &offered(OFFERED), &options, true, backend, None)
}

#[test]
fn a_lost_cache_costs_a_third_of_a_second_and_its_return_nothing() {
    let outcome = after_the_loss(10.0, far_database());
    let gone = tenths(&outcome, GONE, BACK, FAR);
    let back = tenths(&outcome, BACK, 10.0, OFFERED);
    assert!(gone[3..].iter().all(|part| *part > 0.8), "{gone:?}");
    assert!(back[1..].iter().all(|part| *part > 0.9), "{back:?}");
}

#[test]
fn a_cache_that_is_lost_again_while_the_limit_is_high_costs_no_more() {
    let backend = Backend {
        // Gone every other second.
        beside: |now, random| (now / 1_000_000 % 2 == 0).then(|| from_the_cache(random)),
        ..Backend::of(PLACES, |_| MEAN_MICROS)
    };
    let outcome = after_the_loss(10.0, backend);
    let gone = [1.0, 3.0, 5.0, 7.0, 9.0].map(|from| tenths(&outcome, from, from + 1.0, FAR));
    for tenths in &gone {
        assert!(tenths[3..].iter().all(|part| *part > 0.8), "{gone:?}");
    }
}

#[test]
fn a_cache_that_has_every_other_answer_is_another_pace_too() {
    let backend = Backend {
        beside: |now, random| {
            (is_there(now) || random.next() < 0.5).then(|| from_the_cache(random))
        },
        ..Backend::of(PLACES, |_| MEAN_MICROS)
    };
    let outcome = after_the_loss(8.0, backend);
    let gone = tenths(&outcome, GONE, BACK, OFFERED);
    assert!(gone[3..].iter().all(|part| *part > 0.8), "{gone:?}");
}

#[test]
fn a_cache_that_comes_and_goes_four_times_a_second_costs_little() {
    let backend = Backend {
        beside: |now, random| {
            let there = now / 125_000 % 2 == 0 && random.next() < 0.7;
            there.then(|| from_the_cache(random))
        },
        ..Backend::of(PLACES, |_| MEAN_MICROS)
    };
    let outcome = after_the_loss(8.0, backend);
    let all = outcome.goodput(1.0, 8.0) / ((FAR + OFFERED) / 2.0);
    assert!(all > 0.8, "{all:.2} of what can be had");
}
