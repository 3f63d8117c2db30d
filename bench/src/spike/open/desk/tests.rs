//! The client in virtual time, against servers that stall, are slow, refuse or close.

use std::collections::BTreeMap;

use super::super::profile::{Arrivals, Step};
use super::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn even(per_second: f64, lasts: Duration) -> Profile {
    Profile {
        steps: vec![Step { per_second, lasts }],
        arrivals: Arrivals::Even,
    }
}

/// Plays a server that takes what `answer` says (time and kind) from the time a request was sent.
fn play(
    profile: &Profile,
    connections: usize,
    answer: impl Fn(Duration) -> (Duration, Kind),
) -> Tally {
    let mut desk = Desk::new(profile, SECOND, connections);
    (0..connections).for_each(|connection| desk.opened(connection));
    let (mut now, mut coming) = (Duration::ZERO, BTreeMap::new());
    while !desk.is_done() {
        while let Some(connection) = desk.send(now) {
            let (takes, kind) = answer(now);
            coming.insert((now + takes, connection), kind);
        }
        let first = coming.keys().next().copied();
        let next = match (first, desk.wake()) {
            (Some((at, _)), Some(wake)) => at.min(wake),
            (Some((at, _)), None) => at,
            (None, Some(wake)) => wake,
            (None, None) => break,
        };
        now = next.max(now + Duration::from_nanos(1));
        while let Some(entry) = coming.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((_, connection), kind) = entry.remove_entry();
            desk.answered(connection, now, kind, false);
        }
    }
    desk.finish(now)
}

#[test]
fn a_stalled_server_makes_all_wait_that_came_meanwhile() {
    // 1,000 a second for 2 s; from 0.5 s on, the server stands still until 0.9 s.
    let stall = (SECOND / 2, SECOND * 9 / 10);
    let profile = even(1_000.0, SECOND * 2);
    let tally = play(&profile, 4, |sent| {
        let until = if sent >= stall.0 && sent < stall.1 {
            stall.1 - sent
        } else {
            Duration::ZERO
        };
        (until + MS / 10, Kind::Ok)
    });
    let step = &tally.steps[0];
    assert_eq!((step.offered, step.ok, step.late), (2_000, 2_000, 0));
    // A client that waits for each answer would have noted 4 slow requests. 400 came during the stall, a
    // fifth of all, and half of them waited for more than 200 ms.
    let slow = |part| step.accepted.quantile(part);
    assert!(slow(0.79) < MS * 2, "{:?}", slow(0.79));
    assert!(
        slow(0.90) >= MS * 190 && slow(0.90) <= MS * 230,
        "{:?}",
        slow(0.90)
    );
    assert!(
        slow(0.99) >= MS * 375 && slow(1.0) >= MS * 398,
        "{:?}",
        slow(1.0)
    );
}

#[test]
fn the_offered_rate_does_not_fall_because_the_server_is_slow() {
    let tally = play(&even(1_000.0, SECOND * 3), 10, |_| (SECOND / 10, Kind::Ok));
    let step = &tally.steps[0];
    // Ten connections of 100 ms carry 100 a second. The others were offered and are late, not lost.
    assert_eq!((step.offered, step.ok + step.late), (3_000, 3_000));
    assert!((280..=380).contains(&step.ok), "{}", step.ok);
}

#[test]
fn an_answer_after_the_deadline_is_late_and_its_time_is_kept() {
    let tally = play(&even(10.0, SECOND), 10, |_| (SECOND * 3 / 2, Kind::Ok));
    let step = &tally.steps[0];
    assert_eq!((step.ok, step.late, step.accepted.count()), (0, 10, 10));
    assert!(step.accepted.quantile(0.5) >= SECOND * 3 / 2);
}

#[test]
fn refusals_and_other_answers_are_told_apart() {
    let tally = play(&even(100.0, SECOND), 10, |sent| {
        let kind = if sent < SECOND / 4 {
            Kind::Refused
        } else if sent < SECOND / 2 {
            Kind::Other(500)
        } else {
            Kind::Ok
        };
        (MS, kind)
    });
    let step = &tally.steps[0];
    assert_eq!((step.refused, step.other, step.ok), (25, 25, 50));
    assert_eq!(step.disorderly(), 25);
    let goods: Vec<u64> = tally.slices.iter().map(|slice| slice.ok).collect();
    assert_eq!(goods, [0, 0, 25, 25]);
}

#[test]
fn a_request_whose_connection_was_closed_is_sent_once_more_and_no_more() {
    let mut desk = Desk::new(&even(1.0, SECOND), SECOND, 2);
    desk.opened(0);
    desk.opened(1);
    assert_eq!(desk.send(SECOND / 2), Some(0));
    desk.lost(0, SECOND / 2, true);
    assert_eq!(desk.send(SECOND / 2), Some(1));
    desk.lost(1, SECOND * 3 / 4, true);
    assert_eq!(desk.send(SECOND), None);
    assert!(desk.is_done());
    let tally = desk.finish(SECOND);
    let step = &tally.steps[0];
    assert_eq!((step.offered, step.resent, step.failed), (1, 1, 1));
}

#[test]
fn what_is_in_flight_at_the_end_is_late() {
    let mut desk = Desk::new(&even(1.0, SECOND), SECOND, 1);
    desk.opened(0);
    assert_eq!(desk.send(SECOND / 2), Some(0));
    assert!(!desk.is_done());
    let tally = desk.finish(SECOND * 3);
    assert_eq!((tally.steps[0].late, tally.steps[0].failed), (1, 0));
}
