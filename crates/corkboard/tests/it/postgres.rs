//! The built binary on PostgreSQL: one control database, two card databases, one of them flat.

mod away;
mod cohorts;
mod doctor;
pub(crate) mod installation;
mod markers;
mod migrating;
mod nodes;
mod stopping;
mod tiers;
