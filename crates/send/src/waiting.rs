//! Cards whose fetches are to be tried again later, while nobody holds their chunk.
//!
//! Kept in this process only, and only as far as they fit: a card that is not here (any more) begins
//! anew, with its first try. That costs the endpoint calls and never a card.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use corkboard_core::id::DispatchId;
use corkboard_core::time::Timestamp;
use corkboard_core::user::UserId;
use corkboard_template::Answers;

/// Most cards that are kept.
const MOST_CARDS: usize = 10_000;
/// Most memory that they may take, in bytes, as far as it is known.
const MOST_BYTES: usize = 32 << 20;

/// What a card that waits knows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kept {
    /// What its fetches were answered so far.
    pub(crate) answers: Answers,
    /// What `now` means to its templates: the same in every go.
    pub(crate) now: Timestamp,
    /// When it may go on.
    pub(crate) due: Timestamp,
    /// When it has waited long enough.
    pub(crate) until: Timestamp,
}

/// The cards of one chunk that wait.
pub(crate) type Waiting = HashMap<UserId, Kept>;

/// A dispatch and the number of one of its chunks.
type Key = (DispatchId, u32);

#[derive(Debug, Default)]
pub(crate) struct WaitingRoom {
    chunks: Mutex<Chunks>,
}

#[derive(Debug, Default)]
struct Chunks {
    by_key: BTreeMap<Key, Stay>,
    cards: usize,
    bytes: usize,
}

#[derive(Debug)]
struct Stay {
    waiting: Waiting,
    bytes: usize,
    /// Nobody comes for it later than this.
    until: Timestamp,
}

impl WaitingRoom {
    /// Keeps the cards of a chunk. When the room is full, those leave that would have left first.
    pub(crate) fn put(&self, key: Key, mut waiting: Waiting, now: Timestamp) {
        let of = |waiting: &Waiting| waiting.values().map(Kept::bytes).sum::<usize>();
        let mut bytes = of(&waiting);
        if bytes > MOST_BYTES {
            waiting.values_mut().for_each(|kept| kept.answers.forget());
            bytes = of(&waiting);
        }
        let Some(until) = waiting.values().map(|kept| kept.until).max() else {
            return;
        };
        if waiting.len() > MOST_CARDS || bytes > MOST_BYTES {
            return;
        }
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        chunks.remove(key);
        chunks.leave_room(waiting.len(), bytes, now);
        chunks.cards += waiting.len();
        chunks.bytes += bytes;
        let stay = Stay {
            waiting,
            bytes,
            until,
        };
        chunks.by_key.insert(key, stay);
    }

    /// The cards of a chunk that has been claimed; none are left here. `None`: it was never put
    /// aside here, or was forgotten.
    pub(crate) fn take(&self, key: Key) -> Option<Waiting> {
        let mut chunks = self.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        chunks.remove(key)
    }
}

impl Chunks {
    fn remove(&mut self, key: Key) -> Option<Waiting> {
        let stay = self.by_key.remove(&key)?;
        self.cards -= stay.waiting.len();
        self.bytes -= stay.bytes;
        Some(stay.waiting)
    }

    fn leave_room(&mut self, cards: usize, bytes: usize, now: Timestamp) {
        loop {
            let full = self.cards + cards > MOST_CARDS || self.bytes + bytes > MOST_BYTES;
            let first = self.by_key.iter().min_by_key(|(_, stay)| stay.until);
            match first.map(|(key, stay)| (*key, stay.until)) {
                Some((key, until)) if full || until < now => self.remove(key),
                _ => return,
            };
        }
    }
}

impl Kept {
    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        size_of::<(UserId, Self)>() + self.answers.bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn kept(until: i64) -> Kept {
        Kept {
            answers: Answers::default(),
            now: Timestamp::EPOCH,
            due: Timestamp::EPOCH,
            until: Timestamp::from_seconds(until),
        }
    }

    fn cards(count: usize, until: i64) -> Waiting {
        let user = |n| UserId::parse(format!("u{n}")).unwrap();
        (0..count).map(|n| (user(n), kept(until))).collect()
    }

    fn dispatch() -> DispatchId {
        DispatchId::generate(Timestamp::EPOCH)
    }

    #[test]
    fn cards_are_found_once_by_whoever_claims_their_chunk() {
        let (room, id) = (WaitingRoom::default(), dispatch());
        room.put((id, 1), cards(3, 60), Timestamp::EPOCH);
        assert_eq!(room.take((id, 2)), None);
        assert_eq!(room.take((id, 1)).map(|waiting| waiting.len()), Some(3));
        assert_eq!(room.take((id, 1)), None);
    }

    #[test]
    fn a_full_room_loses_those_that_would_leave_first_and_counts_right() {
        let (room, id) = (WaitingRoom::default(), dispatch());
        for (chunk, until) in [(1, 90), (2, 60), (3, 120)] {
            room.put((id, chunk), cards(4_000, until), Timestamp::EPOCH);
        }
        assert_eq!(room.take((id, 2)), None, "it would have left first");
        for chunk in [1, 3] {
            assert!(room.take((id, chunk)).is_some());
        }
        let chunks = room.chunks.lock().unwrap();
        assert_eq!((chunks.cards, chunks.bytes), (0, 0));
    }

    #[test]
    fn whoever_nobody_came_for_is_forgotten() {
        let (room, id) = (WaitingRoom::default(), dispatch());
        room.put((id, 1), cards(1, 60), Timestamp::EPOCH);
        let later = Timestamp::EPOCH.plus(Duration::from_secs(61));
        room.put((id, 2), cards(1, 600), later);
        assert_eq!(room.take((id, 1)), None);
        assert!(room.take((id, 2)).is_some());
    }

    #[test]
    fn ten_thousand_cards_take_less_than_the_bound() {
        let (room, id) = (WaitingRoom::default(), dispatch());
        room.put((id, 1), cards(MOST_CARDS, 60), Timestamp::EPOCH);
        assert!(room.chunks.lock().unwrap().bytes < MOST_BYTES / 4);
        assert!(room.take((id, 1)).is_some());
    }
}
