//! What a user has done with a card, as a join-semilattice.
//!
//! A state is a set of bits joined with OR and, per bit, the first time it was set, joined with
//! the earlier of two. Joining is commutative, associative and idempotent: retries, offline
//! clients, dual writes and moves between databases can repeat and reorder at will.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// What a client reports about a card.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The card was on screen.
    Impression,
    /// The card's link was followed.
    Click,
    /// The user closed the card for good.
    Dismiss,
}

impl EventKind {
    /// All kinds, in the order of their bits.
    pub const ALL: [Self; 3] = [Self::Impression, Self::Click, Self::Dismiss];

    /// The bit that this event sets.
    #[must_use]
    pub fn mark(self) -> Mark {
        match self {
            Self::Impression => Mark::Seen,
            Self::Click => Mark::Clicked,
            Self::Dismiss => Mark::Dismissed,
        }
    }
}

/// One bit of a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mark {
    Seen = 0,
    Clicked = 1,
    Dismissed = 2,
    /// Taken back: by a removal event, or by hand.
    Removed = 3,
}

impl Mark {
    /// All marks, in the order of their bits.
    pub const ALL: [Self; 4] = [Self::Seen, Self::Clicked, Self::Dismissed, Self::Removed];

    /// The bit as stored: 1, 2, 4 or 8.
    #[must_use]
    pub fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// The state of one card for one user. The default is "untouched".
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CardState {
    /// When each mark was first set; absent means not set.
    first: [Option<Timestamp>; 4],
}

impl CardState {
    /// The state in which only `mark` is set, since `at`.
    #[must_use]
    pub fn marked(mark: Mark, at: Timestamp) -> Self {
        let mut first = [None; 4];
        first[mark as usize] = Some(at);
        Self { first }
    }

    /// From stored first-seen times, in the order of [`Mark::ALL`].
    #[must_use]
    pub fn from_first_times(first: [Option<Timestamp>; 4]) -> Self {
        Self { first }
    }

    /// First-seen times in the order of [`Mark::ALL`], as stored.
    #[must_use]
    pub fn first_times(&self) -> [Option<Timestamp>; 4] {
        self.first
    }

    /// The bit set as stored.
    #[must_use]
    pub fn bits(&self) -> u8 {
        Mark::ALL
            .iter()
            .filter(|mark| self.has(**mark))
            .map(|mark| mark.bit())
            .sum()
    }

    /// Whether a mark is set.
    #[must_use]
    pub fn has(&self, mark: Mark) -> bool {
        self.first[mark as usize].is_some()
    }

    /// When a mark was first set.
    #[must_use]
    pub fn first(&self, mark: Mark) -> Option<Timestamp> {
        self.first[mark as usize]
    }

    /// Both states' marks, each with its earlier time.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let mut first = self.first;
        for (mine, theirs) in first.iter_mut().zip(other.first) {
            *mine = match (*mine, theirs) {
                (Some(a), Some(b)) => Some(a.min(b)),
                (a, b) => a.or(b),
            };
        }
        Self { first }
    }

    /// Whether the card still belongs in a feed.
    #[must_use]
    pub fn is_visible(&self) -> bool {
        !self.has(Mark::Dismissed) && !self.has(Mark::Removed)
    }
}

impl fmt::Debug for CardState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map()
            .entries(
                Mark::ALL
                    .iter()
                    .filter_map(|mark| Some((mark, self.first(*mark)?))),
            )
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn states() -> impl Strategy<Value = CardState> {
        proptest::array::uniform4(proptest::option::of(-5_i64..5)).prop_map(|times| {
            CardState::from_first_times(times.map(|t| t.map(Timestamp::from_micros)))
        })
    }

    proptest! {
        #[test]
        fn joining_is_commutative(a in states(), b in states()) {
            prop_assert_eq!(a.join(b), b.join(a));
        }

        #[test]
        fn joining_is_associative(a in states(), b in states(), c in states()) {
            prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
        }

        #[test]
        fn joining_is_idempotent(a in states()) {
            prop_assert_eq!(a.join(a), a);
            prop_assert_eq!(a.join(CardState::default()), a);
        }

        #[test]
        fn joined_bits_are_the_union(a in states(), b in states()) {
            prop_assert_eq!(a.join(b).bits(), a.bits() | b.bits());
        }

        #[test]
        fn a_first_time_never_grows(a in states(), b in states()) {
            for mark in Mark::ALL {
                if let Some(before) = a.first(mark) {
                    prop_assert!(a.join(b).first(mark).is_some_and(|after| after <= before));
                }
            }
        }
    }
}
