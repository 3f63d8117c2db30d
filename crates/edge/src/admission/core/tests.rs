//! Who gets in, who waits and who goes, step by step and at random.

use super::*;

fn inspect(_: &crate::Bearer<'_>) -> Passport {
    Passport::new(Priority::Read, b"")
}

fn options(places: u32, waiting: usize) -> AdmissionOptions {
    AdmissionOptions {
        min_in_flight: places,
        max_in_flight: places,
        max_waiting: waiting,
        slow_start: Duration::ZERO,
        ..AdmissionOptions::new(inspect)
    }
}

fn of(priority: Priority) -> Passport {
    Passport {
        priority,
        tenant: 0,
    }
}

fn at(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn nobody_passes_those_who_wait() {
    let mut core: Core<u32> = Core::new(&options(1, 10));
    assert!(core.enter(at(0), of(Priority::Read)));
    assert!(!core.enter(at(0), of(Priority::Read)));
    assert_eq!(
        core.wait(at(0), of(Priority::Read), || 1),
        Wait::InLine { instead: None }
    );
    core.leave(at(1), Priority::Read, None);
    assert!(!core.enter(at(1), of(Priority::Read)), "1 waits already");
    assert_eq!(
        core.next(at(1)),
        Some((Priority::Read, 1, Verdict::Admitted))
    );
    assert_eq!(core.next(at(1)), None);
}

#[test]
fn a_burst_is_served_in_order_and_waits_longer_than_in_congestion() {
    let mut core: Core<u32> = Core::new(&options(1, 10));
    assert!(core.enter(at(0), of(Priority::Read)));
    core.wait(at(0), of(Priority::Read), || 1);
    core.wait(at(0), of(Priority::Read), || 2);
    core.leave(at(90), Priority::Read, None);
    assert_eq!(
        core.next(at(90)),
        Some((Priority::Read, 1, Verdict::Admitted))
    );
    core.wait(at(95), of(Priority::Read), || 3);
    core.leave(at(101), Priority::Read, None);
    // Somebody has been waiting for 101 ms without a break: the newest goes first, the old go.
    assert!(core.is_congested(at(101)));
    assert_eq!(
        core.next(at(101)),
        Some((Priority::Read, 2, Verdict::Refused))
    );
    assert_eq!(
        core.next(at(101)),
        Some((Priority::Read, 3, Verdict::Admitted))
    );
}

#[test]
fn congestion_begins_when_somebody_has_waited_without_a_break_for_longer_than_the_patience() {
    let mut core: Core<u32> = Core::new(&options(1, 10));
    let hour = 3_600_000;
    assert!(core.enter(at(hour), of(Priority::Read)));
    assert!(!core.enter(at(hour + 1), of(Priority::Read)));
    core.wait(at(hour + 1), of(Priority::Read), || 1);
    assert!(!core.is_congested(at(hour + 101)));
    assert!(core.is_congested(at(hour + 102)));
}

#[test]
fn who_has_waited_too_long_is_found_soon_after_the_last_look() {
    let mut core: Core<u32> = Core::new(&options(1, 10));
    assert!(core.enter(at(0), of(Priority::Read)));
    core.wait(at(0), of(Priority::Read), || 1);
    assert_eq!(core.next(at(100)), None, "nobody is late yet");
    assert_eq!(
        core.next(at(103)),
        Some((Priority::Read, 1, Verdict::Refused))
    );
}

#[test]
fn in_congestion_the_newest_goes_before_one_that_has_used_up_half_of_its_time() {
    let mut core: Core<u32> = Core::new(&options(1, 10));
    assert!(core.enter(at(0), of(Priority::Batch)));
    for (id, came) in [(1, 0), (2, 85), (3, 99)] {
        core.wait(at(came), of(Priority::Batch), || id);
    }
    core.leave(at(101), Priority::Batch, None);
    let over: Vec<_> = std::iter::from_fn(|| core.next(at(101))).collect();
    assert_eq!(
        over,
        [
            (Priority::Batch, 1, Verdict::Refused),
            // Half of one place is still one.
            (Priority::Batch, 3, Verdict::Admitted),
        ]
    );
}

#[test]
fn what_matters_more_does_not_count_against_the_part_of_what_matters_less() {
    let mut core: Core<u32> = Core::new(&options(10, 100));
    for _ in 0..10 {
        assert!(core.enter(at(0), of(Priority::Read)));
    }
    core.wait(at(0), of(Priority::Batch), || 1);
    core.wait(at(99), of(Priority::Batch), || 2);
    for _ in 0..4 {
        core.leave(at(101), Priority::Read, None);
    }
    let over: Vec<_> = std::iter::from_fn(|| core.next(at(101))).collect();
    assert_eq!(
        over,
        [
            (Priority::Batch, 1, Verdict::Refused),
            (Priority::Batch, 2, Verdict::Admitted),
        ]
    );
}

#[test]
fn a_line_emptied_by_refusals_is_no_relief() {
    let mut core: Core<u32> = Core::new(&options(1, 10));
    assert!(core.enter(at(0), of(Priority::Read)));
    core.wait(at(0), of(Priority::Read), || 1);
    // Nothing ran for a while, and all that waited are too old.
    assert_eq!(
        core.next(at(150)),
        Some((Priority::Read, 1, Verdict::Refused))
    );
    assert_eq!(core.next(at(150)), None);
    for millis in 151..400 {
        assert!(!core.enter(at(millis), of(Priority::Read)));
        let late = core.wait(at(millis), of(Priority::Read), || 2);
        assert!(core.is_congested(at(millis)), "{millis}: {late:?}");
        while core.next(at(millis)).is_some() {}
    }
    // Until nobody has had to wait for as long as one may wait in congestion.
    core.leave(at(400), Priority::Read, None);
    while core.next(at(400)).is_some() {
        core.leave(at(400), Priority::Read, None);
    }
    assert!(core.enter(at(401), of(Priority::Read)));
    core.leave(at(402), Priority::Read, None);
    assert!(core.is_congested(at(402)));
    assert!(core.enter(at(425), of(Priority::Read)));
    assert!(!core.is_congested(at(425)));
}

#[test]
fn in_congestion_batches_leave_room_for_reads() {
    let mut core: Core<u32> = Core::new(&options(10, 100));
    for _ in 0..10 {
        assert!(
            core.enter(at(0), of(Priority::Batch)),
            "without congestion it may hold all"
        );
    }
    core.wait(at(0), of(Priority::Batch), || 1);
    for _ in 0..5 {
        core.leave(at(150), Priority::Batch, None);
    }
    core.wait(at(150), of(Priority::Batch), || 2);
    core.wait(at(150), of(Priority::Read), || 3);
    let over: Vec<_> = std::iter::from_fn(|| core.next(at(150))).collect();
    assert_eq!(
        over,
        [
            (Priority::Batch, 1, Verdict::Refused),
            (Priority::Read, 3, Verdict::Admitted),
        ]
    );
    assert_eq!((core.in_flight(), core.waiting()), (6, 1));
}

#[test]
fn who_waits_for_its_client_holds_no_place() {
    let mut core: Core<u32> = Core::new(&options(1, 10));
    assert!(core.enter(at(0), of(Priority::Server)));
    core.park(Priority::Server);
    assert!(core.enter(at(0), of(Priority::Read)));
    core.unpark(Priority::Server);
    assert_eq!(core.in_flight(), 2);
    core.leave(at(1), Priority::Server, None);
    assert!(!core.enter(at(1), of(Priority::Read)));
}

#[test]
fn a_window_in_which_requests_only_leave_had_them_in_flight() {
    let mut core: Core<u32> = Core::new(&AdmissionOptions {
        max_in_flight: 100,
        ..options(16, 0)
    });
    let mut now = at(0);
    // It grows: as many as may be are in flight, more would like to be, and all take 10 ms.
    for _ in 0..30 {
        let mut entered = 0;
        while core.enter(now, of(Priority::Read)) {
            entered += 1;
        }
        core.wait(now, of(Priority::Read), || 0);
        now += at(100);
        for _ in 0..entered {
            core.leave(now, Priority::Read, Some(at(10)));
        }
    }
    while core.enter(now, of(Priority::Read)) {}
    now += at(100);
    let limit = core.limit();
    while !core.leave(now, Priority::Read, Some(at(10))) {}
    assert!(limit > 60.0 && core.in_flight() > 40, "{limit}");
    now += at(100);
    while !core.leave(now, Priority::Read, Some(at(1_000))) {}
    assert!(core.limit() < limit, "{} of {limit}", core.limit());
}

proptest::proptest! {
    /// Whatever comes and goes: nobody is lost, bounds hold, and a free place does not stay empty
    /// while somebody waits for it.
    #[test]
    fn every_request_is_admitted_refused_or_waiting(
        steps in proptest::collection::vec((0_u8..3, 0_usize..4, 0_u8..6, 0_u64..40), 1..400)
    ) {
        let mut core: Core<u32> = Core::new(&options(4, 8));
        let (mut now, mut arrived, mut admitted, mut refused) = (Duration::ZERO, 0_u32, 0_u32, 0_u32);
        let mut inside: Vec<Priority> = Vec::new();
        for (step, priority, tenant, wait) in steps {
            now += at(wait);
            let passport = Passport { priority: Priority::ALL[priority], tenant };
            if step < 2 {
                arrived += 1;
                if core.enter(now, passport) {
                    admitted += 1;
                    inside.push(passport.priority);
                } else if core.wait(now, passport, || arrived) != (Wait::InLine { instead: None }) {
                    refused += 1;
                }
            } else if let Some(priority) = inside.pop() {
                core.leave(now, priority, Some(at(1 + wait)));
            }
            while let Some((priority, _, verdict)) = core.next(now) {
                match verdict {
                    Verdict::Admitted => { admitted += 1; inside.push(priority); }
                    Verdict::Refused => refused += 1,
                }
            }
            let waiting = u32::try_from(core.waiting()).unwrap();
            proptest::prop_assert_eq!(arrived, admitted + refused + waiting);
            proptest::prop_assert_eq!(core.in_flight() as usize, inside.len());
            proptest::prop_assert!(inside.len() <= 4 && waiting <= 8);
            proptest::prop_assert!(inside.len() == 4 || waiting == 0 || core.is_congested(now));
        }
    }
}
