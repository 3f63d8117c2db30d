//! The tiers before a source: process memory bounded in bytes, then Redis, then whoever knows.
//!
//! [`Tiers`] reads through all of them: one reader at a time looks further for all who want the
//! same key, one process at a time asks the source (a *lease* in Redis), and a *void* after a write
//! makes sure that what was read before it is never put back. [`Memory`] and [`Redis`] can be used
//! by themselves, too. Nothing here knows what is kept.
//!
//! A lost tier costs speed, never an answer: Redis that is gone, hangs or refuses is left out within
//! a second, and so is memory while nobody would tell it of changes made elsewhere.

mod admission;
mod hashing;
mod key;
mod memory;
mod reading;
mod redis;
mod tiers;

pub use admission::{Admission, Busy};
pub use key::Key;
pub use memory::{Joined, Landed, Lead, Mark, Memory, Missed, Passenger, Seen, Weigh};
pub use reading::{Awaited, Reader, Reading};
pub use redis::{
    CallError, Ears, HashKept, HashLease, HashLeased, HashLooked, HashPage, HashRow, HashScan,
    HashWrite, Looked, OpenError, Redis, RedisOptions, Token,
};
pub use tiers::{Codec, ReadError, TierOptions, Tiers};
