//! The limit against endpoints made of arithmetic: every event in its order, in no time at all.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::*;

/// An endpoint with `slots` places of `latency` each. What finds no place is refused when more than
/// `takes` are there, and queues otherwise.
#[derive(Debug, Clone, Copy)]
struct Endpoint {
    latency: Duration,
    slots: usize,
    takes: usize,
}

const REFUSAL: Duration = Duration::from_millis(2);
const TIME_OUT: Duration = Duration::from_secs(2);

/// What came of a while of calling without end.
#[derive(Debug, Default)]
struct Tally {
    fine: u32,
    refused: u32,
    limits: Vec<usize>,
}

type Began = (Instant, usize);

struct World {
    now: Instant,
    limit: Limit,
    in_flight: usize,
    /// Ends of calls: when, how, when they began and with how many.
    ends: BinaryHeap<Reverse<(Instant, bool, Began)>>,
    busy: usize,
    queued: VecDeque<Began>,
}

impl World {
    fn new(most: usize) -> Self {
        let now = Instant::now();
        Self {
            now,
            limit: Limit::new(most, now),
            in_flight: 0,
            ends: BinaryHeap::new(),
            busy: 0,
            queued: VecDeque::new(),
        }
    }

    /// Calls as much as is allowed, for this long.
    fn run(&mut self, endpoint: Endpoint, length: Duration) -> Tally {
        let (end, mut tally) = (self.now + length, Tally::default());
        while self.now < end {
            while self.in_flight < self.limit.allowed() {
                self.in_flight += 1;
                let present = self.busy + self.queued.len();
                let began = (self.now, self.in_flight);
                if self.busy < endpoint.slots {
                    self.busy += 1;
                    let done = self.now + endpoint.latency;
                    self.ends.push(Reverse((done, true, began)));
                } else if present < endpoint.takes {
                    self.queued.push_back(began);
                } else {
                    let done = self.now + REFUSAL;
                    self.ends.push(Reverse((done, false, began)));
                }
            }
            let Some(Reverse((at, fine, began))) = self.ends.pop() else {
                break;
            };
            self.now = at;
            if fine {
                self.busy -= 1;
                if let Some(next) = self.queued.pop_front() {
                    self.busy += 1;
                    self.ends.push(Reverse((at + endpoint.latency, true, next)));
                }
                tally.fine += 1;
            } else {
                tally.refused += 1;
            }
            let sign = if fine { Sign::Fine } else { Sign::Shed };
            self.limit.ended(sign, began.0, began.1, at);
            self.in_flight -= 1;
            tally.limits.push(self.limit.allowed());
        }
        tally
    }
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

const SECONDS_30: Duration = Duration::from_secs(30);

#[test]
fn an_endpoint_that_queues_is_kept_full_and_not_flooded() {
    let endpoint = Endpoint {
        latency: ms(50),
        slots: 200,
        takes: usize::MAX,
    };
    let mut world = World::new(4_096);
    let first = world.run(endpoint, Duration::from_secs(1));
    assert!(
        first.fine > 3_200,
        "learned within a second: {}",
        first.fine
    );
    let rest = world.run(endpoint, 10 * SECONDS_30);
    let ideal = 300 * 4_000;
    assert!(rest.fine > ideal / 100 * 97, "{} of {ideal}", rest.fine);
    let most = rest.limits.iter().max().copied().unwrap_or_default();
    assert!(
        most <= 500,
        "a queue no longer than one and a half times what it carries: {most}"
    );
}

#[test]
fn an_endpoint_that_sheds_keeps_its_goodput_and_is_seldom_asked_too_much() {
    let endpoint = Endpoint {
        latency: ms(500),
        slots: 100,
        takes: 100,
    };
    let mut world = World::new(4_096);
    let _ = world.run(endpoint, Duration::from_secs(5));
    let tally = world.run(endpoint, 2 * SECONDS_30);
    let ideal = 60 * 200;
    assert!(tally.fine > ideal / 100 * 90, "{} of {ideal}", tally.fine);
    assert!(tally.refused < tally.fine / 50, "{} refused", tally.refused);
}

#[test]
fn an_endpoint_that_slows_down_and_sheds_is_followed_without_a_collapse() {
    let quick = Endpoint {
        latency: ms(50),
        slots: 200,
        takes: 200,
    };
    let slow = Endpoint {
        latency: ms(500),
        slots: 100,
        takes: 100,
    };
    let mut world = World::new(4_096);
    let _ = world.run(quick, SECONDS_30);
    let soon = world.run(slow, Duration::from_secs(10));
    assert!(soon.fine > 10 * 200 / 100 * 85, "{} at first", soon.fine);
    let tally = world.run(slow, SECONDS_30);
    let ideal = 30 * 200;
    assert!(tally.fine > ideal / 100 * 90, "{} of {ideal}", tally.fine);
    assert!(tally.refused < tally.fine / 20, "{} refused", tally.refused);
    let again = world.run(quick, SECONDS_30);
    assert!(
        again.fine > 30 * 4_000 / 100 * 85,
        "{} regained",
        again.fine
    );
}

#[test]
fn an_endpoint_that_comes_back_is_soon_called_as_before() {
    let up = Endpoint {
        latency: ms(50),
        slots: 200,
        takes: usize::MAX,
    };
    let down = Endpoint {
        slots: 0,
        takes: 0,
        ..up
    };
    let mut world = World::new(4_096);
    let _ = world.run(up, SECONDS_30);
    let _ = world.run(down, Duration::from_secs(5));
    assert_eq!(world.limit.allowed(), 1);
    let tally = world.run(up, Duration::from_secs(3));
    assert!(tally.fine > 3 * 4_000 / 100 * 75, "{}", tally.fine);
}

#[test]
fn no_limit_is_ever_stuck() {
    for start in 1..64 {
        let (mut limit, mut now) = (Limit::new(512, Instant::now()), Instant::now());
        limit.slow_start = false;
        limit.limit = f64::from(start) / 8.0 + 0.6;
        let before = limit.limit;
        for _ in 0..10 {
            let (started, together) = (now, limit.allowed());
            now += ms(50);
            for one in 1..=together {
                limit.ended(Sign::Fine, started, one, now);
            }
        }
        assert!(limit.limit >= before + 1.0, "{before} {}", limit.limit);
    }
}

#[test]
fn what_is_refused_is_what_was_on_its_way_and_one_call_is_always_allowed() {
    let now = Instant::now();
    let mut limit = Limit::new(512, now);
    limit.ended(Sign::Shed, now, 3, now);
    assert_eq!(limit.allowed(), 1, "half of three");
    limit.dip = Some(Dip {
        began: now,
        fine: 0,
        latency: 0.0,
    });
    assert_eq!(limit.allowed(), 1);
}

#[test]
fn a_slower_endpoint_is_not_called_less() {
    let quick = Endpoint {
        latency: ms(50),
        slots: 300,
        takes: usize::MAX,
    };
    let slow = Endpoint {
        latency: ms(500),
        ..quick
    };
    let mut world = World::new(250);
    let _ = world.run(quick, SECONDS_30);
    let tally = world.run(slow, SECONDS_30);
    let least = tally.limits.iter().min().copied().unwrap_or_default();
    assert!(least >= 125, "half of it in a dip, never less: {least}");
    assert!(tally.fine > 30 * 500 / 100 * 90, "{}", tally.fine);
}

#[test]
fn an_endpoint_that_slows_down_is_soon_called_as_much_as_helps() {
    let quick = Endpoint {
        latency: ms(50),
        slots: 100,
        takes: 100,
    };
    let slow = Endpoint {
        latency: ms(500),
        slots: 400,
        takes: 400,
    };
    let mut world = World::new(4_096);
    let _ = world.run(quick, SECONDS_30);
    let _ = world.run(slow, Duration::from_secs(20));
    let now = world.limit.allowed();
    assert!(now > 200, "on its way from 100 to 400: {now}");
}

#[test]
fn a_dead_endpoint_is_called_less_and_less() {
    let (mut limit, mut now) = (Limit::new(512, Instant::now()), Instant::now());
    for _ in 0..40 {
        let (started, together) = (now, limit.allowed());
        now += TIME_OUT;
        for left in (1..=together).rev() {
            limit.ended(Sign::Failed, started, left, now);
        }
    }
    assert_eq!(limit.allowed(), 1);
    assert!(limit.failing() > 0.9);
}

#[test]
fn a_few_failures_are_no_sign_and_nothing_is_no_sign_at_all() {
    let (mut limit, mut now) = (Limit::new(512, Instant::now()), Instant::now());
    for round in 0..2_000 {
        let (started, together) = (now, limit.allowed());
        now += ms(50);
        for left in (1..=together).rev() {
            let sign = match (round + left) % 50 {
                0 => Sign::Failed,
                1 => Sign::Nothing,
                _ => Sign::Fine,
            };
            limit.ended(sign, started, left, now);
        }
    }
    assert!(limit.allowed() >= 256, "{}", limit.allowed());
}

#[test]
fn what_is_not_needed_does_not_grow() {
    let (mut limit, mut now) = (Limit::new(512, Instant::now()), Instant::now());
    for _ in 0..1_000 {
        let started = now;
        now += ms(10);
        limit.ended(Sign::Fine, started, 3, now);
    }
    assert_eq!(limit.allowed(), 20);
    assert_eq!(Limit::new(4, now).allowed(), 4);
    assert_eq!(Limit::new(0, now).allowed(), 1);
}
