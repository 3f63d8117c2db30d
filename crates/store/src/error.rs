//! What can go wrong in a store, told apart by what the caller can do about it.

use corkboard_core::cohort::Cohort;
use corkboard_core::slot::SlotRange;

/// An error of either store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// A unique name or id is taken. `what` names it, as in "workspace name".
    #[error("{what} is already taken")]
    Conflict { what: &'static str },
    /// The row to be changed does not exist, or belongs to another workspace.
    #[error("no such {what}")]
    NotFound { what: &'static str },
    /// The row has changed since it was read, or is in a state that does not allow the change.
    #[error("{what} has changed or does not allow this")]
    Stale { what: &'static str },
    /// A newer holder of the lease has taken over; the write was refused and nothing was written.
    #[error("the lease on chunk {chunk} has passed to another worker")]
    Fenced { chunk: u32 },
    /// The `after` of a page request is not one that a list gave out as `next`.
    #[error("the cursor is not one that this list has given out")]
    BadCursor,
    /// Rows for a cohort that does not exist (already retired, or its tables were dropped by hand).
    #[error("cohort {0} does not exist: it was retired, or its tables were dropped")]
    NoSuchCohort(Cohort),
    /// There may be no more of these.
    #[error("there are {most} {what} already: delete one first")]
    Full { what: &'static str, most: u32 },
    /// A new cohort would need one file or partition more than there may be.
    #[error("there are {most} cohorts already: retire those that have ended")]
    TooManyCohorts { most: usize },
    /// Too much is waiting already; try again later. Nothing was written.
    #[error("the store has too much to do")]
    Overloaded,
    /// The disk is full, or the file system refuses to write.
    #[error("the disk is full")]
    DiskFull(#[source] BoxError),
    /// The database cannot be reached or opened.
    #[error("the database at {place} cannot be used")]
    Unavailable {
        place: String,
        #[source]
        source: BoxError,
    },
    /// The database's schema is newer than this program.
    #[error("{place} has schema version {found}, this program knows {known}: use a newer program")]
    SchemaTooNew {
        place: String,
        found: u32,
        known: u32,
    },
    /// The database's schema is older than this program needs.
    #[error("{}", too_old(place, *found, *known))]
    SchemaTooOld {
        place: String,
        found: u32,
        known: u32,
    },
    /// The database is another one of ours, or has another layout than was asked for.
    #[error(
        "{place} has the schema '{found}', not '{wanted}': correct the URL or the layout in the \
         configuration"
    )]
    OtherSchema {
        place: String,
        found: &'static str,
        wanted: &'static str,
    },
    /// The database has the users of other slots: the list of card databases was changed.
    #[error(
        "{place} has the users of slots {found}, and is configured for {wanted}: restore number and \
         order of the card databases"
    )]
    OtherSlots {
        place: String,
        found: SlotRange,
        wanted: SlotRange,
    },
    /// A stored row cannot be understood.
    #[error("a stored {what} cannot be read")]
    Corrupt {
        what: &'static str,
        #[source]
        source: BoxError,
    },
    /// Anything else the database said.
    #[error("the database failed on {statement}")]
    Database {
        statement: &'static str,
        #[source]
        source: BoxError,
    },
}

/// A source error without a type of its own.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What store calls return.
pub type Result<T> = std::result::Result<T, StoreError>;

fn too_old(place: &str, found: u32, known: u32) -> String {
    if found == 0 {
        return format!("{place} has no schema yet: run corkboard migrate");
    }
    format!("{place} has schema version {found}, this program needs {known}: run corkboard migrate")
}
