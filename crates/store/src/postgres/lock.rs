//! Advisory locks: what rows cannot protect, because it is not there yet or is in several tables.
//!
//! A lock is taken in a statement of its own, before the transaction reads: a statement that takes
//! the lock and reads at once would read as of before it waited.

use sha2::{Digest, Sha256};

/// What a lock protects. The numbers are part of what nodes of different versions agree on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub(super) enum Protects {
    /// The schema: one migration at a time.
    Schema = 0x636b_0001,
    /// A campaign's being open for dispatches. Beginning one shares it, stopping has it alone.
    Campaign = 0x636b_0002,
    /// One idempotency key.
    IdempotencyKey = 0x636b_0003,
    /// Which partitions the control database has.
    ControlPartitions = 0x636b_0004,
    /// A group of slots of a card database: writers of cards share it, an erasure has it alone.
    CardSlots = 0x636b_0005,
    /// The writing for one chunk.
    Chunk = 0x636b_0006,
    /// Which cohorts a card database has.
    Cohorts = 0x636b_0007,
    /// The retiring of cohorts, in several transactions.
    Keeper = 0x636b_0008,
    /// One dispatch id, which is to be there once over all partitions.
    DispatchId = 0x636b_0009,
}

/// A lock held until the end of the transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lock {
    pub(super) protects: Protects,
    /// Of 32 bits: two things may share a lock, and only wait more often than they need to.
    pub(super) key: i32,
    pub(super) shared: bool,
}

impl Lock {
    /// The one of its kind.
    pub(super) fn only(protects: Protects) -> Self {
        Self {
            protects,
            key: 0,
            shared: false,
        }
    }

    /// Of the thing that these parts name together.
    pub(super) fn of(protects: Protects, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let digest: [u8; 32] = hash.finalize().into();
        let [a, b, c, d, ..] = digest;
        Self {
            key: i32::from_be_bytes([a, b, c, d]),
            ..Self::only(protects)
        }
    }

    /// Held by several at a time, but not beside one that is not shared.
    pub(super) fn shared(self) -> Self {
        Self {
            shared: true,
            ..self
        }
    }

    /// The statement that waits for it.
    pub(super) fn sql(self) -> String {
        let kind = if self.shared { "_shared" } else { "" };
        let (protects, key) = (self.protects as i32, self.key);
        format!("SELECT pg_advisory_xact_lock{kind}({protects}, {key})")
    }
}
