//! The limit in front of a service with so many places, which always has more to do than it can.

use std::time::Duration;

use super::super::Limit;
use super::super::lateness::Lateness;
use super::super::window::Window;
use super::{Seen, Trial};
use crate::admission::{AdmissionOptions, Passport, Priority};

fn inspect(_: &crate::Bearer<'_>) -> Passport {
    Passport::new(Priority::Read, b"")
}

/// What a request takes, in milliseconds, when nothing waits, and how many are worked on at once.
#[derive(Clone, Copy)]
struct Service {
    takes: f64,
    places: f64,
}

struct Run {
    limit: Limit,
    millis: u64,
    priority: Priority,
}

impl Run {
    fn new() -> Self {
        let options = AdmissionOptions {
            slow_start: Duration::ZERO,
            ..AdmissionOptions::new(inspect)
        };
        Self {
            limit: Limit::new(&options),
            millis: 0,
            priority: Priority::Read,
        }
    }

    /// A millisecond: as many answers as the service gives with as many in flight as may be.
    fn step(&mut self, service: Service) {
        self.millis += 1;
        let in_flight = self.limit.get().floor();
        let took = service.takes * (in_flight / service.places).max(1.0);
        self.limit.in_flight(in_flight as u32);
        for answer in 0..(in_flight / took).round() as u32 {
            if answer == 0 {
                self.limit.somebody_waited();
            }
            let now = Duration::from_millis(self.millis);
            let took = Duration::from_secs_f64(took / 1e3);
            self.limit.sample(now, self.priority, took);
        }
    }

    /// The limit after each of so many milliseconds.
    fn under(&mut self, service: Service, millis: u64) -> Vec<f64> {
        let each = (0..millis).map(|_| {
            self.step(service);
            self.limit.get()
        });
        each.collect()
    }

    /// Until the limit is as wanted, and not for ever.
    fn until(&mut self, wanted: impl Fn(f64) -> bool, service: Service) {
        let deadline = self.millis + 10_000;
        while !wanted(self.limit.get()) {
            self.step(service);
            assert!(self.millis < deadline, "{}", self.limit.get());
        }
    }

    fn grown_to(wanted: f64, service: Service) -> Self {
        let mut run = Self::new();
        run.until(|limit| limit >= wanted, service);
        run
    }
}

const NEAR: Service = Service {
    takes: 2.0,
    places: f64::MAX,
};
const FAR: Service = Service {
    takes: 20.0,
    places: f64::MAX,
};

#[test]
fn another_pace_is_known_after_two_steps_down_and_the_limit_is_back_where_it_was() {
    let mut run = Run::grown_to(500.0, NEAR);
    let limits = run.under(FAR, 300);
    let least = limits
        .iter()
        .fold(f64::MAX, |least, limit| least.min(*limit));
    assert!(least > 240.0, "{least}");
    assert!(limits[200] >= 500.0, "{}", limits[200]);
    assert!(limits[299] > 1_000.0, "it went on: {}", limits[299]);
}

#[test]
fn a_line_is_not_another_pace() {
    let pool = Service {
        takes: 2.0,
        places: 100.0,
    };
    let mut run = Run::grown_to(500.0, NEAR);
    let limits = run.under(pool, 2_000);
    assert!(
        limits[600..].iter().all(|limit| *limit < 160.0),
        "{limits:?}"
    );
}

#[test]
fn a_line_whose_service_slows_down_in_the_wrong_moment_is_not_taken_for_the_pace_for_long() {
    let mut pool = Service {
        takes: 10.0,
        places: 200.0,
    };
    let mut run = Run::grown_to(
        600.0,
        Service {
            places: f64::MAX,
            ..pool
        },
    );
    run.until(|limit| limit <= 500.0, pool);
    // From the first step down on everything takes so much longer that times do not fall, and
    // throughput falls with the limit.
    pool.takes /= 0.7;
    let limits = run.under(pool, 3_000);
    assert!(
        limits[1_000..].iter().all(|limit| *limit < 330.0),
        "{limits:?}"
    );
}

#[test]
fn on_the_way_up_from_the_floor_the_first_step_that_brings_nothing_is_taken_back() {
    let mut run = Run::new();
    run.under(NEAR, 20);
    let pool = Service {
        takes: 20.0,
        places: 110.0,
    };
    let limits = run.under(pool, 2_000);
    let most = limits.iter().fold(0.0, |most, limit| limit.max(most));
    assert!(most < 300.0, "{most}");
    assert!(
        limits[700..]
            .iter()
            .all(|limit| (100.0..160.0).contains(limit)),
        "{limits:?}"
    );
}

#[test]
fn a_step_up_is_judged_for_a_twentieth_of_a_second() {
    let mut run = Run::new();
    run.under(NEAR, 20);
    let limits = run.under(FAR, 1_000);
    let at_256 = limits.iter().filter(|limit| (**limit - 256.0).abs() < 1e-6);
    // Those that were in flight before are answered in the first 10; 25 more would have seen enough.
    let millis = at_256.count();
    assert!((55..65).contains(&millis), "{millis} ms");
}

#[test]
fn a_priority_that_was_not_there_before_shows_nothing() {
    let mut run = Run::grown_to(500.0, NEAR);
    run.under(FAR, 1);
    run.until(|limit| limit < 400.0, FAR);
    run.priority = Priority::Batch;
    let before = run.limit.get();
    let limits = run.under(FAR, 60);
    // With nothing known of it, its pace is its baseline.
    assert!(limits[59] < 1.3 * before, "{limits:?}");
}

/// A window of a tenth of a second: in flight, answers, milliseconds each.
fn window(in_flight: u32, answers: u32, took: u64, somebody_waited: bool) -> Seen {
    let mut window = Window::new(Duration::ZERO, 0);
    window.most_in_flight = in_flight;
    window.somebody_waited = somebody_waited;
    for _ in 0..answers {
        let took = Duration::from_millis(took);
        window.add(Duration::ZERO, Priority::Read, took);
    }
    Seen::new(&window, Duration::from_millis(100), f64::from(in_flight))
}

#[test]
fn another_pace_needs_times_that_stay_and_throughput_that_falls_because_of_the_limit() {
    let since = window(500, 2_500, 20, true);
    assert!(window(350, 1_750, 20, true).shows_another_pace(&since));
    let cases = [
        (window(350, 2_500, 14, true), "a line"),
        (window(350, 2_500, 20, true), "throughput stays"),
        (window(350, 1_750, 14, true), "times fall"),
        (window(350, 1_750, 20, false), "there is less to do"),
        (window(450, 2_250, 20, true), "hardly fewer"),
        (window(100, 255, 20, true), "too few answers"),
    ];
    for (seen, case) in cases {
        assert!(!seen.shows_another_pace(&since), "{case}");
    }
}

#[test]
fn a_higher_limit_is_refuted_by_throughput_that_stays_though_there_is_more_to_do() {
    let from = window(350, 1_750, 20, true);
    assert!(window(500, 1_800, 28, true).refutes(&from, false));
    assert!(!window(500, 2_500, 20, true).refutes(&from, true));
    assert!(!window(500, 1_800, 28, false).refutes(&from, true));
}

#[test]
fn a_higher_limit_is_borne_out_by_throughput_that_follows_by_a_quarter() {
    let from = window(200, 2_000, 20, true);
    assert!(window(400, 2_400, 33, true).bears_out(&from));
    let cases = [
        (window(400, 2_350, 34, true), &from, "it follows by less"),
        (window(260, 2_600, 20, true), &from, "hardly more"),
        (
            window(400, 2_400, 33, false),
            &from,
            "there is no more to do",
        ),
        (
            window(400, 255, 33, true),
            &window(200, 200, 20, true),
            "too few answers",
        ),
    ];
    for (seen, from, case) in cases {
        assert!(!seen.bears_out(from), "{case}");
    }
}

#[test]
fn what_takes_longer_after_a_step_up_that_throughput_has_followed_is_the_pace() {
    for (before, followed) in [(10_000, true), (12_400, false)] {
        let mut run = Run::grown_to(500.0, NEAR);
        let high = run.limit.get();
        run.limit.window = Window::new(Duration::from_millis(run.millis), 0);
        run.limit.trial = Some(Trial::Raised {
            from: window(300, before, 3, true),
            known: None,
        });
        let slower = Service { takes: 4.0, ..NEAR };
        run.until(|limit| (limit - high).abs() > 1.0, slower);
        let [pace, ..] = run
            .limit
            .baseline
            .map(|pace| pace.unwrap_or_default().exp());
        let expected = if followed { 4_000.0 } else { 2_000.0 };
        assert!((pace - expected).abs() < 1.0, "{pace}");
        assert_eq!(run.limit.get() > high, followed, "{}", run.limit.get());
    }
}

#[test]
fn only_a_baseline_in_doubt_is_refuted_by_too_few_answers() {
    let from = window(350, 1_750, 20, true);
    let few = window(500, 255, 200, true);
    assert!(few.refutes(&from, true) && !few.refutes(&from, false));
}

#[test]
fn a_priority_is_compared_with_itself_only() {
    let since = window(500, 2_500, 20, true);
    let mut other = window(350, 1_750, 20, true);
    other
        .means
        .swap(Priority::Read as usize, Priority::Batch as usize);
    assert!(!other.shows_another_pace(&since));
    let known = [Some(1.0), Some(2.0), None, Some(3.0)];
    let [read, event, server, batch] = other.paces_or(known);
    assert_eq!((read, event, server), (Some(1.0), Some(2.0), None));
    assert!((batch.unwrap().exp() - 20_000.0).abs() < 1.0, "{batch:?}");
}

#[test]
fn a_pace_that_is_little_slower_is_known_long_before_the_floor() {
    let mut run = Run::grown_to(500.0, NEAR);
    let slower = Service {
        takes: 1.4 * NEAR.takes,
        ..NEAR
    };
    let limits = run.under(slower, 500);
    let least = limits
        .iter()
        .fold(f64::MAX, |least, limit| least.min(*limit));
    assert!((300.0..450.0).contains(&least), "{least}");
}

#[test]
fn a_line_at_another_pace_ends_before_the_floor() {
    let mut run = Run::grown_to(500.0, NEAR);
    let limits = run.under(
        Service {
            places: 200.0,
            ..FAR
        },
        2_000,
    );
    let least = limits
        .iter()
        .fold(f64::MAX, |least, limit| least.min(*limit));
    assert!(least > 100.0, "{least}");
    assert!((170.0..300.0).contains(&limits[1_999]), "{}", limits[1_999]);
}

#[test]
fn a_step_up_is_taken_back_with_its_baseline_when_tasks_run_late_or_nothing_comes_of_it() {
    for late in [true, false] {
        let mut run = Run::grown_to(500.0, NEAR);
        let known = [Some(1.0), None, None, None];
        run.limit.trial = Some(Trial::Raised {
            from: window(300, 15_000, 2, true),
            known: Some(known),
        });
        run.limit.lateness = Lateness::new(Duration::from_millis(20));
        if late {
            run.limit.lag(Duration::from_millis(30));
        }
        let places = if late { f64::MAX } else { 300.0 };
        run.until(|limit| limit < 400.0, Service { places, ..NEAR });
        let limit = run.limit.get();
        assert!((limit - 300.0).abs() < 1e-6, "{limit}");
        assert_eq!(run.limit.baseline, known, "late: {late}");
    }
}

#[test]
fn a_window_that_takes_too_long_ends_the_swift_way_up() {
    let mut run = Run::grown_to(500.0, NEAR);
    run.limit.swift = true;
    let before = run.limit.get();
    run.until(|limit| limit < before, FAR);
    assert!(!run.limit.swift);
}
