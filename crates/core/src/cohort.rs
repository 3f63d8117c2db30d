//! Cohorts: all cards whose expiry falls in one period. Time removes cards a cohort at a time.
//!
//! A dispatch's cohort follows from when it was planned and the latest expiry its cards can have,
//! and is frozen with it: a retry at another hour writes to the same cohort. Expiry is rounded up
//! to a day when it is near (7 days) and to a week when it is far, so that at most
//! 8 + 13 cohorts are ever live for lifetimes of up to 90 days. The exact expiry stays in the row.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::{Day, SECONDS_PER_DAY, Timestamp};

/// Expiries up to this far ahead get day cohorts.
pub const NEAR: Duration = Duration::from_secs(7 * 86_400);

/// 1970-01-01 was a Thursday; weeks end with Sunday, so day numbers of Mondays are 4 mod 7.
const MONDAY: i32 = 4;

/// A period of expiry, known by the day on which it has ended and its width.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "i32", into = "i32")]
pub struct Cohort {
    /// The first day on which every card of the cohort has expired.
    ends: Day,
    width: Width,
}

/// How long a period a cohort covers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Width {
    Day,
    Week,
}

impl Cohort {
    /// The cohort of a dispatch planned at `planned_at` whose cards expire at `latest` or earlier.
    #[must_use]
    pub fn of(planned_at: Timestamp, latest: Timestamp) -> Self {
        // A card expiring exactly at midnight belongs to the day that ends then.
        let last_day = Timestamp::from_micros(latest.as_micros().saturating_sub(1))
            .day()
            .number();
        if latest <= planned_at.plus(NEAR) {
            return Self {
                ends: Day::from_number(last_day + 1),
                width: Width::Day,
            };
        }
        let into_week = (last_day - MONDAY).rem_euclid(7);
        Self {
            ends: Day::from_number(last_day - into_week + 7),
            width: Width::Week,
        }
    }

    /// When every card of the cohort has expired.
    #[must_use]
    pub fn ends_at(self) -> Timestamp {
        self.ends.start()
    }

    #[must_use]
    pub fn width(self) -> Width {
        self.width
    }

    /// Whether the cohort may be dropped at `now`, `grace` after its end.
    #[must_use]
    pub fn is_past(self, now: Timestamp, grace: Duration) -> bool {
        self.ends_at().plus(grace) <= now
    }

    /// As stored: twice the day number, plus one for a week. Sorts by end.
    #[must_use]
    pub fn number(self) -> i32 {
        self.ends.number() * 2 + i32::from(self.width == Width::Week)
    }

    /// From a stored number. A week must end on a Monday.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        let (day, week) = (number.div_euclid(2), number.rem_euclid(2) == 1);
        if week && (day - MONDAY).rem_euclid(7) != 0 {
            return None;
        }
        let width = if week { Width::Week } else { Width::Day };
        Some(Self {
            ends: Day::from_number(day),
            width,
        })
    }
}

impl From<Cohort> for i32 {
    fn from(cohort: Cohort) -> Self {
        cohort.number()
    }
}

impl TryFrom<i32> for Cohort {
    type Error = String;
    fn try_from(number: i32) -> Result<Self, String> {
        Self::from_number(number).ok_or_else(|| format!("{number} is not a cohort number"))
    }
}

/// As in `d20261122` (a day) or `w20261123` (a week), by the last day that the cohort covers, so
/// that names sort by time and fit table and file names.
impl fmt::Display for Cohort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = if self.width == Width::Week { 'w' } else { 'd' };
        let last = Timestamp::from_seconds((i64::from(self.ends.number()) - 1) * SECONDS_PER_DAY);
        write!(f, "{letter}{}", last.to_jiff().strftime("%Y%m%d"))
    }
}

impl fmt::Debug for Cohort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Cohort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("'{text}' is not a cohort name like d20261122 or w20261123");
        let (week, digits) = match text.split_at_checked(1) {
            Some(("d", digits)) => (0, digits),
            Some(("w", digits)) => (1, digits),
            _ => return Err(refuse()),
        };
        let date = jiff::civil::Date::strptime("%Y%m%d", digits).map_err(|_| refuse())?;
        let last = date
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map_err(|_| refuse())?
            .timestamp();
        let number = (Timestamp::from_jiff(last).day().number() + 1) * 2 + week;
        Self::from_number(number)
            .filter(|cohort| cohort.to_string() == text)
            .ok_or_else(refuse)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use proptest::prelude::*;

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn near_expiries_round_up_to_the_day_and_far_ones_to_the_week() {
        let saturday = time("2026-11-21T10:00:00Z");
        let near = Cohort::of(saturday, time("2026-11-22T00:00:01Z"));
        assert_eq!(
            (near.to_string(), near.ends_at()),
            ("d20261122".to_owned(), time("2026-11-23T00:00:00Z"))
        );
        let midnight = Cohort::of(saturday, time("2026-11-22T00:00:00Z"));
        assert_eq!(midnight.ends_at(), time("2026-11-22T00:00:00Z"));
        let far = Cohort::of(saturday, time("2026-12-01T00:00:00Z"));
        assert_eq!(
            (far.to_string(), far.ends_at()),
            ("w20261206".to_owned(), time("2026-12-07T00:00:00Z"))
        );
    }

    #[test]
    fn a_year_of_dispatches_never_keeps_more_than_22_cohorts_alive() {
        let start = time("2026-01-01T12:00:00Z");
        let mut written: BTreeSet<Cohort> = BTreeSet::new();
        for day in 0..365_u64 {
            let now = start.plus(Duration::from_secs(day * 86_400));
            for lifetime in 1..=90_u64 {
                written.insert(Cohort::of(
                    now,
                    now.plus(Duration::from_secs(lifetime * 86_400)),
                ));
            }
            written.retain(|cohort| cohort.ends_at() > now);
            assert!(written.len() <= 22, "day {day}: {}", written.len());
        }
    }

    proptest! {
        #[test]
        fn every_card_expires_before_its_cohort_ends(planned in 0_i64..4_000_000_000, life in 1_u64..7_776_000) {
            let planned = Timestamp::from_seconds(planned);
            let latest = planned.plus(Duration::from_secs(life));
            let cohort = Cohort::of(planned, latest);
            prop_assert!(latest <= cohort.ends_at());
            prop_assert!(cohort.ends_at() <= latest.plus(NEAR));
            prop_assert_eq!(Cohort::from_number(cohort.number()), Some(cohort));
            prop_assert_eq!(cohort.to_string().parse::<Cohort>(), Ok(cohort));
        }
    }
}
