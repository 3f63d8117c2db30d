//! The arithmetic of the runway, on a clock that is held.

use corkboard_core::time::Clock as _;
use corkboard_testkit::HeldClock;
use proptest::prelude::*;

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// A counter that is looked at once a minute.
struct Server {
    clock: HeldClock,
    next: u64,
    burn: Burn,
}

impl Server {
    fn new() -> Self {
        let mut server = Self {
            clock: HeldClock::at(Timestamp::from_seconds(1_795_255_200)),
            next: 1_000,
            burn: Burn::default(),
        };
        server.look();
        server
    }

    fn look(&mut self) {
        self.burn.record(self.clock.now(), self.next);
    }

    fn run(&mut self, minutes: u32, per_second: u64) {
        for _ in 0..minutes {
            self.clock.advance(MINUTE);
            self.next += 60 * per_second;
            self.look();
        }
    }

    fn worst(&self) -> f64 {
        self.burn.worst().map_or(-1.0, |rate| rate.per_second)
    }
}

#[test]
fn there_is_no_rate_before_the_second_look() {
    let mut server = Server::new();
    assert_eq!(server.burn.worst(), None);
    server.look();
    assert_eq!(server.burn.worst(), None, "no time has passed");
    server.run(1, 7);
    assert_eq!(
        server.burn.worst(),
        Some(Rate {
            per_second: 7.0,
            over: MINUTE
        })
    );
}

#[test]
fn the_first_minutes_are_not_meaningful() {
    let mut server = Server::new();
    server.run(9, 1);
    assert!(!server.burn.worst().unwrap().is_meaningful());
    server.run(1, 1);
    assert!(server.burn.worst().unwrap().is_meaningful());
}

#[test]
fn a_busy_hour_after_a_quiet_day_sets_the_rate() {
    let mut server = Server::new();
    server.run(24 * 60, 1);
    server.run(60, 1_000);
    let worst = server.burn.worst().unwrap();
    assert_eq!(
        worst,
        Rate {
            per_second: 1_000.0,
            over: HOUR
        }
    );
}

#[test]
fn a_quiet_hour_does_not_hide_a_busy_day() {
    let mut server = Server::new();
    server.run(23 * 60, 100);
    server.run(60, 0);
    let worst = server.burn.worst().unwrap();
    assert_eq!(worst.over, DAY);
    assert!((worst.per_second - 100.0 * 23.0 / 24.0).abs() < 1e-6);
}

#[test]
fn what_was_more_than_a_day_ago_does_not_count() {
    let mut server = Server::new();
    server.run(600, 1_000_000);
    server.run(24 * 60, 2);
    assert!((server.worst() - 2.0).abs() < 1e-6, "{}", server.worst());
}

#[test]
fn the_counter_goes_on_where_32_bits_wrap() {
    let mut server = Server::new();
    server.next = (1 << 32) - 30;
    server.burn.clear();
    server.look();
    server.run(60, 1);
    assert!((server.worst() - 1.0).abs() < 1e-6);
}

#[test]
fn a_counter_that_went_back_or_leapt_begins_a_new_history() {
    for other in [5, 1 << 40] {
        let mut server = Server::new();
        server.run(60, 10);
        server.next = other;
        server.clock.advance(MINUTE);
        server.look();
        assert_eq!(server.burn.worst(), None, "{other}");
        server.run(1, 3);
        assert!((server.worst() - 3.0).abs() < 1e-6);
    }
}

#[test]
fn a_host_clock_that_was_set_back_begins_a_new_history() {
    let mut server = Server::new();
    server.run(60, 10);
    server.clock.set(Timestamp::from_seconds(1_000_000_000));
    server.look();
    assert_eq!(server.burn.worst(), None);
}

#[test]
fn history_is_bounded_however_often_somebody_looks() {
    let mut server = Server::new();
    for _ in 0..10 * MOST_SAMPLES {
        server.clock.advance(Duration::from_millis(10));
        server.next += 1;
        server.look();
    }
    assert!(server.burn.samples.len() <= MOST_SAMPLES);
    assert!((server.worst() - 100.0).abs() < 1e-6);
}

#[test]
fn the_runway_is_what_is_left_at_that_rate() {
    // A thousand single-row transactions a second: 86.4 million a day, gone in under 25 days.
    let days = runway_days(0, 1_000.0);
    assert!((days - 24.82).abs() < 0.01, "{days}");
    assert!(runway_days(1_900_000_000, 1_000.0) < 3.0);
    assert_eq!(runway_days(200_000_000, 0.0), f64::INFINITY);
    assert_eq!(runway_days(u32::MAX, 0.0), 0.0);
    assert_eq!(ids_left(0), 2_144_483_648);
}

proptest! {
    #[test]
    fn the_worst_rate_is_between_the_slowest_and_the_fastest_minute(
        minutes in prop::collection::vec(0_u64..5_000, 1..200),
    ) {
        let mut server = Server::new();
        for per_second in &minutes {
            server.run(1, *per_second);
        }
        let (least, most) = (minutes.iter().min().unwrap(), minutes.iter().max().unwrap());
        let worst = server.worst();
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let range = *least as f64 - 1e-6..=*most as f64 + 1e-6;
        prop_assert!(range.contains(&worst), "{worst}");
    }
}
