//! The embedded store: SQLite compiled in, several files in one folder, nothing else needed.
//!
//! `users.db` holds users and what outlives cards, each `cards-<cohort>.db` the cards that expire
//! in one period (retiring a cohort is unlinking its file), `control.db` what belongs to a
//! workspace. A transaction cannot span two files; whatever needs more than one is written as
//! steps that may be repeated.

mod cards;
mod control;
mod database;
mod failure;
mod filter;
mod options;
mod plan;

pub use cards::SqliteCardStore;
pub use control::SqliteControlStore;
pub use options::SqliteOptions;
