//! Cohorts: all cards whose expiry falls in one period. Time removes cards a cohort at a time.
//!
//! A dispatch's cohort follows from when it was planned and the latest expiry its cards can have,
//! and is frozen with it: a retry at another hour writes to the same cohort. Expiry is rounded up to
//! a day when it is near, to a week when it is farther, and to a month of five weeks beyond, so that
//! at most 6 + 6 + 4 cohorts are ever live for any permitted lifetime. Months consist of whole weeks
//! and those of whole days. The exact expiry stays in the row.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::expiry::LONGEST;
use crate::time::{Day, SECONDS_PER_DAY, Timestamp};

const DAY: Duration = Duration::from_secs(SECONDS_PER_DAY.unsigned_abs());
/// Expiries up to this far ahead get day cohorts.
const NEAR: Duration = Duration::from_secs(5 * DAY.as_secs());
/// Expiries up to this far ahead get week cohorts, at the latest; the others get months.
const FAR: Duration = Duration::from_secs(5 * 7 * DAY.as_secs());

/// 1970-01-01 was a Thursday; weeks end with Sunday, so day numbers of Mondays are 4 mod 7. Months
/// end with every fifth of these Sundays.
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
    /// Five weeks: as long as the longest calendar month, and a few days.
    Month,
}

impl Width {
    /// The longest time by which an expiry is rounded up to the end of its cohort.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_secs(self.days().unsigned_abs() as u64 * DAY.as_secs())
    }

    const fn days(self) -> i32 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 35,
        }
    }

    /// With which letter the names of such cohorts begin.
    fn letter(self) -> char {
        match self {
            Self::Day => 'd',
            Self::Week => 'w',
            Self::Month => 'm',
        }
    }

    /// By how much a stored number is more than that of the day on which the cohort ends. Numbers of
    /// days are even; weeks and months end on Mondays, so they share the odd ones.
    fn offset(self) -> i32 {
        match self {
            Self::Day => 0,
            Self::Week => 1,
            Self::Month => 3,
        }
    }
}

impl Cohort {
    /// The cohort of a dispatch planned at `planned_at` whose cards expire at `latest` or earlier.
    #[must_use]
    pub fn of(planned_at: Timestamp, latest: Timestamp) -> Self {
        let width = if latest <= planned_at.plus(NEAR) {
            Width::Day
        } else if latest <= planned_at.plus(FAR) {
            Width::Week
        } else {
            Width::Month
        };
        // A card expiring exactly at midnight belongs to the day that ends then.
        let last_day = Timestamp::from_micros(latest.as_micros().saturating_sub(1))
            .day()
            .number();
        let days = width.days();
        let into = (last_day - MONDAY).rem_euclid(days);
        Self {
            ends: Day::from_number(last_day - into + days),
            width,
        }
    }

    /// Every cohort that a dispatch planned at this time may have.
    #[must_use]
    pub fn all_of(planned_at: Timestamp) -> BTreeSet<Self> {
        // Each day in which cards can expire is met, and the first moment of each width.
        let moment = Duration::from_micros(1);
        let whole_days = (0..).map(|days| DAY * days);
        whole_days
            .take_while(|life| *life < LONGEST)
            .chain([moment, NEAR + moment, FAR + moment, LONGEST])
            .map(|life| Self::of(planned_at, planned_at.plus(life)))
            .collect()
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

    /// As stored: twice the number of the day on which it ends, for a week one more, for a month
    /// three more.
    #[must_use]
    pub fn number(self) -> i32 {
        self.ends.number() * 2 + self.width.offset()
    }

    /// From a stored number. A week must end on a Monday, a month on every fifth of them.
    #[must_use]
    pub fn from_number(number: i32) -> Option<Self> {
        [Width::Day, Width::Week, Width::Month]
            .into_iter()
            .find_map(|width| {
                let twice = number.checked_sub(width.offset())?;
                let ends = Day::from_number(twice.div_euclid(2));
                (twice.rem_euclid(2) == 0).then_some(())?;
                Self::ending(ends, width)
            })
    }

    /// `None` where no period of this width ends.
    fn ending(ends: Day, width: Width) -> Option<Self> {
        let ends_a_period = (ends.number() - MONDAY).rem_euclid(width.days()) == 0;
        ends_a_period.then_some(Self { ends, width })
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

/// As in `d20261122` (a day), `w20261122` (a week) or `m20270110` (a month of five weeks), by the last
/// day that the cohort covers, so that names sort by time and fit table and file names.
impl fmt::Display for Cohort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = Timestamp::from_seconds((i64::from(self.ends.number()) - 1) * SECONDS_PER_DAY);
        let last = last.to_jiff();
        write!(f, "{}{}", self.width.letter(), last.strftime("%Y%m%d"))
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
        let refuse = || format!("'{text}' is not a cohort name like d20261122 or w20261122");
        let (width, digits) = match text.split_at_checked(1) {
            Some(("d", digits)) => (Width::Day, digits),
            Some(("w", digits)) => (Width::Week, digits),
            Some(("m", digits)) => (Width::Month, digits),
            _ => return Err(refuse()),
        };
        let date = jiff::civil::Date::strptime("%Y%m%d", digits).map_err(|_| refuse())?;
        let last = date
            .to_zoned(jiff::tz::TimeZone::UTC)
            .map_err(|_| refuse())?
            .timestamp();
        let ends = Day::from_number(Timestamp::from_jiff(last).day().number() + 1);
        Self::ending(ends, width)
            .filter(|cohort| cohort.to_string() == text)
            .ok_or_else(refuse)
    }
}

#[cfg(test)]
mod tests;
