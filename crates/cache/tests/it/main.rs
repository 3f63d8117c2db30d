//! The tiers over real Redis servers, and over every interleaving of a small model of them.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod cluster;
mod coherence;
mod cold;
mod failures;
mod leases;
mod model;
mod node;
mod scan;
mod turns;
