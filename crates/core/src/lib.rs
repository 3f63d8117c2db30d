//! The domain, without I/O: ids, cards, campaigns, audiences, expiry, states, slots, clock.
//!
//! Nothing in here opens a socket, a file or a database, and nothing reads the clock behind the
//! caller's back. Every other room depends on this one; it depends on none.

pub mod connected;
pub mod id;
pub mod time;
