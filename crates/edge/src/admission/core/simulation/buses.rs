//! Work that is done for many at once: readers that take all who wait in one statement. The more are in flight the
//! longer each takes, and the less each costs, so that a limit that goes by times alone stays far too low.

use super::*;
use world::Bus;

/// What a statement takes by itself and for each of its users.
const ALONE_MICROS: f64 = 600.0;
const EACH_MICROS: f64 = 20.0;
const SEATS: usize = 64;
/// Readers, and what they read in a second when all their statements are full.
const READERS: usize = 12;
const GIVES: f64 = 1e6 / (EACH_MICROS + ALONE_MICROS / SEATS as f64);
/// The cache is gone from here to there, in seconds.
const GONE: u64 = 3;
const BACK: u64 = 7;

fn readers() -> Backend {
    Backend {
        way: 300,
        beside: |now, random| {
            let is_there = !(GONE..BACK).contains(&(now / 1_000_000));
            is_there.then(|| 100 + random.exponential(100.0))
        },
        bus: Some(Bus {
            seats: SEATS,
            each: EACH_MICROS,
            away: 0,
            refusal: 9,
        }),
        ..Backend::of(READERS, |_| ALONE_MICROS)
    }
}

/// More than everybody together could be given.
fn crowd() -> Vec<Stream> {
    (0..10)
        .map(|tenant| stream(Priority::Read, tenant, 1.7 * GIVES / 10.0))
        .collect()
}

/// Good answers in each second without the cache.
fn without_the_cache(options: &AdmissionOptions) -> Vec<f64> {
    let options = AdmissionOptions {
        slow_start: Duration::ZERO,
        ..options.clone()
    };
    let outcome = run(BACK as f64, &crowd(), &options, true, readers(), None);
    (GONE..BACK)
        .map(|second| outcome.goodput(second as f64, second as f64 + 1.0))
        .collect()
}

#[test]
fn readers_that_serve_many_at_once_are_given_many() {
    let full = AdmissionOptions {
        min_in_flight: 1_024,
        ..AdmissionOptions::new(inspect)
    };
    let can = without_the_cache(&full)[2];
    let found = without_the_cache(&AdmissionOptions::new(inspect));
    assert!(found[0] > 0.75 * can, "{found:?} of {can:.0}");
    assert!(
        found[1..].iter().all(|second| *second > 0.9 * can),
        "{found:?} of {can:.0}"
    );
}

#[test]
fn few_places_before_such_readers_give_a_fraction() {
    let few = AdmissionOptions {
        max_in_flight: 64,
        ..AdmissionOptions::new(inspect)
    };
    let found = without_the_cache(&few)[2];
    assert!(
        found < 0.3 * GIVES,
        "the simulation would show nothing: {found:.0} of {GIVES:.0}"
    );
}

/// Goodput in each second of a first overload, without any cache and with the readers so far away.
fn of_a_first_overload(away: u64, load: f64, min_in_flight: u32) -> Vec<f64> {
    let crowd: Vec<Stream> = (0..10)
        .flat_map(|tenant| {
            let of = |load: f64| stream(Priority::Read, tenant, load * GIVES / 10.0);
            let (usual, spike) = (of(0.4), of(load - 0.4));
            [usual, Stream { from: 1.0, ..spike }]
        })
        .collect();
    let options = AdmissionOptions {
        slow_start: Duration::ZERO,
        min_in_flight,
        ..AdmissionOptions::new(inspect)
    };
    let mut backend = Backend {
        beside: |_, _| None,
        ..readers()
    };
    if let Some(bus) = &mut backend.bus {
        bus.away = away;
    }
    let outcome = run(6.0, &crowd, &options, true, backend, None);
    (1..6)
        .map(|second| outcome.goodput(f64::from(second), f64::from(second) + 1.0))
        .collect()
}

#[test]
fn a_first_overload_shows_what_such_readers_bear() {
    let usual = AdmissionOptions::new(inspect).min_in_flight;
    for (away, load) in [(0, 2.5), (20_000, 1.2), (20_000, 1.7)] {
        let can = of_a_first_overload(away, load, 1_024)[4];
        let found = of_a_first_overload(away, load, usual);
        assert!(
            found[1..].iter().all(|second| *second > 0.8 * can),
            "{away} us away, {load} times: {found:?} of {can:.0}"
        );
    }
}
