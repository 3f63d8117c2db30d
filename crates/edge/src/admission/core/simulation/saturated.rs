//! A line that no pool shows: a processor on which every request takes longer the more there are,
//! and the limit has to see through it, at every height that it may have come to.

use super::*;

/// What a request takes of the one worker, and how many that makes a second.
const STEP_MICROS: f64 = 30.0;
const BEARS: f64 = 1e6 / STEP_MICROS;

fn processor() -> Backend {
    Backend {
        way: 1_000,
        ..Backend::of(1, |_| STEP_MICROS)
    }
}

fn options() -> AdmissionOptions {
    AdmissionOptions {
        slow_start: Duration::ZERO,
        ..AdmissionOptions::new(inspect)
    }
}

fn at(load: f64) -> Vec<Stream> {
    (0..10)
        .map(|tenant| stream(Priority::Read, tenant, load / 10.0))
        .collect()
}

#[test]
fn a_saturated_processor_gives_what_it_can() {
    for load in [2.0, 5.0] {
        let outcome = run(3.0, &at(load * BEARS), &options(), true, processor(), None);
        let goodput = outcome.goodput(0.0, 3.0);
        assert!(goodput >= 0.9 * BEARS, "{load}: {goodput:.0} of {BEARS:.0}");
        let p99 = outcome.p99(0.5, 3.0, ANY);
        assert!(p99 < 30_000, "{load}: p99 {p99} us");
    }
}

#[test]
fn a_processor_that_saturates_while_the_limit_is_high_gives_what_it_can() {
    // For three seconds everything comes from elsewhere, takes 20 ms and needs many places.
    let backend = Backend {
        beside: |now, random| (now < 3_000_000).then(|| 10_000 + random.exponential(10_000.0)),
        ..processor()
    };
    let outcome = run(6.0, &at(2.0 * BEARS), &options(), true, backend, None);
    let goodput = outcome.goodput(3.0, 6.0);
    assert!(goodput >= 0.9 * BEARS, "{goodput:.0} of {BEARS:.0}");
    let p99 = outcome.p99(4.0, 6.0, ANY);
    assert!(p99 < 30_000, "p99 {p99} us");
}

/// Milliseconds that change by up to a half every 47, in no order.
fn restless(now: u64) -> f64 {
    let draw = (now / 47_000).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 60;
    10_000.0 * (1.0 + draw as f64 / 30.0)
}

#[test]
fn a_line_before_a_restless_pool_does_not_become_the_pace() {
    let (places, seconds) = (200, 20.0);
    let backend = Backend::of(places, restless);
    let outcome = run(seconds, &at(40_000.0), &options(), true, backend, None);
    let (early, late) = (outcome.p99(2.0, 4.0, ANY), outcome.p99(18.0, seconds, ANY));
    assert!(
        2 * late < 3 * early && late < 60_000,
        "p99 {late} us after {early} us"
    );
    let gives = places as f64 * 1e6 / 12_500.0;
    let goodput = outcome.goodput(1.0, seconds);
    assert!(goodput > 0.9 * gives, "{goodput:.0} of {gives:.0}");
}
