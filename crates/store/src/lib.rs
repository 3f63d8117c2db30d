//! All SQL of Corkboard: two traits, and the databases behind them.
//!
//! [`CardStore`] holds everything keyed by a user (users, events, cards, states, receipts) and will
//! exist once per card database. [`ControlStore`] holds everything keyed by a workspace
//! (tenants, campaigns, dispatches, chunks, idempotency, the call log) and exists once. Nothing
//! outside this room writes SQL. [`sqlite`] is the embedded implementation; the behaviour that every
//! implementation must show is the suite in `tests/it`.

#[cfg(test)]
mod audience_samples;
mod audience_sql;
pub mod card_store;
pub mod control_store;
mod cursor;
mod document;
pub mod error;
pub mod page;
pub mod postgres;
pub mod routed;
pub mod sqlite;

pub use card_store::CardStore;
pub use control_store::ControlStore;
pub use error::StoreError;
