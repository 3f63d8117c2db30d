//! A cohort follows from its dispatch, never ends before its cards, and there are few of them.

use super::*;
use proptest::prelude::*;

/// Most cohorts that are ever live.
const MOST: usize = 16;

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The first day of the cohort's period.
fn begins(cohort: Cohort) -> i32 {
    cohort.ends.number() - cohort.width.days()
}

#[test]
fn an_expiry_is_rounded_up_the_more_the_farther_it_is() {
    let saturday = time("2026-11-21T10:00:00Z");
    for (expires, name, ends) in [
        ("2026-11-22T00:00:01Z", "d20261122", "2026-11-23T00:00:00Z"),
        ("2026-11-22T00:00:00Z", "d20261121", "2026-11-22T00:00:00Z"),
        ("2026-11-26T10:00:00Z", "d20261126", "2026-11-27T00:00:00Z"),
        ("2026-11-26T10:00:01Z", "w20261129", "2026-11-30T00:00:00Z"),
        ("2026-12-26T10:00:00Z", "w20261227", "2026-12-28T00:00:00Z"),
        ("2026-12-26T10:00:01Z", "m20270110", "2027-01-11T00:00:00Z"),
    ] {
        let cohort = Cohort::of(saturday, time(expires));
        assert_eq!(
            (cohort.to_string(), cohort.ends_at()),
            (name.to_owned(), time(ends))
        );
    }
}

#[test]
fn the_numbers_and_names_of_databases_that_exist_keep_their_meaning() {
    for (name, number) in [("d20261206", 41_588), ("w20261206", 41_589)] {
        assert_eq!(name.parse::<Cohort>().unwrap().number(), number);
    }
    let month: Cohort = "m20270110".parse().unwrap();
    assert_eq!(Cohort::from_number(month.number()), Some(month));
    for no_name in ["w20261207", "m20261213", "m2027017", "x20270117", ""] {
        assert!(no_name.parse::<Cohort>().is_err(), "{no_name}");
    }
}

#[test]
fn each_number_is_one_cohort_or_none() {
    let mut weeks = 0;
    for number in 36_000..46_000 {
        if let Some(cohort) = Cohort::from_number(number) {
            assert_eq!(cohort.number(), number);
            weeks += usize::from(cohort.width == Width::Week);
        }
    }
    assert_eq!(weeks, 10_000 / 14 + 1);
}

/// Dispatches of every lifetime, planned each hour for more than a year.
#[test]
fn no_lifetimes_ever_keep_more_than_16_cohorts_alive() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let start = time("2026-01-01T00:00:00Z");
    let mut written: BTreeSet<Cohort> = BTreeSet::new();
    let mut most = 0;
    for hour in 0..400 * 24 {
        let now = start.plus(HOUR * hour);
        written.extend(Cohort::all_of(now));
        written.retain(|cohort| cohort.ends_at() > now);
        assert!(written.len() <= MOST, "{now}: {written:?}");
        most = most.max(written.len());
    }
    assert_eq!(most, MOST, "a bound that is met");
}

#[test]
fn all_of_a_dispatch_covers_every_lifetime() {
    for minutes in [0, 1, 61, 1_439] {
        let planned_at = time("2026-11-21T00:00:00Z").plus(Duration::from_secs(minutes * 60));
        let all = Cohort::all_of(planned_at);
        for hours in 0..LONGEST.as_secs() / 3_600 {
            let life = Duration::from_secs(hours * 3_600 + 1);
            let cohort = Cohort::of(planned_at, planned_at.plus(life));
            assert!(all.contains(&cohort), "{planned_at} {life:?}: {cohort}");
        }
    }
}

proptest! {
    #[test]
    fn every_card_expires_before_its_cohort_ends(planned in 0_i64..4_000_000_000, life in 1_u64..7_826_400) {
        let planned = Timestamp::from_seconds(planned);
        let latest = planned.plus(Duration::from_secs(life));
        let cohort = Cohort::of(planned, latest);
        prop_assert!(latest <= cohort.ends_at());
        prop_assert!(cohort.ends_at() < latest.plus(cohort.width().duration()));
        prop_assert_eq!(Cohort::from_number(cohort.number()), Some(cohort));
        prop_assert_eq!(cohort.to_string().parse::<Cohort>(), Ok(cohort));
    }

    #[test]
    fn a_period_lies_within_one_of_the_next_width_or_beside_it(day in 0_i32..40_000, other in 0_i32..80) {
        let of = |day: i32, width: Width| {
            let into = (day - MONDAY).rem_euclid(width.days());
            Cohort::ending(Day::from_number(day - into + width.days()), width).unwrap()
        };
        for (narrow, wide) in [(Width::Day, Width::Week), (Width::Week, Width::Month)] {
            let (narrow, wide) = (of(day, narrow), of(day + other, wide));
            let within = begins(wide) <= begins(narrow) && narrow.ends <= wide.ends;
            let beside = narrow.ends.number() <= begins(wide);
            prop_assert!(within || beside, "{narrow} {wide}");
        }
    }
}
