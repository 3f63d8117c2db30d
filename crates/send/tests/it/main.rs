//! The pipeline over real embedded stores, with a fetcher from a script and a clock in the hand.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on must end")]

mod beside;
mod crash;
mod eligibility;
mod event;
mod fetcher;
mod gate;
mod launch;
mod lease;
mod put_aside;
mod removal;
mod schedule;
mod skip;
mod stop;
mod trigger;
mod variant;
mod world;
