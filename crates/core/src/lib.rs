//! The domain, without I/O: ids, cards, campaigns, audiences, expiry, states, slots, clock.
//!
//! Nothing in here opens a socket, a file or a database, and nothing reads the clock behind the
//! caller's back. Every other room depends on this one; it depends on none. Start with
//! [`campaign`], follow it to [`dispatch`] and [`card`], and see [`state`] for why repeating and
//! reordering are harmless.

pub mod audience;
pub mod campaign;
pub mod card;
pub mod cohort;
pub mod connected;
pub mod dispatch;
pub mod expiry;
pub mod hint;
pub mod id;
pub mod identity;
pub mod slot;
pub mod state;
pub mod story;
pub mod tenancy;
pub mod time;
pub mod user;
pub mod variant;
