//! Change hooks: what happens in the source's tables reaches Redis and memory.
//!
//! Triggers write the keys that a statement touched into a *journal*, a table of ours in the source
//! database, in the same transaction: a change that is committed is in the journal, whatever else
//! fails. Every origin follows the journal and forgets those keys; one of them at a time (the
//! *applier*) also rewrites them in Redis. Both begin again where they were, so no change is missed.

mod apply;
mod follow;
mod install;
mod journal;
mod pending;
mod progress;
mod snapshot;
mod tell;

pub(crate) use apply::{Applier, Rewrite, RewriteError};
pub(crate) use follow::{Follower, Void};
pub use install::{Hooked, install};
pub(crate) use tell::tell;

/// Where the triggers' notifications arrive. They only wake: the journal says what has changed.
pub(crate) const CHANNEL: &str = "corkboard_origin";
