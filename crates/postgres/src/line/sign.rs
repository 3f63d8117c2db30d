//! What those who come can read before they join the line: how many may wait in it.
//!
//! Only while more come than can be served is there anything on it. To read it takes no lock, so that whoever
//! is turned away costs hardly more than the answer that says so.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

#[derive(Debug)]
pub(super) struct Sign {
    /// How many may wait.
    room: AtomicUsize,
    turned_away: AtomicU64,
}

impl Default for Sign {
    fn default() -> Self {
        Self {
            room: AtomicUsize::new(usize::MAX),
            turned_away: AtomicU64::new(0),
        }
    }
}

impl Sign {
    /// `None`: as many as like.
    pub(super) fn set(&self, room: Option<usize>) {
        let room = room.map_or(usize::MAX, |room| room.max(1));
        // It is read for every request and changes hardly ever.
        if self.room.load(Relaxed) != room {
            self.room.store(room, Relaxed);
        }
    }

    /// Whether there is no room, with so many in line.
    pub(super) fn is_full(&self, waiting: impl FnOnce() -> usize) -> bool {
        let room = self.room.load(Relaxed);
        room != usize::MAX && waiting() >= room
    }

    pub(super) fn turned_away(&self) {
        self.turned_away.fetch_add(1, Relaxed);
    }

    /// How many were, since this was asked last.
    pub(super) fn take_turned_away(&self) -> u64 {
        self.turned_away.swap(0, Relaxed)
    }
}
