//! The pipeline over real embedded stores, with a fetcher from a script and a clock in the hand.

mod crash;
mod eligibility;
mod event;
mod fetcher;
mod gate;
mod launch;
mod lease;
mod removal;
mod schedule;
mod skip;
mod stop;
mod trigger;
mod variant;
mod world;
