//! Slots: which of 4,096 equal parts of a workspace's users a user belongs to.
//!
//! `slot = xxh3_64(workspace id bytes ‖ user id in UTF-8) mod 4096`, seed 0. The hash is specified
//! outside this project (XXH3, 64 bits), so that every program in every language computes the same
//! slot. Databases own slots; changing this function would move every user.

use std::fmt;

use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3;

use crate::id::{Id, WorkspaceId};
use crate::user::UserId;

/// Number of slots. A power of two, so that ranges halve evenly.
pub const SLOT_COUNT: u16 = 4096;

/// A slot number, `0..SLOT_COUNT`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Slot(u16);

impl Slot {
    /// The slot of a user.
    #[must_use]
    pub fn of(workspace: WorkspaceId, user: &UserId) -> Self {
        let mut hash = Xxh3::new();
        hash.update(&workspace.to_bytes());
        hash.update(user.as_str().as_bytes());
        Self((hash.digest() % u64::from(SLOT_COUNT)) as u16)
    }

    /// From a stored number; `None` when out of range.
    #[must_use]
    pub fn from_number(number: u16) -> Option<Self> {
        (number < SLOT_COUNT).then_some(Self(number))
    }

    /// The number as stored.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

/// Slots `first..=last`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct SlotRange {
    pub first: Slot,
    pub last: Slot,
}

impl SlotRange {
    /// All slots.
    pub const ALL: Self = Self {
        first: Slot(0),
        last: Slot(SLOT_COUNT - 1),
    };

    /// Cuts all slots into `parts` neighbouring ranges of nearly equal size (1 to 4,096 of them).
    pub fn split(parts: u16) -> impl Iterator<Item = Self> {
        let parts = u32::from(parts.clamp(1, SLOT_COUNT));
        let edge = move |part: u32| (part * u32::from(SLOT_COUNT) / parts) as u16;
        (0..parts).map(move |part| Self {
            first: Slot(edge(part)),
            last: Slot(edge(part + 1) - 1),
        })
    }

    /// Whether the range holds `slot`.
    #[must_use]
    pub fn contains(self, slot: Slot) -> bool {
        self.first <= slot && slot <= self.last
    }
}

impl fmt::Display for SlotRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first.0, self.last.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(user: &str) -> u16 {
        let workspace = WorkspaceId::from_bytes(*b"corkboard-slots!");
        Slot::of(workspace, &UserId::parse(user).unwrap()).number()
    }

    #[test]
    fn slots_equal_the_published_vectors() {
        // Computed with the reference implementation of XXH3 (python-xxhash 3.x).
        let vectors = [
            ("u-1", VECTORS[0]),
            ("ada@example.com", VECTORS[1]),
            ("ユーザー", VECTORS[2]),
        ];
        for (user, expected) in vectors {
            assert_eq!(slot(user), expected, "{user}");
        }
    }
    const VECTORS: [u16; 3] = [556, 3433, 3924];

    #[test]
    fn any_split_covers_every_slot_once() {
        for parts in [1, 2, 3, 7, 64, 4095, 4096] {
            let ranges: Vec<_> = SlotRange::split(parts).collect();
            assert_eq!(ranges.len(), usize::from(parts));
            let mut next = 0;
            for range in ranges {
                assert_eq!(range.first.number(), next);
                next = range.last.number() + 1;
            }
            assert_eq!(next, SLOT_COUNT);
        }
    }
}
