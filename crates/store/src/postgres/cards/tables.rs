//! What the tables of a cohort are called, and how cohorts are stored.

use corkboard_core::cohort::Cohort;

use crate::error::{Result, StoreError};

/// The number of the cohort that is stored as 0: the day that ends with 2019.
const FIRST: i32 = 36_524;

/// How a card database keeps its cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CardLayout {
    /// A table for each cohort, dropped as a whole.
    Cohorts,
    /// One table for all, rows deleted when their cohort is over.
    Flat,
}

/// A cohort's number as stored. Fails for expiries before 1975 and after 2064.
pub(super) fn stored(cohort: Cohort) -> Result<i16> {
    i16::try_from(cohort.number() - FIRST).map_err(|_| StoreError::NoSuchCohort(cohort))
}

/// A stored number's cohort.
pub(super) fn cohort(stored: i16) -> Result<Cohort> {
    Cohort::from_number(i32::from(stored) + FIRST).ok_or_else(|| StoreError::Corrupt {
        what: "cohort",
        source: format!("{stored} stands for no cohort").into(),
    })
}

/// The tables in which a cohort's rows are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tables {
    pub(super) suffix: String,
}

impl Tables {
    pub(super) fn of(layout: CardLayout, cohort: Cohort) -> Self {
        let suffix = match layout {
            CardLayout::Cohorts => format!("_{cohort}"),
            CardLayout::Flat => String::new(),
        };
        Self { suffix }
    }

    /// The cohort's table that holds what `parent` is called after.
    pub(super) fn name(&self, parent: &str) -> String {
        format!("{parent}{}", self.suffix)
    }

    /// The text with the cohort's table names in it: `card@` becomes `card_d20261122`.
    pub(super) fn sql(&self, text: &str) -> String {
        text.replace('@', &self.suffix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use corkboard_core::time::Timestamp;
    use std::time::Duration;

    #[test]
    fn cohorts_come_back_as_they_were_stored() {
        let planned: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        for days in [1, 6, 8, 89] {
            let expires = planned.plus(Duration::from_secs(days * 86_400));
            let of_dispatch = Cohort::of(planned, expires);
            assert_eq!(cohort(stored(of_dispatch).unwrap()).unwrap(), of_dispatch);
        }
        let long_ago = Cohort::of(Timestamp::EPOCH, Timestamp::EPOCH);
        assert!(stored(long_ago).is_err());
    }

    #[test]
    fn a_flat_layout_has_no_names_of_its_own() {
        let day: Cohort = "d20261122".parse().unwrap();
        let tables = |layout| Tables::of(layout, day).sql("card@ c");
        assert_eq!(tables(CardLayout::Cohorts), "card_d20261122 c");
        assert_eq!(tables(CardLayout::Flat), "card c");
    }
}
