//! The limit as it learns: growing, shrinking, learning anew, and never out of its bounds.

use super::super::Passport;
use super::window::ENOUGH;
use super::*;

fn inspect(_: &crate::Bearer<'_>) -> Passport {
    Passport::new(Priority::Read, b"")
}

fn limit() -> Limit {
    Limit::new(&AdmissionOptions {
        slow_start: Duration::ZERO,
        ..AdmissionOptions::new(inspect)
    })
}

/// `count` windows in which the limit binds and every request takes `took` milliseconds.
fn windows(limit: &mut Limit, from: u64, count: u64, took: u64) -> u64 {
    windows_of(|_| ENOUGH, limit, from, count, took)
}

/// The same with as many answers as a limit brings.
fn windows_of(answers: fn(f64) -> u32, limit: &mut Limit, from: u64, count: u64, took: u64) -> u64 {
    for window in from..from + count {
        let begun = Duration::from_millis(100 * window);
        limit.somebody_waited();
        limit.in_flight(whole(limit.get()));
        let answers = answers(limit.get());
        for answer in 1..=answers {
            let now = begun + Duration::from_millis(100) * answer / answers;
            limit.in_flight(whole(limit.get()));
            limit.sample(now, Priority::Read, Duration::from_millis(took));
            limit.somebody_waited();
        }
    }
    from + count
}

fn whole(value: f64) -> u32 {
    u32::try_from(value as i64).unwrap()
}

#[test]
fn it_grows_while_work_takes_no_longer_and_stops_at_the_ceiling() {
    let mut limit = limit();
    let after = windows(&mut limit, 0, 10, 10);
    assert!((140.0..200.0).contains(&limit.get()), "{}", limit.get());
    windows(&mut limit, after, 100, 10);
    assert!((limit.get() - 1_024.0).abs() < 1e-6);
}

#[test]
fn it_falls_to_the_floor_when_work_takes_longer_and_learns_anew_there() {
    let mut limit = limit();
    let after = windows(&mut limit, 0, 20, 10);
    let high = limit.get();
    let after = windows(&mut limit, after, 6, 100);
    assert!(limit.get() < high / 3.0, "{} of {high}", limit.get());
    windows(&mut limit, after, 60, 100);
    assert!(
        limit.get() > 100.0,
        "the new pace has become the baseline: {}",
        limit.get()
    );
}

#[test]
fn work_that_takes_25_times_as_long_is_the_new_pace_within_a_second_at_the_floor() {
    // A cache has gone, and the database behind it is further away.
    let mut limit = limit();
    let after = windows(&mut limit, 0, 20, 1);
    let after = windows(&mut limit, after, 4, 25);
    let bears_everything = |limit: f64| whole(limit * 100.0 / 25.0);
    windows_of(bears_everything, &mut limit, after, 10, 25);
    assert!(limit.get() > 500.0, "{}", limit.get());
}

#[test]
fn few_answers_let_it_grow_by_its_root_only_on_the_way_up_with_a_new_pace_too() {
    let mut limit = limit();
    limit.swift = true;
    windows(&mut limit, 0, 2, 10);
    assert!((80.0..81.0).contains(&limit.get()), "{}", limit.get());
}

#[test]
fn a_few_requests_tell_nothing_until_a_second_has_passed() {
    let mut limit = limit();
    limit.somebody_waited();
    let took = Duration::from_millis(10);
    for millis in [100, 999] {
        let now = Duration::from_millis(millis);
        assert!(!limit.sample(now, Priority::Read, took), "{millis} ms");
    }
    assert!(limit.sample(Duration::from_secs(1), Priority::Read, took));
    assert!(limit.get() > 64.0);
}

#[test]
fn one_window_takes_off_a_third_at_the_most_however_slow_it_was() {
    let mut limit = limit();
    let after = windows(&mut limit, 0, 20, 10);
    let high = limit.get();
    windows(&mut limit, after, 1, 10_000);
    assert!((0.69..0.71).contains(&(limit.get() / high)));
}

#[test]
fn what_few_requests_take_lowers_nothing() {
    let mut limit = limit();
    windows(&mut limit, 0, 20, 10);
    let high = limit.get();
    limit.in_flight(64);
    for _ in 0..ENOUGH {
        limit.sample(
            Duration::from_millis(2_200),
            Priority::Read,
            Duration::from_millis(100),
        );
    }
    assert!((limit.get() - high).abs() < 1e-6);
}

#[test]
fn one_slow_kind_of_request_does_not_make_the_others_look_slow() {
    let mut limit = limit();
    windows(&mut limit, 0, 5, 1);
    let before = limit.get();
    limit.somebody_waited();
    limit.in_flight(whole(before));
    for _ in 0..ENOUGH {
        limit.sample(
            Duration::from_millis(600),
            Priority::Batch,
            Duration::from_secs(1),
        );
    }
    assert!(limit.get() > before);
}

#[test]
fn late_scheduling_lowers_it_and_a_single_hiccup_does_not() {
    let mut limit = limit();
    let after = windows(&mut limit, 0, 20, 10);
    let high = limit.get();
    limit.lag(Duration::from_millis(300));
    limit.lag(Duration::from_millis(1));
    let after = windows(&mut limit, after, 1, 10);
    assert!(limit.get() > high, "the least of the window counts");
    limit.lag(Duration::from_millis(20));
    let high = limit.get();
    let after = windows(&mut limit, after, 1, 10);
    assert!(limit.get() > high, "that much is allowed");
    limit.lag(Duration::from_millis(30));
    windows(&mut limit, after, 1, 10);
    assert!(limit.get() < high);
}

#[test]
fn after_a_cold_start_the_ceiling_rises_with_time() {
    let mut limit = Limit::new(&AdmissionOptions::new(inspect));
    let after = windows(&mut limit, 0, 10, 10);
    assert!(limit.get() <= 64.0 + 960.0 / 10.0 + 1.0, "{}", limit.get());
    windows(&mut limit, after, 60, 10);
    assert!(limit.get() > 500.0, "{}", limit.get());
}

#[test]
fn at_the_floor_a_window_with_few_answers_teaches_half_of_another_pace() {
    let mut limit = limit();
    limit.somebody_waited();
    windows(&mut limit, 0, 1, 10);
    let mut limit = Limit {
        value: 64.0,
        ..limit
    };
    windows(&mut limit, 1, 2, 100);
    assert!((limit.get() - 64.0).abs() < 1e-6, "{}", limit.get());
}

#[test]
fn at_the_floor_work_that_takes_hardly_longer_is_learned_by_halves() {
    let mut limit = limit();
    for (end, took) in [(30, 10), (60, 12)] {
        limit.in_flight(64);
        for _ in 0..256 {
            let end = Duration::from_millis(end);
            limit.sample(end, Priority::Read, Duration::from_millis(took));
        }
    }
    let [read, ..] = limit.baseline.map(|read| read.unwrap_or_default().exp());
    assert!((10_900.0..11_000.0).contains(&read), "{read}");
}

proptest::proptest! {
    #[test]
    fn it_stays_between_floor_and_ceiling_whatever_happens(
        steps in proptest::collection::vec((0_u64..400, 0_u64..10_000_000, 0_u32..5_000, 0_u64..200), 1..300)
    ) {
        let mut limit = Limit::new(&AdmissionOptions::new(inspect));
        let mut now = Duration::ZERO;
        for (wait, took, in_flight, lag) in steps {
            now += Duration::from_millis(wait);
            limit.in_flight(in_flight);
            limit.lag(Duration::from_millis(lag));
            limit.somebody_waited();
            limit.sample(now, Priority::ALL[took as usize % 4], Duration::from_micros(took));
            proptest::prop_assert!((64.0..=1_024.0).contains(&limit.get()));
        }
    }
}
