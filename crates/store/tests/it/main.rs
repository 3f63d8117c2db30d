//! The store through its traits.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod cards;
mod control;
mod plans;
mod postgres_cards;
mod postgres_control;
mod postgres_encryption;
mod postgres_faults;
mod postgres_watch;
