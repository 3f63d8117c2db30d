//! Cohorts as the operator sees them.

use corkboard_core::cohort::Cohort;
use corkboard_core::time::Timestamp;

/// One cohort of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortInfo {
    pub cohort: Cohort,
    /// Whether cards were ever written to it.
    pub used: bool,
    /// Cards and states together; exact for SQLite, an estimate where counting would scan.
    pub rows: u64,
    pub bytes: u64,
}

/// How far a cohort is in its life. Only what is live is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CohortStage {
    /// Made ahead: no card yet.
    Ahead,
    /// Has cards that have not all expired.
    Live,
    /// Has no use any more, and waits to be dropped.
    Ended,
}

impl CohortStage {
    pub const ALL: [Self; 3] = [Self::Ahead, Self::Live, Self::Ended];

    #[must_use]
    pub fn of(cohort: Cohort, used: bool, now: Timestamp) -> Self {
        if cohort.ends_at() <= now {
            Self::Ended
        } else if used {
            Self::Live
        } else {
            Self::Ahead
        }
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ahead => "ahead",
            Self::Live => "live",
            Self::Ended => "ended",
        }
    }
}

/// A cohort that was dropped (or would be).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredCohort {
    pub cohort: Cohort,
    /// Bytes given back to the file system.
    pub bytes: u64,
}
