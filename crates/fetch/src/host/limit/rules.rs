//! The limit's single rules, one at a time: what a simulated endpoint evens out shows here.

use super::*;

const TICK: Duration = Duration::from_millis(10);

struct Steps {
    limit: Limit,
    now: Instant,
}

impl Steps {
    fn new() -> Self {
        let now = Instant::now();
        let limit = Limit::new(1_000, now);
        Self { limit, now }
    }

    /// A call of this length that ends now, a moment after the one before.
    fn end(&mut self, sign: Sign, together: usize, length: Duration) {
        self.now += TICK;
        self.limit
            .ended(sign, self.now - length, together, self.now);
    }

    fn fine(&mut self, calls: usize, together: usize) {
        for _ in 0..calls {
            self.end(Sign::Fine, together, TICK);
        }
    }

    fn shed(&mut self, together: usize) {
        self.end(Sign::Shed, together, TICK);
    }
}

#[test]
fn nothing_says_nothing() {
    let mut steps = Steps::new();
    for _ in 0..200 {
        steps.end(Sign::Nothing, 20, TICK);
    }
    let limit = &steps.limit;
    assert_eq!((limit.allowed(), limit.streak()), (20, 0));
    assert!(limit.failing().abs() < f64::EPSILON);
}

#[test]
fn a_round_of_few_slow_calls_ends_by_time() {
    let mut steps = Steps::new();
    let slow = LONGEST_ROUND + TICK;
    steps.now += slow;
    steps.end(Sign::Fine, 20, slow);
    assert_eq!(steps.limit.allowed(), 40);
}

#[test]
fn a_good_answer_ends_a_row_of_bad_ones() {
    let mut steps = Steps::new();
    for _ in 0..5 {
        steps.shed(20);
    }
    assert_eq!(steps.limit.streak(), 5);
    steps.fine(1, 20);
    // Of which the good one itself is no part.
    assert_eq!(steps.limit.streak(), 0);
}

#[test]
fn a_round_with_a_cut_does_not_grow() {
    let mut steps = Steps::new();
    steps.shed(20);
    assert_eq!(steps.limit.allowed(), 10);
    steps.fine(9, 10);
    assert_eq!(steps.limit.allowed(), 10);
    steps.fine(10, 10);
    assert_eq!(
        steps.limit.allowed(),
        13,
        "and the next one does, by its root"
    );
}

#[test]
fn a_low_limit_without_an_outage_grows_one_by_one_near_what_was_refused() {
    let mut steps = Steps::new();
    steps.shed(1);
    assert_eq!(steps.limit.allowed(), 1);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let allowed = steps.limit.allowed();
        steps.fine(allowed, allowed);
        seen.push(steps.limit.allowed());
    }
    // Behind what was refused by its root again.
    assert_eq!(seen, [2, 3, 4, 6]);
}

#[test]
fn behind_an_outage_a_slower_endpoint_is_learned_anew() {
    let mut steps = Steps::new();
    steps.fine(200, 20);
    for _ in 0..40 {
        let allowed = steps.limit.allowed();
        steps.shed(allowed);
    }
    assert_eq!(steps.limit.allowed(), 1);
    // Ten times slower than before, and with all the room that one could want.
    for _ in 0..200 {
        let allowed = steps.limit.allowed();
        steps.end(Sign::Fine, allowed, 10 * TICK);
    }
    assert!(steps.limit.allowed() > 60, "{}", steps.limit.allowed());
}

#[test]
fn after_a_cut_nothing_doubles() {
    let mut steps = Steps::new();
    steps.shed(20);
    let mut before = steps.limit.limit;
    for _ in 0..600 {
        let allowed = steps.limit.allowed();
        steps.fine(1, allowed);
        let now = steps.limit.limit;
        assert!(now <= before + before.sqrt() + 1.0, "{before} to {now}");
        before = now;
    }
    assert!(before > 60.0, "but it grows: {before}");
}

#[test]
fn a_dip_looks_at_calls_that_began_in_it_and_leaves_the_limit_alone() {
    let mut steps = Steps::new();
    steps.shed(20);
    while steps.limit.dip.is_none() {
        let allowed = steps.limit.allowed();
        steps.fine(1, allowed);
        assert!(
            steps.now < steps.limit.next_dip + BETWEEN_DIPS,
            "no dip came"
        );
    }
    let (limit, full) = (steps.limit.limit, steps.limit.limit as usize);
    assert_eq!(steps.limit.allowed(), (limit / 2.0) as usize);
    // Those that were on their way before it, as many as make a round, and slow.
    for _ in 0..full {
        let before = steps.now - steps.limit.next_dip.duration_since(steps.now) - TICK;
        steps.now += Duration::from_micros(1);
        let began = before.min(steps.now - BETWEEN_LOOKS);
        steps.limit.ended(Sign::Fine, began, full, steps.now);
        assert!((steps.limit.limit - limit).abs() < f64::EPSILON);
    }
    let dip = steps.limit.dip.expect("it goes on");
    assert_eq!(dip.fine, 0);
    // Its own calls end it, and what they took is the best there is now.
    let began = steps.now;
    steps.now += 3 * TICK;
    for _ in 0..full {
        if steps.limit.dip.is_some() {
            steps.limit.ended(Sign::Fine, began, full / 2, steps.now);
        }
    }
    assert!(steps.limit.dip.is_none());
    assert!((steps.limit.best_latency - 0.03).abs() < 1e-6);
}
