//! Cohorts as the operator sees them.

use corkboard_core::cohort::Cohort;

/// One cohort of one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CohortInfo {
    pub cohort: Cohort,
    /// Cards and states together; exact for SQLite, an estimate where counting would scan.
    pub rows: u64,
    pub bytes: u64,
}

/// A cohort that was dropped (or would be).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredCohort {
    pub cohort: Cohort,
    /// Bytes given back to the file system.
    pub bytes: u64,
}
