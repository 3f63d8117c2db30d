//! Feeds over the real embedded store, with a clock and an endpoint that tests hold in their hand.

#![expect(
    clippy::unwrap_used,
    reason = "a failed step of a test is a failed test"
)]

mod deltas;
mod endpoint;
mod events;
mod explaining;
mod first_impressions;
mod hints;
mod inspecting;
mod measure;
mod previews;
mod reading;
mod statistics;
mod tiers;
mod world;
