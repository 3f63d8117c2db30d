//! The built binary on PostgreSQL: one control database, two card databases, one of them flat.

mod cohorts;
mod installation;
mod migrating;
mod nodes;
