//! Which cohorts there are: known to every process, made ahead, looked at, retired.
//!
//! The table `cohort` says so; its version grows with every change. A reader that names tables
//! compares the version that its statement saw with the one it named them by, and reads again when
//! they differ: a card that was acknowledged before a read began is always found by it.

mod create;
mod look;
mod restore;
mod retire;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use corkboard_core::cohort::Cohort;
use corkboard_core::time::Timestamp;

pub use look::CohortSet;
pub(super) use look::list;
pub(super) use retire::FOLD;

use super::tables::{self, CardLayout, Tables};
use crate::error::{Result, StoreError};
use crate::postgres::pool::Pool;
use crate::postgres::session::Session;
use crate::postgres::statement::Statement;
use crate::postgres::values::get;

pub(super) const LIST: Statement = Statement::new(
    "list cohorts",
    "SELECT s.version, c.cohort_no, c.state FROM cohort_set s LEFT JOIN cohort c ON true",
);

/// How far a cohort is in its life; the numbers are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Made ahead: no card yet.
    Empty = 0,
    Used = 1,
    /// Its counts are kept; cards are about to go.
    Dropping = 2,
    /// Gone, except for how many cards each dispatch has written.
    Retired = 3,
    Forgotten = 4,
}

impl State {
    fn from_stored(number: i16) -> Self {
        match number {
            0 => Self::Empty,
            1 => Self::Used,
            2 => Self::Dropping,
            3 => Self::Retired,
            _ => Self::Forgotten,
        }
    }

    /// Whether it has tables of cards that can be read and written.
    pub(super) fn is_live(self) -> bool {
        self <= Self::Used
    }
}

/// All cohorts as of one version.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) version: i64,
    pub(super) all: BTreeMap<Cohort, State>,
}

impl Known {
    /// The cohorts that have cards which have not all expired at `now`, in the order of their end.
    pub(super) fn readable(&self, now: Timestamp) -> impl Iterator<Item = Cohort> {
        let used = self.all.iter().filter(|(_, state)| **state == State::Used);
        used.map(|(cohort, _)| *cohort)
            .filter(move |cohort| cohort.ends_at() > now)
    }

    /// The cohorts that can have cards, also expired ones.
    pub(super) fn used(&self) -> impl Iterator<Item = Cohort> {
        let used = self.all.iter().filter(|(_, state)| **state == State::Used);
        used.map(|(cohort, _)| *cohort)
    }
}

/// What this process knows of a database's cohorts.
#[derive(Debug)]
pub(super) struct Cohorts {
    pub(super) layout: CardLayout,
    pool: Pool,
    known: RwLock<Arc<Known>>,
    /// One first use of a cohort at a time.
    making: tokio::sync::Mutex<()>,
    /// One retirement at a time.
    retiring: tokio::sync::Mutex<()>,
}

impl Cohorts {
    pub(super) fn new(layout: CardLayout, pool: Pool) -> Self {
        let nothing = Known {
            version: -1,
            all: BTreeMap::new(),
        };
        Self {
            layout,
            pool,
            known: RwLock::new(Arc::new(nothing)),
            making: tokio::sync::Mutex::new(()),
            retiring: tokio::sync::Mutex::new(()),
        }
    }

    /// What was last seen. The version is below zero before anything was.
    pub(super) fn known(&self) -> Arc<Known> {
        // Only whole values are put there.
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was last seen, or what there is, when nothing has been seen yet.
    pub(super) async fn seen(&self, session: &Session) -> Result<Arc<Known>> {
        let known = self.known();
        if known.version >= 0 {
            return Ok(known);
        }
        self.look(session).await
    }

    /// Looks which cohorts there are now.
    pub(super) async fn look(&self, session: &Session) -> Result<Arc<Known>> {
        let mut fresh = Known {
            version: 0,
            all: BTreeMap::new(),
        };
        for row in session.all(&LIST, &[]).await? {
            fresh.version = get(&row, "version")?;
            let cohort: Option<i16> = get(&row, "cohort_no")?;
            if let Some(cohort) = cohort {
                let state = State::from_stored(get(&row, "state")?);
                fresh.all.insert(tables::cohort(cohort)?, state);
            }
        }
        let fresh = Arc::new(fresh);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.version <= fresh.version {
            *known = Arc::clone(&fresh);
        }
        Ok(fresh)
    }

    /// Looks again, on a connection of its own.
    pub(super) async fn look_again(&self) -> Result<Arc<Known>> {
        let session = self.pool.session().await?;
        self.look(&session).await
    }

    pub(super) fn tables(&self, cohort: Cohort) -> Tables {
        Tables::of(self.layout, cohort)
    }

    /// The tables to read for all of these cohorts: one each, or the only ones.
    pub(super) fn sources(&self, cohorts: impl Iterator<Item = Cohort>) -> Vec<Tables> {
        let mut sources: Vec<_> = cohorts.map(|cohort| self.tables(cohort)).collect();
        if self.layout == CardLayout::Flat {
            sources.truncate(1);
        }
        sources
    }

    /// The tables of a cohort that cards are about to be written to. It should have been made ahead;
    /// it is made now, and loudly, when it was not. To be called without a connection in hand: who
    /// holds one and waits for another may wait for somebody who does the same.
    pub(super) async fn for_writing(&self, cohort: Cohort) -> Result<Tables> {
        if self.known().all.get(&cohort) == Some(&State::Used) {
            return Ok(self.tables(cohort));
        }
        let _one = self.making.lock().await;
        loop {
            match self.look_again().await?.all.get(&cohort) {
                Some(State::Used) => return Ok(self.tables(cohort)),
                Some(State::Empty) => self.mark_used(cohort).await?,
                Some(_) => return Err(StoreError::NoSuchCohort(cohort)),
                None => {
                    tracing::warn!(place = %self.pool.place(), %cohort, "cohort was not made ahead");
                    metrics::counter!("corkboard_store_cohorts_made_late_total").increment(1);
                    self.create(cohort).await?;
                }
            }
        }
    }
}
